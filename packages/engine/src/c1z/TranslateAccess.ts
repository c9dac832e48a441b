/**
 * Rows of an older archive as records: resource types, resources and entitlements. Grants are in `TranslateGrant.ts`.
 *
 * The columns name a record, the message says the rest. What a record has no field for, and what a message says other than its
 * columns, is the message's remainder: one annotation of a reserved type, `c1z/` and the name of the message.
 *
 * Pure. Every function throws `ProtobufInvalid`. Records look into the message of their row.
 */
import type { Annotation, Entitlement, Resource, ResourceType } from "../access/AccessRecords.ts"
import * as Annotations from "./Annotations.ts"
import * as C1zMessages from "./C1zMessages.ts"
import {
  embeddedRest,
  resourceIdMessage,
  type TranslationContext,
  takeEmbedded,
  takeResourceId
} from "./EmbeddedParts.ts"
import { parseStruct } from "./JsonStruct.ts"
import * as MessageParts from "./MessageParts.ts"
import {
  concatFields,
  isLengthDelimited,
  makeField,
  makeTextField,
  type ProtobufField,
  ProtobufInvalid,
  parseFields,
  smallVarint,
  smallVarintOf,
  textOf,
  valueBytes
} from "./ProtobufFields.ts"

export interface ResourceTypeRow {
  readonly external_id: string
  readonly data: Uint8Array
  readonly discovered_at: number
}

export interface ResourceRow {
  readonly resource_type_id: string
  /** The type, a colon, the id. */
  readonly external_id: string
  /** Empty or absent: it has no parent. */
  readonly parent_resource_type_id?: string
  readonly parent_resource_id?: string
  readonly data: Uint8Array
  readonly discovered_at: number
}

export interface EntitlementRow {
  readonly resource_type_id: string
  readonly resource_id: string
  readonly external_id: string
  readonly data: Uint8Array
  readonly discovered_at: number
}

/** Annotations of a record: those of its message, and its remainder. */
export const withRemainder = (
  annotations: Array<Annotation>,
  shape: C1zMessages.MessageShape,
  parts: MessageParts.MessageParts
): ReadonlyArray<Annotation> => {
  const rest = MessageParts.remainder(parts)
  if (rest.length > 0) annotations.push({ type: Annotations.remainderType(shape), value: rest })
  return annotations
}

const openParts = (
  shape: C1zMessages.MessageShape,
  data: Uint8Array,
  { keep }: TranslationContext
): MessageParts.MessageParts => MessageParts.open(shape, data, shape.name, keep)

export const translateResourceType = (row: ResourceTypeRow, context: TranslationContext): ResourceType => {
  const shape = C1zMessages.resourceType
  const parts = openParts(shape, row.data, context)
  MessageParts.takeTextIf(parts, 1, row.external_id)
  const description = MessageParts.takeText(parts, 5)
  return {
    external_id: row.external_id,
    display_name: MessageParts.takeText(parts, 2) ?? "",
    ...(description === undefined ? {} : { description }),
    traits: MessageParts.takeEach(parts, 3, traitsOf).flat(),
    annotations: withRemainder(Annotations.take(parts, 4), shape, parts),
    discovered_at: row.discovered_at
  }
}

/** Names of traits: of one, or of many packed into a field. Undefined when a number has more bytes than it needs. */
const traitsOf = (field: ProtobufField): ReadonlyArray<string> | undefined => {
  const single = smallVarintOf(field)
  if (single !== undefined) return [C1zMessages.enumName(C1zMessages.traitNames, single)]
  if (!isLengthDelimited(field)) return undefined
  const names: Array<string> = []
  const packed = valueBytes(field)
  for (let start = 0; start < packed.length; ) {
    let end = start
    while (end < packed.length && packed[end]! >= 0x80) end++
    if (end === packed.length) throw new ProtobufInvalid("its packed numbers end within one")
    const value = smallVarint(packed, start, end + 1)
    if (value === undefined) return undefined
    names.push(C1zMessages.enumName(C1zMessages.traitNames, value))
    start = end + 1
  }
  return names
}

export const translateResource = (row: ResourceRow, context: TranslationContext): Resource => {
  const shape = C1zMessages.resource
  const parts = openParts(shape, row.data, context)
  const id = resourceIdOf(row, parts)
  const parent = parentOf(row, parts)
  takeResourceId(parts, 1, row.resource_type_id, id, context)
  if (parent !== undefined) takeResourceId(parts, 2, parent.type, parent.id, context)
  const description = MessageParts.takeText(parts, 5)
  const externalId = takeWithin(parts, 7, C1zMessages.externalId, (within) => MessageParts.takeText(within, 1))
  const profile = takeProfile(parts)
  const status = takeWithin(parts, 11, C1zMessages.status, (within) => {
    const value = MessageParts.takeNumber(within, 1)
    return value === undefined ? undefined : C1zMessages.enumName(C1zMessages.statusNames, value)
  })
  const annotations = Annotations.take(parts, 4)
  if (row.external_id !== `${row.resource_type_id}:${id}`) {
    context.keep("v1_resources.external_id")
    annotations.push({ type: "c1z/v1_resources/external_id", value: utf8.encode(row.external_id) })
  }
  return {
    resource_type_id: row.resource_type_id,
    resource_id: id,
    display_name: MessageParts.takeText(parts, 3) ?? "",
    ...(description === undefined ? {} : { description }),
    ...(externalId === undefined ? {} : { external_id: externalId }),
    ...(parent === undefined ? {} : { parent_resource_type_id: parent.type, parent_resource_id: parent.id }),
    ...(profile === undefined ? {} : { profile }),
    ...(status === undefined ? {} : { status }),
    annotations: withRemainder(annotations, shape, parts),
    discovered_at: row.discovered_at
  }
}

