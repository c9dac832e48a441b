/**
 * Accounts for every value of the messages of an archive in the records that they became. It shares no code with the translation:
 * it splits each message into values, collects from the records the values that they say, and names those that none says.
 *
 * A value is a path of field numbers and what is there. `5[user].2` is field 2 of the resource type `user` in the list that is field
 * 5; annotations are values as a whole.
 */
import type { Annotation, Entitlement, Grant, Resource, ResourceType } from "../../src/access/index.ts"
import { type ReadField, read } from "./Protobuf.ts"

type Kind = "ResourceType" | "Resource" | "ResourceId" | "Entitlement" | "Grant" | "Status" | "ExternalId"

/** What is in the fields that are looked into. */
const inside: {
  readonly [kind in Kind]: { readonly [number: number]: Kind | "annotation" | "traits" | "sources" | "profile" }
} = {
  ResourceType: { 3: "traits", 4: "annotation" },
  Resource: { 1: "ResourceId", 2: "ResourceId", 4: "annotation", 7: "ExternalId", 9: "profile", 11: "Status" },
  ResourceId: {},
  Entitlement: { 1: "Resource", 5: "ResourceType", 6: "annotation" },
  Grant: { 1: "Entitlement", 2: "Resource", 4: "annotation", 5: "sources" },
  Status: {},
  ExternalId: {}
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8")
const textValue = (path: string, value: string): string => `${path} = ${hex(Buffer.from(value))}`
const numberValue = (path: string, value: number): string => `${path} = ${hex(Uint8Array.of(value))}`

/** Every value of a message. */
export const valuesOf = (kind: Kind, bytes: Uint8Array, prefix = ""): Array<string> =>
  read(bytes).flatMap((field) => {
    const path = `${prefix}${field.number}`
    const within = field.wireType === 2 || field.number === 3 ? inside[kind][field.number] : undefined
    switch (within) {
      case undefined:
        return [`${path} = ${hex(field.value)}`]
      case "annotation":
        return [annotationValue(path, field)]
      case "traits":
        return kind === "ResourceType" ? [...field.value].map((trait) => numberValue(path, trait)) : []
      case "sources":
        return read(field.value).map(({ value }) => sourceValue(path, read(value)))
      case "profile":
        return [`${path} = ${JSON.stringify(structOf(field.value))}`]
      case "ResourceType":
        return valuesOf(within, field.value, `${path}[${idOf(field.value)}].`)
      default:
        return valuesOf(within, field.value, `${path}.`)
    }
  })

const idOf = (message: Uint8Array): string =>
  text(read(message).find(({ number }) => number === 1)?.value ?? new Uint8Array(0))

const annotationValue = (path: string, field: ReadField): string => {
  const parts = read(field.value)
  const part = (number: number) => parts.find((candidate) => candidate.number === number)?.value ?? new Uint8Array(0)
  return `${path} = ${text(part(1))} ${hex(part(2))}`
}

const sourceValue = (path: string, entry: ReadonlyArray<ReadField>): string => {
  const key = entry.find(({ number }) => number === 1)
  const value = entry.find(({ number }) => number === 2)
  const isDirect = value === undefined ? undefined : read(value.value).find(({ number }) => number === 1)?.value[0]
  return `${path} = ${key === undefined ? "" : text(key.value)} ${isDirect === 1}`
}

/** A profile as JSON, its keys in order. */
const structOf = (bytes: Uint8Array): unknown =>
  Object.fromEntries(
    read(bytes)
      .map(({ value }) => {
        const [key, inner] = read(value)
        return [text(key!.value), jsonOf(read(inner!.value)[0]!)] as const
      })
      .sort(([left], [right]) => (left < right ? -1 : 1))
  )

const jsonOf = ({ number, value }: ReadField): unknown => {
  if (number === 1) return null
  if (number === 2) return new DataView(value.buffer, value.byteOffset).getFloat64(0, true)
  if (number === 3) return text(value)
  if (number === 4) return value[0] === 1
  return number === 5 ? structOf(value) : read(value).map((item) => jsonOf(read(item.value)[0]!))
}

/** The records of one sync, by their keys. */
export interface Records {
  readonly resourceTypes: ReadonlyMap<string, ResourceType>
  readonly resources: ReadonlyMap<string, Resource>
  readonly entitlements: ReadonlyMap<string, Entitlement>
}

const traits =
  "unspecified user group role app secret security_insight scope_binding vendor vendor_agreement license_profile agent managed_device".split(
    " "
  )
const purposes = ["unspecified", "assignment", "permission", "ownership"]
const states = ["unspecified", "enabled", "disabled", "deleted"]

/** The value of a name; one that no name is known for is its number. */
const enumValue = (path: string, names: ReadonlyArray<string>, name: string): string =>
  numberValue(path, names.includes(name) ? names.indexOf(name) : Number(name))

const annotationValues = (
  kind: Kind,
  number: number,
  prefix: string,
  annotations: ReadonlyArray<Annotation>
): Array<string> =>
  annotations.flatMap(({ type, value }) => {
    if (type === `c1z/${kind}`) return valuesOf(kind, value, prefix)
    const url = type.includes("/") ? type : `type.googleapis.com/${type}`
    return [`${prefix}${number} = ${url} ${hex(value)}`]
  })

/** What the record of a resource type says, at the path of its message. */
const resourceTypeValues = (record: ResourceType | undefined, prefix: string): Array<string> =>
  record === undefined
    ? []
    : [
        textValue(`${prefix}1`, record.external_id),
        textValue(`${prefix}2`, record.display_name),
        ...record.traits.map((trait) => enumValue(`${prefix}3`, traits, trait)),
        textValue(`${prefix}5`, record.description ?? ""),
        ...annotationValues("ResourceType", 4, prefix, record.annotations)
      ]

const resourceIdValues = (type: string, id: string, prefix: string): Array<string> => [
  textValue(`${prefix}1`, type),
  textValue(`${prefix}2`, id)
]

const resourceValues = (record: Resource | undefined, prefix: string): Array<string> =>
  record === undefined
    ? []
    : [
        ...resourceIdValues(record.resource_type_id, record.resource_id, `${prefix}1.`),
        ...resourceIdValues(record.parent_resource_type_id ?? "", record.parent_resource_id ?? "", `${prefix}2.`),
        textValue(`${prefix}3`, record.display_name),
        textValue(`${prefix}5`, record.description ?? ""),
        textValue(`${prefix}7.1`, record.external_id ?? ""),
        `${prefix}9 = ${JSON.stringify(sortedKeys(record.profile))}`,
        enumValue(`${prefix}11.1`, states, record.status ?? ""),
        ...annotationValues("Resource", 4, prefix, record.annotations)
      ]

const sortedKeys = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) => [key, sortedKeys(inner)] as const)
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)))
}

