/**
 * Protobuf messages as the fields that they are on the wire, without a schema: what is not known is kept as the bytes that it
 * came in.
 *
 * Pure and synchronous. Everything but {@link parseFields} takes fields that it made.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire"

/** Fields that one message may have. A message of 16 MiB can have 8 million, each an object here. */
export const maxFieldCount = 262_144

/** Longest varint in bytes, of 64 bits. */
const maxVarintBytes = 10

/** One field of a message: its bytes are `message.subarray(start, end)`, those of its value begin at `valueStart`. */
export interface ProtobufField {
  readonly number: number
  readonly wireType: WireType
  readonly message: Uint8Array
  readonly start: number
  readonly valueStart: number
  readonly end: number
}

/** Bytes that are no message of their type. `place` is the path that leads there, as far as it is known. */
export class ProtobufInvalid extends Error {
  override readonly name = "ProtobufInvalid"
  readonly detail: string
  readonly place: string
  constructor(detail: string, place = "") {
    super(`Cannot decode protobuf message: ${detail}`)
    this.detail = detail
    this.place = place
  }
}

/** What was thrown, with the path that leads there when it had none. */
export const placed = (cause: unknown, place: string): unknown =>
  cause instanceof ProtobufInvalid && cause.place === "" ? new ProtobufInvalid(cause.detail, place) : cause

/** Splits a message into its fields, in order. The fields look into `message`. Throws {@link ProtobufInvalid}. */
export const parseFields = (message: Uint8Array): Array<ProtobufField> => {
  const reader = new BinaryReader(message)
  const fields: Array<ProtobufField> = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    let number: number
    let wireType: WireType
    let valueStart: number
    try {
      ;[number, wireType] = reader.tag()
      valueStart = reader.pos
      if (wireType === WireType.LengthDelimited) {
        const sizeBytes = reader.uint32()
        valueStart = reader.pos
        reader.pos += sizeBytes
      } else {
        reader.skip(wireType, number)
      }
    } catch (cause) {
      throw new ProtobufInvalid(`the field at byte ${start} is damaged: ${(cause as Error).message}`)
    }
    if (reader.pos > reader.len) throw new ProtobufInvalid(`it ends within the field at byte ${start}`)
    if (wireType === WireType.Varint && reader.pos - valueStart > maxVarintBytes) {
      throw new ProtobufInvalid(`the field at byte ${start} has a varint of ${reader.pos - valueStart} bytes`)
    }
    if (fields.length === maxFieldCount) throw new ProtobufInvalid(`it has more than ${maxFieldCount} fields`)
    fields.push({ number, wireType, message, start, valueStart, end: reader.pos })
  }
  return fields
}

/** The whole field, tag and length included. Looks into the message. */
export const fieldBytes = (field: ProtobufField): Uint8Array => field.message.subarray(field.start, field.end)

/** The value of a field without its tag and length. Looks into the message. */
export const valueBytes = (field: ProtobufField): Uint8Array => field.message.subarray(field.valueStart, field.end)

export const isLengthDelimited = (field: ProtobufField): boolean => field.wireType === WireType.LengthDelimited

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The text of UTF-8, nothing replaced or left out. Throws {@link ProtobufInvalid}. */
export const decodeText = (bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new ProtobufInvalid("a string is not UTF-8")
  }
}

/** The text of a length-delimited field. Throws {@link ProtobufInvalid}. */
export const textOf = (field: ProtobufField): string => decodeText(valueBytes(field))

/**
 * The number of a varint field when it is below 2^28 and encoded in as few bytes as can be: then the number says all that the
 * bytes do. Otherwise undefined.
 */
export const smallVarintOf = (field: ProtobufField): number | undefined =>
  field.wireType === WireType.Varint ? smallVarint(field.message, field.valueStart, field.end) : undefined

/** As {@link smallVarintOf}, of the bytes from `start` to `end`. */
export const smallVarint = (bytes: Uint8Array, start: number, end: number): number | undefined => {
  const sizeBytes = end - start
  if (sizeBytes < 1 || sizeBytes > 4) return undefined
  if (sizeBytes > 1 && bytes[end - 1] === 0) return undefined
  let value = 0
  for (let at = end - 1; at >= start; at--) value = value * 128 + (bytes[at]! & 0x7f)
  return value
}

/** The truth of a varint field that is 0 or 1, otherwise undefined. */
export const booleanOf = (field: ProtobufField): boolean | undefined => {
  const value = smallVarintOf(field)
  return value === 0 ? false : value === 1 ? true : undefined
}

/** A length-delimited field with the given value. */
export const makeField = (number: number, value: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(value).finish()

/** A length-delimited field with text. The text must be well-formed. */
export const makeTextField = (number: number, text: string): Uint8Array =>
  new BinaryWriter().tag(number, WireType.LengthDelimited).string(text).finish()

/** Puts the bytes of fields together to a message. */
export const concatFields = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  let sizeBytes = 0
  for (const part of parts) sizeBytes += part.length
  const message = new Uint8Array(sizeBytes)
  let at = 0
  for (const part of parts) {
    message.set(part, at)
    at += part.length
  }
  return message
}
