/**
 * What of a message its record does not say: the message less every field that is said elsewhere.
 *
 * A remainder is itself a message of the same type. Merged with what was said elsewhere it gives every value of the message. A
 * field is said elsewhere when a referent, a message that records hold, has the very same field; a message within is looked
 * into, so that only what differs inside stays.
 */
import { WireType } from "@bufbuild/protobuf/wire"
import { compareBytes } from "../internal/Bounds.ts"
import { fieldName, type MessageShape, resource, resourceType } from "./C1zMessages.ts"
import {
  concatFields,
  fieldBytes,
  isLengthDelimited,
  makeField,
  type ProtobufField,
  parseFields,
  placed,
  textOf,
  valueBytes
} from "./ProtobufFields.ts"

/** Finds the message of the row that has this id, which a record was made of. */
export type Resolve = (shape: MessageShape, id: string) => Uint8Array | undefined

/** Told the path of each field that stays. */
export type Keep = (path: string) => void

type Fields = ReadonlyArray<ProtobufField>

/**
 * Larger rows are no referents, unless the embedded message is the same byte for byte: comparing field by field takes time by
 * the size of the row, and any number of messages may name it.
 */
const maxReferentBytes = 256 * 1024

/** Of the messages in one list so many are looked into, for the same reason. */
const maxListed = 64

/** The id by which a message names itself; two parts of a resource's are joined by a zero. Undefined when it names none. */
const idOf = (shape: MessageShape, fields: Fields): string | undefined => {
  const idNumber = idNumbers[shape.name]
  if (idNumber === undefined) return undefined
  const field = fields.findLast(({ number }) => number === idNumber)
  if (field === undefined || !isLengthDelimited(field)) return undefined
  if (shape !== resource) return textOf(field)
  const parts = parseFields(valueBytes(field))
  return resourceKey(lastText(parts, 1), lastText(parts, 2))
}

const idNumbers: { readonly [name in MessageShape["name"]]?: number } = { ResourceType: 1, Resource: 1, Entitlement: 2 }

/** A resource's two ids as one text. */
export const resourceKey = (type: string, id: string): string => `${type}\0${id}`

const lastText = (fields: Fields, wanted: number): string => {
  const field = fields.findLast(({ number, wireType }) => number === wanted && wireType === WireType.LengthDelimited)
  return field === undefined ? "" : textOf(field)
}

/** A message within another, and what is known of it. */
export interface Embedded {
  readonly shape: MessageShape
  readonly message: Uint8Array
  /** The fields by which the record names it. When the message names something else, all of it stays. */
  readonly known: Fields
  /** Its counterparts in messages that are said elsewhere. */
  readonly others: ReadonlyArray<Fields>
  /** The path that leads to it. */
  readonly path: string
}

/** The remainder of a message within another. Empty when nothing stays. */
export const embeddedRemainder = (embedded: Embedded, resolve: Resolve, keep: Keep): Uint8Array => {
  const { shape, message, known, others, path } = embedded
  const { fields, id } = parseMessage(shape, message, path)
  const knownId = idOf(shape, known)
  if (id !== undefined && knownId !== undefined && id !== knownId) {
    keep(path)
    return message
  }
  const row = id === undefined ? undefined : resolve(shape, id)
  if (row === undefined) return remainderOf(shape, fields, [known, ...others], resolve, path, keep)
  if (isSame(row, message)) return nothing
  const referents = row.length > maxReferentBytes ? [known, ...others] : [known, ...others, parseFields(row)]
  return remainderOf(shape, fields, referents, resolve, path, keep)
}

const parseMessage = (
  shape: MessageShape,
  message: Uint8Array,
  path: string
): { readonly fields: Fields; readonly id: string | undefined } => {
  try {
    const fields = parseFields(message)
    return { fields, id: idOf(shape, fields) }
  } catch (cause) {
    throw placed(cause, path)
  }
}

const nothing = new Uint8Array(0)