const entitlementValues = (records: Records, record: Entitlement | undefined, prefix: string): Array<string> =>
  record === undefined
    ? []
    : [
        ...resourceIdValues(record.resource_type_id, record.resource_id, `${prefix}1.1.`),
        ...resourceValues(records.resources.get(`${record.resource_type_id}:${record.resource_id}`), `${prefix}1.`),
        textValue(`${prefix}2`, record.external_id),
        textValue(`${prefix}3`, record.display_name),
        textValue(`${prefix}4`, record.description ?? ""),
        ...record.grantable_to.flatMap((id) => [
          textValue(`${prefix}5[${id}].1`, id),
          ...resourceTypeValues(records.resourceTypes.get(id), `${prefix}5[${id}].`)
        ]),
        enumValue(`${prefix}7`, purposes, record.purpose),
        textValue(`${prefix}8`, record.slug),
        ...annotationValues("Entitlement", 6, prefix, record.annotations)
      ]

const grantValues = (records: Records, record: Grant): Array<string> => [
  ...resourceIdValues(record.entitlement_resource_type_id, record.entitlement_resource_id, "1.1.1."),
  textValue("1.2", record.entitlement_id),
  ...entitlementValues(records, records.entitlements.get(record.entitlement_id), "1."),
  ...resourceValues(
    records.resources.get(`${record.entitlement_resource_type_id}:${record.entitlement_resource_id}`),
    "1.1."
  ),
  ...resourceIdValues(record.principal_resource_type_id, record.principal_resource_id, "2.1."),
  ...resourceValues(
    records.resources.get(`${record.principal_resource_type_id}:${record.principal_resource_id}`),
    "2."
  ),
  textValue("3", record.external_id),
  ...expansionValues(record),
  ...Object.entries(record.sources).map(([id, { is_direct }]) => `5 = ${id} ${is_direct}`),
  ...annotationValues("Grant", 4, "", record.annotations)
]

/** The annotation that an expansion came from, written as protobuf writes it. */
const expansionValues = ({ expansion }: Grant): Array<string> => {
  if (expansion === undefined) return []
  const texts = (number: number, values: ReadonlyArray<string>) =>
    values.flatMap((value) => [number * 8 + 2, Buffer.byteLength(value), ...Buffer.from(value)])
  const value = Uint8Array.from([
    ...texts(1, expansion.entitlement_ids),
    ...(expansion.shallow ? [16, 1] : []),
    ...texts(3, expansion.resource_type_ids)
  ])
  return [`4 = type.googleapis.com/c1.connector.v2.GrantExpandable ${hex(value)}`]
}

const missing = (values: ReadonlyArray<string>, said: ReadonlyArray<string>): Array<string> => {
  const set = new Set(said)
  return values.filter((value) => !set.has(value))
}

/** The values of a message that no record says. */
export const unaccounted = {
  resourceType: (message: Uint8Array, record: ResourceType): Array<string> =>
    missing(valuesOf("ResourceType", message), resourceTypeValues(record, "")),
  resource: (message: Uint8Array, record: Resource): Array<string> =>
    missing(valuesOf("Resource", message), resourceValues(record, "")),
  entitlement: (records: Records, message: Uint8Array, record: Entitlement): Array<string> =>
    missing(valuesOf("Entitlement", message), entitlementValues(records, record, "")),
  grant: (records: Records, message: Uint8Array, record: Grant): Array<string> =>
    missing(valuesOf("Grant", message), grantValues(records, record))
}
