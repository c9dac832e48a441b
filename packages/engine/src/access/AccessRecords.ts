/**
 * The record types of identity data: who exists, what can be held, and who holds it.
 *
 * Field names are those that are stored. Times are microseconds since 1970 UTC, safe integers.
 */
import { Schema } from "effect"
import * as RecordType from "../RecordType.ts"

/** Something a source says about a record that has no field of its own: a type name and bytes of that type. */
export interface Annotation {
  readonly type: string
  readonly value: Uint8Array
}

/** A kind of resource: users, groups, roles, … */
export interface ResourceType {
  readonly external_id: string
  readonly display_name: string
  readonly description?: string
  /** What resources of this type are: `user`, `group`, `role`, `app`, … */
  readonly traits: ReadonlyArray<string>
  readonly annotations: ReadonlyArray<Annotation>
  readonly discovered_at: number
}

/** One resource: a user, a group, a role, … */
export interface Resource {
  readonly resource_type_id: string
  readonly resource_id: string
  readonly display_name: string
  readonly description?: string
  /** What the source's owner calls it. */
  readonly external_id?: string
  readonly parent_resource_type_id?: string
  readonly parent_resource_id?: string
  /** Any JSON value. */
  readonly profile?: unknown
  readonly status?: string
  readonly annotations: ReadonlyArray<Annotation>
  readonly discovered_at: number
}

/** Something of a resource that can be granted. */
export interface Entitlement {
  readonly external_id: string
  readonly resource_type_id: string
  readonly resource_id: string
  readonly display_name: string
  readonly description?: string
  /** The ids of the resource types whose resources can hold it. */
  readonly grantable_to: ReadonlyArray<string>
  /** `unspecified`, `assignment`, `permission`, `ownership`, … */
  readonly purpose: string
  readonly slug: string
  readonly annotations: ReadonlyArray<Annotation>
  readonly discovered_at: number
}

/** How a grant came about through another entitlement. */
export interface GrantSource {
  readonly is_direct: boolean
}

/** The entitlements whose holders hold the granted one as well. */
export interface GrantExpansion {
  readonly entitlement_ids: ReadonlyArray<string>
  /** Only direct holders. */
  readonly shallow: boolean
  /** Only holders of these resource types. */
  readonly resource_type_ids: ReadonlyArray<string>
}

/** That a principal holds an entitlement. */
export interface Grant {
  readonly external_id: string
  readonly entitlement_id: string
  readonly entitlement_resource_type_id: string
  readonly entitlement_resource_id: string
  readonly principal_resource_type_id: string
  readonly principal_resource_id: string
  /** By entitlement id. */
  readonly sources: Readonly<Record<string, GrantSource>>
  readonly expansion?: GrantExpansion
  /** Whether the expansion is still to be carried out. */
  readonly needs_expansion: boolean
  readonly annotations: ReadonlyArray<Annotation>
  readonly discovered_at: number
}

/** A file: an icon, a logo. */
export interface Asset {
  readonly external_id: string
  readonly content_type: string
  readonly data: Uint8Array
  readonly discovered_at: number
}

const annotations = Schema.Array(Schema.Struct({ type: Schema.String, value: Schema.Uint8Array }))
const strings = Schema.Array(Schema.String)

export const ResourceType: RecordType.RecordType<
  "ResourceType",
  ResourceType,
  Pick<ResourceType, "external_id">,
  never
> = RecordType.make({
  name: "ResourceType",
  fields: Schema.Struct({
    external_id: Schema.String,
    display_name: Schema.String,
    description: Schema.optionalKey(Schema.String),
    traits: strings,
    annotations,
    discovered_at: Schema.Int
  }),
  primaryKey: ["external_id"]
})

export const Resource: RecordType.RecordType<
  "Resource",
  Resource,
  Pick<Resource, "resource_type_id" | "resource_id">,
  "by_parent"
> = RecordType.make({
  name: "Resource",
  fields: Schema.Struct({
    resource_type_id: Schema.String,
    resource_id: Schema.String,
    display_name: Schema.String,
    description: Schema.optionalKey(Schema.String),
    external_id: Schema.optionalKey(Schema.String),
    parent_resource_type_id: Schema.optionalKey(Schema.String),
    parent_resource_id: Schema.optionalKey(Schema.String),
    profile: Schema.optionalKey(Schema.Unknown),
    status: Schema.optionalKey(Schema.String),
    annotations,
    discovered_at: Schema.Int
  }),
  primaryKey: ["resource_type_id", "resource_id"],
  indexes: { by_parent: { paths: ["parent_resource_type_id", "parent_resource_id"] } }
})

export const Entitlement: RecordType.RecordType<
  "Entitlement",
  Entitlement,
  Pick<Entitlement, "external_id">,
  "by_resource"
> = RecordType.make({
  name: "Entitlement",
  fields: Schema.Struct({
    external_id: Schema.String,
    resource_type_id: Schema.String,
    resource_id: Schema.String,
    display_name: Schema.String,
    description: Schema.optionalKey(Schema.String),
    grantable_to: strings,
    purpose: Schema.String,
    slug: Schema.String,
    annotations,
    discovered_at: Schema.Int
  }),
  primaryKey: ["external_id"],
  indexes: { by_resource: { paths: ["resource_type_id", "resource_id"] } }
})

export const Grant: RecordType.RecordType<
  "Grant",
  Grant,
  Pick<Grant, "external_id">,
  "by_entitlement" | "by_entitlement_resource" | "by_principal" | "by_needs_expansion"
> = RecordType.make({
  name: "Grant",
  fields: Schema.Struct({
    external_id: Schema.String,
    entitlement_id: Schema.String,
    entitlement_resource_type_id: Schema.String,
    entitlement_resource_id: Schema.String,
    principal_resource_type_id: Schema.String,
    principal_resource_id: Schema.String,
    sources: Schema.Record(Schema.String, Schema.Struct({ is_direct: Schema.Boolean })),
    expansion: Schema.optionalKey(
      Schema.Struct({ entitlement_ids: strings, shallow: Schema.Boolean, resource_type_ids: strings })
    ),
    needs_expansion: Schema.Boolean,
    annotations,
    discovered_at: Schema.Int
  }),
  primaryKey: ["external_id"],
  indexes: {
    by_entitlement: { paths: ["entitlement_id", "principal_resource_type_id", "principal_resource_id"] },
    by_entitlement_resource: { paths: ["entitlement_resource_type_id", "entitlement_resource_id"] },
    by_principal: { paths: ["principal_resource_type_id", "principal_resource_id"] },
    by_needs_expansion: { paths: ["needs_expansion"], where: { path: "needs_expansion", equals: true } }
  }
})

export const Asset: RecordType.RecordType<"Asset", Asset, Pick<Asset, "external_id">, never> = RecordType.make({
  name: "Asset",
  fields: Schema.Struct({
    external_id: Schema.String,
    content_type: Schema.String,
    data: Schema.Uint8Array,
    discovered_at: Schema.Int
  }),
  primaryKey: ["external_id"]
})

/** The types that a store of identity data is opened with. */
export const types: ReadonlyArray<RecordType.Any> = [ResourceType, Resource, Entitlement, Grant, Asset]