/** `referents` begin with the known fields. */
const remainderOf = (
  shape: MessageShape,
  fields: Fields,
  referents: ReadonlyArray<Fields>,
  resolve: Resolve,
  path: string,
  keep: Keep
): Uint8Array => {
  const said = referents.map(countFields)
  const lastAt = new Map(fields.map(({ number }, at) => [number, at]))
  const left: Array<Uint8Array> = []
  let listedCount = 0
  fields.forEach((field, at) => {
    if (said.some((counts) => takeField(counts, field))) return
    const within = shape.fields[field.number]?.message
    const fieldPath = joinPath(path, shape, field.number)
    const isList = within === resourceType
    const isRead =
      within !== undefined &&
      isLengthDelimited(field) &&
      (isList ? listedCount++ < maxListed : lastAt.get(field.number) === at)
    if (!isRead) {
      keep(fieldPath)
      left.push(fieldBytes(field))
    } else if (isList) {
      const rest = listedRemainder(within, field, referents, resolve, fieldPath, keep)
      if (rest.length > 0) left.push(makeField(field.number, rest))
    } else {
      const [known, ...others] = referents.map((referent) => fieldsWithin(referent, field.number))
      const message = valueBytes(field)
      const rest = embeddedRemainder({ shape: within, message, known: known!, others, path: fieldPath }, resolve, keep)
      if (rest.length > 0) left.push(makeField(field.number, rest))
    }
  })
  return concatFields(left)
}

/**
 * The remainder of one message of a list. It is told from the others by its id, which stays with what stays of it, and stays
 * alone when no referent has that id in its list.
 */
const listedRemainder = (
  shape: MessageShape,
  field: ProtobufField,
  referents: ReadonlyArray<Fields>,
  resolve: Resolve,
  path: string,
  keep: Keep
): Uint8Array => {
  const message = valueBytes(field)
  const fields = parseFields(message)
  const idField = fields.findLast(({ number }) => number === idNumbers[shape.name])
  if (idField === undefined) {
    keep(path)
    return message
  }
  const rest = embeddedRemainder({ shape, message, known: [idField], others: [], path }, resolve, keep)
  const id = idOf(shape, fields)
  const isListed = referents.some((referent) => listsId(shape, referent, field.number, id))
  if (rest.length === 0 && isListed) return nothing
  if (rest.length === 0) keep(path)
  return concatFields([fieldBytes(idField), rest])
}

/** Whether one of the messages that a message has in a list has this id. */
const listsId = (shape: MessageShape, fields: Fields, listNumber: number, id: string | undefined): boolean =>
  fields.some(
    (field) =>
      field.number === listNumber && isLengthDelimited(field) && idOf(shape, parseFields(valueBytes(field))) === id
  )

/** The path of a field below another path. */
export const joinPath = (path: string, shape: MessageShape, number: number): string =>
  path === "" ? fieldName(shape, number) : `${path}.${fieldName(shape, number)}`

/** The fields of all messages that a message has under one number, in order: how protobuf merges them. */
const fieldsWithin = (fields: Fields, wanted: number): Fields =>
  fields.flatMap((field) => (field.number === wanted && isLengthDelimited(field) ? parseFields(valueBytes(field)) : []))

/** How often each field is there, by its bytes. */
type FieldCounts = Map<string, number>

/** One character a byte: this label maps every byte to a character of its own. */
const latin1 = new TextDecoder("latin1")

const countFields = (fields: Fields): FieldCounts => {
  const counts: FieldCounts = new Map()
  for (const field of fields) {
    const key = latin1.decode(fieldBytes(field))
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** Takes one of the fields with the same bytes out of the counts; whether there was one. */
const takeField = (counts: FieldCounts, field: ProtobufField): boolean => {
  const key = latin1.decode(fieldBytes(field))
  const count = counts.get(key)
  if (count === undefined || count === 0) return false
  counts.set(key, count - 1)
  return true
}

/** Whether two buffers hold the same bytes. */
export const isSame = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && compareBytes(left, right) === 0
