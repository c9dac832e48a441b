/**
 * Records of one shape as bytes: a schema version, then the fields in declared order, as MessagePack.
 *
 * `format/RecordFormat.ts` draws the bytes. There are two implementations which give the same bytes and the same errors:
 * {@link compiled} is made for the shape by `new Function`; {@link interpreted} walks the shape and packs with msgpackr.
 */
import { Result, type Schema } from "effect"
import * as Format from "./format/RecordFormat.ts"
import { RecordBytesInvalid } from "./internal/RecordBytesInvalid.ts"
import * as RecordCompiler from "./internal/RecordCompiler.ts"
import * as RecordInterpreter from "./internal/RecordInterpreter.ts"
import { Malformed, MessagePackReader } from "./kernel/MessagePackReader.ts"
import { MessagePackWriter, noRoom, refused } from "./kernel/MessagePackWriter.ts"
import * as RecordShape from "./RecordShape.ts"
import { RecordInvalid, type RecordShapeUnsupported, type Struct } from "./RecordShape.ts"

export { RecordBytesInvalid } from "./internal/RecordBytesInvalid.ts"
export { type UnknownTail, unknownTail } from "./internal/UnknownFields.ts"

/** Schema version of a codec that names none. */
export const defaultVersion = 1

/** Largest schema version, inclusive. */
export const maxVersion: number = Format.maxVersion

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

/** Undefined where the runtime refuses code from text. A bad shape is a defect. */
export const compiled = <A = Record<string, unknown>>(
  shape: Struct,
  options?: CodecOptions
): RecordCodec<A> | undefined => {
  const version = checked(shape, options)
  const code = RecordCompiler.compile(shape, version)
  if (code === undefined) return undefined
  const shared = new MessagePackWriter()
  const reader = new MessagePackReader()
  let isWriting = false

  /** A getter of a record may come here while another record is being written. */
  const withWriter = <B>(body: (writer: MessagePackWriter) => B): B => {
    if (isWriting) return body(new MessagePackWriter())
    isWriting = true
    try {
      return body(shared)
    } finally {
      isWriting = false
    }
  }

  const encodeUnsafe = (record: A): Uint8Array =>
    withWriter((writer) => {
      try {
        writer.startOwn()
        code.encode(record, writer)
        return writer.target.slice(0, writer.at)
      } catch (fault) {
        if (fault !== refused) throw fault
        return RecordInterpreter.encode(shape, version, record)
      }
    })

  const encodeIntoUnsafe = (record: A, target: Uint8Array, at: number): number =>
    withWriter((writer) => {
      try {
        writer.startLent(target, at)
        code.encode(record, writer)
        return writer.at
      } catch (fault) {
        if (fault === noRoom) return -1
        if (fault !== refused) throw fault
        return put(RecordInterpreter.encode(shape, version, record), target, at)
      }
    })

  const decodeUnsafe = (bytes: Uint8Array, from = 0, to = bytes.length): A => {
    try {
      reader.open(bytes, from, to)
      const record = code.decode(reader)
      if (reader.at === to) return record as A
    } catch (fault) {
      if (fault !== refused && !(fault instanceof Malformed)) throw fault
    } finally {
      reader.close()
    }
    return RecordInterpreter.decode(shape, version, bytes, from, to) as A
  }

  return complete({ shape, version, implementation: "compiled", encodeUnsafe, encodeIntoUnsafe, decodeUnsafe })
}

/** Walks the shape for each record: several times slower. A bad shape is a defect. */
export const interpreted = <A = Record<string, unknown>>(shape: Struct, options?: CodecOptions): RecordCodec<A> => {
  const version = checked(shape, options)
  return complete({
    shape,
    version,
    implementation: "interpreted",
    encodeUnsafe: (record) => RecordInterpreter.encode(shape, version, record),
    encodeIntoUnsafe: (record, target, at) => put(RecordInterpreter.encode(shape, version, record), target, at),
    decodeUnsafe: (bytes, from = 0, to = bytes.length) => RecordInterpreter.decode(shape, version, bytes, from, to) as A
  })
}

const checked = (shape: Struct, options: CodecOptions | undefined): number => {
  Result.getOrThrow(RecordShape.check(shape))
  const version = options?.version ?? defaultVersion
  if (!Number.isInteger(version) || version < Format.minVersion || version > Format.maxVersion) {
    throw new RangeError(`Cannot make record codec: version is ${version}, expected 1 to ${Format.maxVersion}`)
  }
  return version
}

const put = (bytes: Uint8Array, target: Uint8Array, at: number): number => {
  if (at + bytes.length > target.length) return -1
  target.set(bytes, at)
  return at + bytes.length
}

const complete = <A>(codec: Omit<RecordCodec<A>, "encode" | "decode">): RecordCodec<A> => ({
  ...codec,
  encode: (record) => {
    try {
      return Result.succeed(codec.encodeUnsafe(record))
    } catch (fault) {
      if (fault instanceof RecordInvalid) return Result.fail(fault)
      throw fault
    }
  },
  decode: (bytes) => {
    try {
      return Result.succeed(codec.decodeUnsafe(bytes))
    } catch (fault) {
      if (fault instanceof RecordBytesInvalid) return Result.fail(fault)
      throw fault
    }
  }
})
