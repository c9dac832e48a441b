/** `google.protobuf.Struct` as JSON, where JSON can say all of it. */
import { WireType } from "@bufbuild/protobuf/wire"
import {
  booleanOf,
  isLengthDelimited,
  type ProtobufField,
  parseFields,
  smallVarintOf,
  textOf,
  valueBytes
} from "./ProtobufFields.ts"

/** Levels of objects and arrays in one value at most. */
const maxDepth = 48

/** Stands for a value that JSON does not say exactly. */
const inexact: unique symbol = Symbol("inexact")

type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/**
 * The JSON object that says all that the message does; undefined when none does: a number that is not finite, a key that is there
 * twice, unknown fields, too many levels. Throws `ProtobufInvalid` for bytes that are no message.
 */
export const parseStruct = (message: Uint8Array): { readonly [key: string]: Json } | undefined => {
  const value = structOf(message, 1)
  return value === inexact ? undefined : value
}

const structOf = (message: Uint8Array, depth: number): { readonly [key: string]: Json } | typeof inexact => {
  const object: { [key: string]: Json } = {}
  for (const field of parseFields(message)) {
    if (field.number !== 1 || !isLengthDelimited(field)) return inexact
    const entry = entryOf(parseFields(valueBytes(field)))
    if (entry === undefined || entry.key === "__proto__" || Object.hasOwn(object, entry.key)) return inexact
    const value = valueOf(entry.value, depth)
    if (value === inexact) return inexact
    object[entry.key] = value
  }
  return object
}

/** The key and the value message of an entry of a map. A key that is missing is the empty one, as protobuf has it. */
const entryOf = (
  fields: ReadonlyArray<ProtobufField>
): { readonly key: string; readonly value: Uint8Array } | undefined => {
  let key: ProtobufField | undefined
  let value: ProtobufField | undefined
  for (const field of fields) {
    if (!isLengthDelimited(field)) return undefined
    if (field.number === 1 && key === undefined) key = field
    else if (field.number === 2 && value === undefined) value = field
    else return undefined
  }
  if (value === undefined) return undefined
  return { key: key === undefined ? "" : textOf(key), value: valueBytes(value) }
}

const valueOf = (message: Uint8Array, depth: number): Json | typeof inexact => {
  const fields = parseFields(message)
  const field = fields[0]
  if (field === undefined || fields.length > 1) return inexact
  switch (field.number) {
    case 1:
      return smallVarintOf(field) === 0 ? null : inexact
    case 2:
      return field.wireType === WireType.Bit64 ? numberOf(field) : inexact
    case 3:
      return isLengthDelimited(field) ? textOf(field) : inexact
    case 4:
      return booleanOf(field) ?? inexact
    case 5:
      return depth < maxDepth && isLengthDelimited(field) ? structOf(valueBytes(field), depth + 1) : inexact
    case 6:
      return depth < maxDepth && isLengthDelimited(field) ? listOf(valueBytes(field), depth + 1) : inexact
    default:
      return inexact
  }
}

const numberOf = ({ message, valueStart }: ProtobufField): number | typeof inexact => {
  const value = new DataView(message.buffer, message.byteOffset + valueStart, 8).getFloat64(0, true)
  return Number.isFinite(value) && !Object.is(value, -0) ? value : inexact
}

const listOf = (message: Uint8Array, depth: number): ReadonlyArray<Json> | typeof inexact => {
  const list: Array<Json> = []
  for (const field of parseFields(message)) {
    if (field.number !== 1 || !isLengthDelimited(field)) return inexact
    const value = valueOf(valueBytes(field), depth)
    if (value === inexact) return inexact
    list.push(value)
  }
  return list
}
