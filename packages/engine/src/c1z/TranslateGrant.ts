/**
 * Grants of an older archive as records. Pure; every function throws `ProtobufInvalid`.
 *
 * A grant's message repeats its entitlement, that one's resource and resource types, often whole. What the records of those say
 * as well is not repeated: a grant's record keeps only what is different.
 */
import type { Annotation, Grant, GrantExpansion, GrantSource } from "../access/AccessRecords.ts"
import * as Annotations from "./Annotations.ts"
import * as C1zMessages from "./C1zMessages.ts"
import { resourceIdMessage, type TranslationContext, takeEmbedded } from "./EmbeddedParts.ts"
import * as MessageParts from "./MessageParts.ts"
import {
  booleanOf,
  concatFields,
  fieldBytes,
  isLengthDelimited,
  makeField,
  makeTextField,
  type ProtobufField,
  parseFields,
  placed,
  textOf,
  valueBytes
} from "./ProtobufFields.ts"
import { isSame } from "./Remainder.ts"
import { withRemainder } from "./TranslateAccess.ts"

export interface GrantRow {
  /** Of the entitlement's resource. */
  readonly resource_type_id: string
  readonly resource_id: string
  readonly entitlement_id: string
  readonly principal_resource_type_id: string
  readonly principal_resource_id: string
  readonly external_id: string
  /** Of the generations that have the column: null or empty for a grant that does not expand. */
  readonly expansion?: Uint8Array
  readonly needs_expansion?: boolean
  readonly data: Uint8Array
  readonly discovered_at: number
}

/** `isFinished`: whether the run has ended. Where the row does not say it, an expansion is due while the run has not. */
export const translateGrant = (row: GrantRow, isFinished: boolean, context: TranslationContext): Grant => {
  const shape = C1zMessages.grant
  const parts = MessageParts.open(shape, row.data, shape.name, context.keep)
  takeEmbedded(parts, 1, C1zMessages.entitlement, context, entitlementName(row), () =>
    concatFields([
      makeField(1, makeField(1, resourceIdMessage(row.resource_type_id, row.resource_id))),
      makeTextField(2, row.entitlement_id)
    ])
  )
  const { principal_resource_type_id: principalType, principal_resource_id: principalId } = row
  takeEmbedded(parts, 2, C1zMessages.resource, context, `${principalType}\0${principalId}`, () =>
    makeField(1, resourceIdMessage(principalType, principalId))
  )
  MessageParts.takeTextIf(parts, 3, row.external_id)
  const annotations = Annotations.take(parts, 4)
  const expansion = takeExpansion(row, annotations)
  const isDue = expansion?.entitlement_ids.some((id) => id.trim() !== "") === true && !isFinished
  return {
    external_id: row.external_id,
    entitlement_id: row.entitlement_id,
    entitlement_resource_type_id: row.resource_type_id,
    entitlement_resource_id: row.resource_id,
    principal_resource_type_id: principalType,
    principal_resource_id: principalId,
    sources: takeSources(parts),
    ...(expansion === undefined ? {} : { expansion }),
    needs_expansion: hasColumn(row) ? row.needs_expansion === true : isDue,
    annotations: withRemainder(annotations, shape, parts),
    discovered_at: row.discovered_at
  }
}

const entitlementName = (row: GrantRow): string => `${row.entitlement_id}\0${row.resource_type_id}\0${row.resource_id}`

/** Whether the expansion is in the column, and not still in the message, where the migration to the column left it. */
const hasColumn = (row: GrantRow): boolean => row.expansion !== undefined || row.needs_expansion === true

/**
 * The expansion of the column, or of the first annotation that is one. An annotation that says no more is taken out; one that
 * does stays, and a column that does becomes one.
 */
const takeExpansion = (row: GrantRow, annotations: Array<Annotation>): GrantExpansion | undefined => {
  const at = annotations.findIndex(({ type }) => type === Annotations.expandableType)
  const annotated = annotations[at]
  const column = row.expansion === undefined || row.expansion.length === 0 ? undefined : row.expansion
  const message = column ?? annotated?.value
  if (message === undefined) return undefined
  const { expansion, isWhole } = expansionOf(message, column === undefined ? annotationsPath : "expansion")
  const isAnnotated = annotated !== undefined && isSame(annotated.value, message)
  if (isWhole && isAnnotated) annotations.splice(at, 1)
  else if (!isWhole && !isAnnotated) annotations.push({ type: Annotations.expandableType, value: message })
  return expansion
}

/** What a `GrantExpandable` says, and whether that is all of it. */
const expansionOf = (
  message: Uint8Array,
  place: string
): { readonly expansion: GrantExpansion; readonly isWhole: boolean } => {
  try {
    return parseExpansion(message)
  } catch (cause) {
    throw placed(cause, place)
  }
}

const annotationsPath = `${C1zMessages.grant.name}.${C1zMessages.fieldName(C1zMessages.grant, 4)}`

const parseExpansion = (message: Uint8Array): { readonly expansion: GrantExpansion; readonly isWhole: boolean } => {
  const entitlementIds: Array<string> = []
  const resourceTypeIds: Array<string> = []
  let shallow: boolean | undefined
  let isWhole = true
  for (const field of parseFields(message)) {
    const truth = field.number === 2 && shallow === undefined ? booleanOf(field) : undefined
    if (field.number === 1 && isLengthDelimited(field)) entitlementIds.push(textOf(field))
    else if (field.number === 3 && isLengthDelimited(field)) resourceTypeIds.push(textOf(field))
    else if (truth !== undefined) shallow = truth
    else isWhole = false
  }
  const expansion = { entitlement_ids: entitlementIds, shallow: shallow ?? false, resource_type_ids: resourceTypeIds }
  return { expansion, isWhole }
}

/** Takes the sources; entries that say more than a record does are left. */
const takeSources = (parts: MessageParts.MessageParts): Readonly<Record<string, GrantSource>> => {
  const field = MessageParts.takeBytes(parts, 5)
  const sources: Record<string, GrantSource> = {}
  if (field === undefined) return sources
  const left: Array<Uint8Array> = []
  for (const entry of MessageParts.within(parts, 5, () => parseFields(valueBytes(field)))) {
    const source = MessageParts.within(parts, 5, () => sourceOf(entry))
    if (source === undefined || Object.hasOwn(sources, source.id)) left.push(fieldBytes(entry))
    else sources[source.id] = { is_direct: source.isDirect }
  }
  if (left.length > 0) {
    parts.keep(MessageParts.pathOf(parts, 5))
    MessageParts.leave(parts, 5, concatFields(left))
  }
  return sources
}

/** The entry of a map. Undefined when it says more than a record does. */
const sourceOf = (entry: ProtobufField): { readonly id: string; readonly isDirect: boolean } | undefined => {
  if (entry.number !== 1 || !isLengthDelimited(entry)) return undefined
  let id: string | undefined
  let isDirect: boolean | undefined
  for (const field of parseFields(valueBytes(entry))) {
    if (!isLengthDelimited(field)) return undefined
    if (field.number === 1 && id === undefined) id = textOf(field)
    else if (field.number === 2 && isDirect === undefined) isDirect = directnessOf(parseFields(valueBytes(field)))
    else return undefined
    if (field.number === 2 && isDirect === undefined) return undefined
  }
  if (id === "__proto__") return undefined
  return { id: id ?? "", isDirect: isDirect ?? false }
}

const directnessOf = (fields: ReadonlyArray<ProtobufField>): boolean | undefined => {
  const field = fields[0]
  if (field === undefined) return false
  return fields.length === 1 && field.number === 1 ? booleanOf(field) : undefined
}
