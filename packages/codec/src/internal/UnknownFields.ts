/** The fields behind those that a decoder knows: what is kept of them, and whether what is kept can be written again. */
import * as Format from "../format/RecordFormat.ts"
import { MessagePackReader } from "../kernel/MessagePackReader.ts"

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

/**
 * The tail of an object, undefined when it has none, or a text that says what is wrong with it: only what a decoder could
 * have read may be written.
 */
export const tailOf = (record: object): UnknownTail | undefined | string => {
  const tail = (record as { readonly [unknownTail]?: unknown })[unknownTail]
  if (tail === undefined) return undefined
  const { version, count, bytes } = (tail ?? {}) as Partial<UnknownTail>
  if (!Number.isInteger(version) || version! < 0 || version! > Format.maxVersion) return `version ${version}`
  if (!Number.isInteger(count) || count! < 0) return `count ${count}`
  if (!(bytes instanceof Uint8Array)) return "no bytes"
  const reader = new MessagePackReader()
  reader.open(bytes, 0, bytes.length)
  try {
    readTail(reader, count!)
  } catch (fault) {
    return String((fault as Error).message)
  }
  return reader.at === bytes.length ? (tail as UnknownTail) : "bytes behind its fields"
}

/** Passes the `count` values of a tail and returns a copy of their bytes. */
export const readTail = (reader: MessagePackReader, count: number): Uint8Array => {
  const from = reader.at
  if (count > 0) {
    reader.skip(count - 1)
    if (reader.nil()) reader.fail("found nil as last of the fields")
    reader.skip(1)
  }
  return new Uint8Array(reader.bytes.subarray(from, reader.at))
}

/** What msgpackr packs into the bytes of a tail that {@link tailOf} has taken. */
export const tailValues = (tail: UnknownTail): Array<unknown> => {
  const reader = new MessagePackReader()
  reader.open(tail.bytes, 0, tail.bytes.length)
  return Array.from({ length: tail.count }, () => tailValue(reader))
}

const tailValue = (reader: MessagePackReader): unknown => {
  const byte = reader.bytes[reader.at]!
  if (Format.isArrayHead(byte)) return Array.from({ length: reader.arrayHead() }, () => tailValue(reader))
  if (Format.isMapHead(byte))
    return new Map(Array.from({ length: reader.mapHead() }, () => [reader.key(-1, -1), tailValue(reader)]))
  if (byte >= Format.bin8Byte && byte <= Format.bin32Byte) return reader.binary()
  if (byte === Format.int64Byte) return reader.bigint()
  return byte === Format.float64Byte ? reader.number() : reader.json(0)
}
