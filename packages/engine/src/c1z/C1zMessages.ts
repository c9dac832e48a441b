/**
 * The messages in the `data` columns of the older archives: the names of their fields, and which fields hold messages that
 * are looked into. Annotations (`google.protobuf.Any`), profiles and times are taken as they are.
 */

/** What is known of one field. */
export interface FieldShape {
  readonly name: string
  /** The message in it, where it is looked into. */
  readonly message?: MessageShape
}

/** What is known of a message. A field number that is not here is unknown. */
export interface MessageShape {
  readonly name: "ResourceType" | "Resource" | "ResourceId" | "Entitlement" | "Grant" | "ExternalId" | "Status"
  readonly fields: { readonly [number: number]: FieldShape }
}

export const resourceType: MessageShape = {
  name: "ResourceType",
  fields: {
    1: { name: "id" },
    2: { name: "display_name" },
    3: { name: "traits" },
    4: { name: "annotations" },
    5: { name: "description" },
    6: { name: "sourced_externally" }
  }
}

export const resourceId: MessageShape = {
  name: "ResourceId",
  fields: { 1: { name: "resource_type" }, 2: { name: "resource" }, 3: { name: "baton_resource" } }
}

export const externalId: MessageShape = {
  name: "ExternalId",
  fields: { 1: { name: "id" }, 2: { name: "link" }, 3: { name: "description" } }
}

export const status: MessageShape = {
  name: "Status",
  fields: { 1: { name: "status" }, 2: { name: "details" } }
}

export const resource: MessageShape = {
  name: "Resource",
  fields: {
    1: { name: "id", message: resourceId },
    2: { name: "parent_resource_id", message: resourceId },
    3: { name: "display_name" },
    4: { name: "annotations" },
    5: { name: "description" },
    6: { name: "baton_resource" },
    7: { name: "external_id" },
    8: { name: "creation_source" },
    9: { name: "profile" },
    10: { name: "icon" },
    11: { name: "status" },
    12: { name: "created_at" }
  }
}

export const entitlement: MessageShape = {
  name: "Entitlement",
  fields: {
    1: { name: "resource", message: resource },
    2: { name: "id" },
    3: { name: "display_name" },
    4: { name: "description" },
    5: { name: "grantable_to", message: resourceType },
    6: { name: "annotations" },
    7: { name: "purpose" },
    8: { name: "slug" }
  }
}

export const grant: MessageShape = {
  name: "Grant",
  fields: {
    1: { name: "entitlement", message: entitlement },
    2: { name: "principal", message: resource },
    3: { name: "id" },
    4: { name: "annotations" },
    5: { name: "sources" }
  }
}

/** The name of a field, or its number behind `#` where it is unknown. */
export const fieldName = (shape: MessageShape, number: number): string => shape.fields[number]?.name ?? `#${number}`

/** Names of the traits of resource types, by their number. */
export const traitNames: ReadonlyArray<string> = [
  "unspecified",
  "user",
  "group",
  "role",
  "app",
  "secret",
  "security_insight",
  "scope_binding",
  "vendor",
  "vendor_agreement",
  "license_profile",
  "agent",
  "managed_device"
]

/** Names of the purposes of entitlements, by their number. */
export const purposeNames: ReadonlyArray<string> = ["unspecified", "assignment", "permission", "ownership"]

/** Names of the states of resources, by their number. */
export const statusNames: ReadonlyArray<string> = ["unspecified", "enabled", "disabled", "deleted"]

/** The name of an enumerated value; the number itself in decimal where it has none. */
export const enumName = (names: ReadonlyArray<string>, value: number): string => names[value] ?? String(value)
