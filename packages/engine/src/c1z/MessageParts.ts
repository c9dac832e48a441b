/** Takes a message apart: what a record holds is taken, field by field, and what is not taken is its remainder. */
import type { MessageShape } from "./C1zMessages.ts"
import {
  concatFields,
  fieldBytes,
  isLengthDelimited,
  makeField,
  type ProtobufField,
  parseFields,
  placed,
  smallVarintOf,
  textOf
} from "./ProtobufFields.ts"
import { joinPath, type Keep } from "./Remainder.ts"

/** A message while it is taken apart. Of a field that should be there once and is there again the last counts. */
export interface MessageParts {
  readonly shape: MessageShape
  readonly fields: ReadonlyArray<ProtobufField>
  /** By position in `fields`. */
  readonly taken: Array<boolean>
  /** Fields that are left of messages within. */
  readonly left: Array<Uint8Array>
  readonly path: string
  readonly keep: Keep
}

/** Parses a message. `path` leads to it, from the message that a row holds. */
export const open = (shape: MessageShape, message: Uint8Array, path: string, keep: Keep): MessageParts => {
  const fields = parseMessage(message, path)
  return { shape, fields, taken: new Array<boolean>(fields.length).fill(false), left: [], path, keep }
}

const parseMessage = (message: Uint8Array, path: string): Array<ProtobufField> => {
  try {
    return parseFields(message)
  } catch (cause) {
    throw placed(cause, path)
  }
}

/** The position of the last field of this number, or -1. */
const lastOf = ({ fields }: MessageParts, number: number): number => {
  for (let at = fields.length - 1; at >= 0; at--) if (fields[at]!.number === number) return at
  return -1
}

/** Takes the last field of this number when it is length-delimited. */
export const takeBytes = (parts: MessageParts, number: number): ProtobufField | undefined => {
  const at = lastOf(parts, number)
  if (at < 0 || !isLengthDelimited(parts.fields[at]!)) return undefined
  parts.taken[at] = true
  return parts.fields[at]
}

/** Takes a text. */
export const takeText = (parts: MessageParts, number: number): string | undefined => {
  const field = takeBytes(parts, number)
  return field === undefined ? undefined : textIn(parts, field)
}

const textIn = (parts: MessageParts, field: ProtobufField): string => {
  try {
    return textOf(field)
  } catch (cause) {
    throw placed(cause, pathOf(parts, field.number))
  }
}

/** The path of a field. */
export const pathOf = (parts: MessageParts, number: number): string => joinPath(parts.path, parts.shape, number)

/** Takes a text when it is the expected one, which the record says already. */
export const takeTextIf = (parts: MessageParts, number: number, expected: string): void => {
  const at = lastOf(parts, number)
  const field = parts.fields[at]
  if (field !== undefined && isLengthDelimited(field) && textIn(parts, field) === expected) parts.taken[at] = true
}

/** Takes a small number. */
export const takeNumber = (parts: MessageParts, number: number): number | undefined => {
  const at = lastOf(parts, number)
  const value = at < 0 ? undefined : smallVarintOf(parts.fields[at]!)
  if (value !== undefined) parts.taken[at] = true
  return value
}

/** Takes what `take` makes something of, of all fields of this number. */
export const takeEach = <A>(
  parts: MessageParts,
  number: number,
  take: (field: ProtobufField) => A | undefined
): Array<A> => {
  const values: Array<A> = []
  parts.fields.forEach((field, at) => {
    if (field.number !== number) return
    const value = within(parts, number, () => take(field))
    if (value === undefined) return
    parts.taken[at] = true
    values.push(value)
  })
  return values
}

/** Runs what looks into a field, so that what is wrong there is found by its path. */
export const within = <A>(parts: MessageParts, number: number, body: () => A): A => {
  try {
    return body()
  } catch (cause) {
    throw placed(cause, pathOf(parts, number))
  }
}

/** Puts back what a message within leaves, of one that was taken. */
export const leave = (parts: MessageParts, number: number, rest: Uint8Array): void => {
  if (rest.length > 0) parts.left.push(makeField(number, rest))
}

/** Whether nothing is left. */
const isAllTaken = (parts: MessageParts): boolean => parts.left.length === 0 && !parts.taken.includes(false)

/** What is left: a message of the same type. Empty when all was taken. */
export const remainder = (parts: MessageParts): Uint8Array => {
  if (isAllTaken(parts)) return noBytes
  const left: Array<Uint8Array> = []
  parts.fields.forEach((field, at) => {
    if (parts.taken[at]) return
    parts.keep(pathOf(parts, field.number))
    left.push(fieldBytes(field))
  })
  return concatFields([...left, ...parts.left])
}

const noBytes = new Uint8Array(0)