const utf8 = new TextEncoder()

/** The id behind the type and its colon; where the column is something else, what the message says, else the whole column. */
const resourceIdOf = (row: ResourceRow, { fields }: MessageParts.MessageParts): string => {
  const prefix = `${row.resource_type_id}:`
  if (row.external_id.startsWith(prefix)) return row.external_id.slice(prefix.length)
  return idsWithin(fields, 1)?.id ?? row.external_id
}

const parentOf = (
  row: ResourceRow,
  { fields }: MessageParts.MessageParts
): { readonly type: string; readonly id: string } | undefined => {
  const { parent_resource_type_id: type = "", parent_resource_id: id = "" } = row
  return type === "" && id === "" ? idsWithin(fields, 2) : { type, id }
}

/** The two texts of a message within that names a resource. */
const idsWithin = (
  fields: ReadonlyArray<ProtobufField>,
  number: number
): { readonly type: string; readonly id: string } | undefined => {
  const field = fields.findLast((candidate) => candidate.number === number)
  if (field === undefined || !isLengthDelimited(field)) return undefined
  const within = parseFields(valueBytes(field))
  const text = (wanted: number) => {
    const found = within.findLast((candidate) => candidate.number === wanted)
    return found === undefined || !isLengthDelimited(found) ? "" : textOf(found)
  }
  const ids = { type: text(1), id: text(2) }
  return ids.type === "" && ids.id === "" ? undefined : ids
}

/** Takes a message and something within it; what is left of it is left. */
const takeWithin = <A>(
  parts: MessageParts.MessageParts,
  number: number,
  shape: C1zMessages.MessageShape,
  take: (within: MessageParts.MessageParts) => A
): A | undefined => {
  const field = MessageParts.takeBytes(parts, number)
  if (field === undefined) return undefined
  const path = MessageParts.pathOf(parts, number)
  const within = MessageParts.open(shape, valueBytes(field), path, parts.keep)
  const taken = take(within)
  MessageParts.leave(parts, number, MessageParts.remainder(within))
  return taken
}

/** Takes a profile that JSON says all of. */
const takeProfile = (parts: MessageParts.MessageParts): unknown => {
  const last = parts.fields.findLastIndex(({ number }) => number === 9)
  const field = parts.fields[last]
  if (field === undefined || !isLengthDelimited(field)) return undefined
  const profile = MessageParts.within(parts, 9, () => parseStruct(valueBytes(field)))
  if (profile !== undefined) parts.taken[last] = true
  return profile
}

export const translateEntitlement = (row: EntitlementRow, context: TranslationContext): Entitlement => {
  const shape = C1zMessages.entitlement
  const parts = openParts(shape, row.data, context)
  MessageParts.takeTextIf(parts, 2, row.external_id)
  takeEmbedded(parts, 1, C1zMessages.resource, context, `${row.resource_type_id}\0${row.resource_id}`, () =>
    makeField(1, resourceIdMessage(row.resource_type_id, row.resource_id))
  )
  const description = MessageParts.takeText(parts, 4)
  const purpose = MessageParts.takeNumber(parts, 7)
  return {
    external_id: row.external_id,
    resource_type_id: row.resource_type_id,
    resource_id: row.resource_id,
    display_name: MessageParts.takeText(parts, 3) ?? "",
    ...(description === undefined ? {} : { description }),
    grantable_to: takeGrantableTo(parts, context),
    purpose: C1zMessages.enumName(C1zMessages.purposeNames, purpose ?? 0),
    slug: MessageParts.takeText(parts, 8) ?? "",
    annotations: withRemainder(Annotations.take(parts, 6), shape, parts),
    discovered_at: row.discovered_at
  }
}

/** Takes the ids of resource types; of each, what their records do not say is left, behind its id. */
const takeGrantableTo = (parts: MessageParts.MessageParts, context: TranslationContext): ReadonlyArray<string> =>
  MessageParts.takeEach(parts, 5, (field) => {
    if (!isLengthDelimited(field)) return undefined
    const message = valueBytes(field)
    const idField = parseFields(message).findLast(({ number }) => number === 1)
    if (idField === undefined || !isLengthDelimited(idField)) return undefined
    const id = textOf(idField)
    const known = makeTextField(1, id)
    const rest = embeddedRest(parts, 5, C1zMessages.resourceType, message, context, id, () => known)
    if (rest.length > 0) MessageParts.leave(parts, 5, concatFields([known, rest]))
    return id
  })
