/**
 * The record types of the model test: every kind of key part, optional parts, parts within structs, indexes with a condition, a
 * type without index or recency, and the shipped type that has the most of them.
 */
import { Schema } from "effect"
import { Grant } from "../../access/index.ts"
import * as RecordType from "../../RecordType.ts"

/** One index as the model sees it: written down anew, so that a mistake in how types are compiled shows. */
export interface ModelIndex {
  readonly paths: ReadonlyArray<string>
  readonly where?: { readonly path: string; readonly equals: unknown }
}

/** A type with what the model must know of it. */
export interface ModelType {
  readonly type: RecordType.Any
  readonly primaryKey: ReadonlyArray<string>
  readonly indexes: Readonly<Record<string, ModelIndex>>
  readonly hasRecency: boolean
}

/** Without recency of its own, and with all kinds of parts. */
const Thing: RecordType.Any = RecordType.make({
  name: "Thing",
  fields: Schema.Struct({
    space: Schema.String,
    number: Schema.Int,
    owner: Schema.optionalKey(Schema.String),
    state: Schema.Literals(["open", "done", "void"]),
    is_hidden: Schema.Boolean,
    place: Schema.optionalKey(Schema.Struct({ room: Schema.optionalKey(Schema.Uint8Array), floor: Schema.BigInt })),
    due: Schema.optionalKey(Schema.Date),
    payload: Schema.String,
    discovered_at: Schema.Int
  }),
  primaryKey: ["space", "number"],
  indexes: {
    by_owner: { paths: ["owner"] },
    by_state: { paths: ["state", "due"], where: { path: "is_hidden", equals: false } },
    by_place: { paths: ["place.room", "place.floor"] },
    by_hidden: { paths: ["is_hidden", "discovered_at"], where: { path: "state", equals: "done" } }
  }
})

/** No index, no recency. */
const Note: RecordType.Any = RecordType.make({
  name: "Note",
  fields: Schema.Struct({ id: Schema.Uint8Array, on: Schema.Date, text: Schema.String }),
  primaryKey: ["id", "on"]
})

export const modelTypes: ReadonlyArray<ModelType> = [
  {
    type: Thing,
    primaryKey: ["space", "number"],
    indexes: {
      by_owner: { paths: ["owner"] },
      by_state: { paths: ["state", "due"], where: { path: "is_hidden", equals: false } },
      by_place: { paths: ["place.room", "place.floor"] },
      by_hidden: { paths: ["is_hidden", "discovered_at"], where: { path: "state", equals: "done" } }
    },
    hasRecency: true
  },
  { type: Note, primaryKey: ["id", "on"], indexes: {}, hasRecency: false },
  {
    type: Grant,
    primaryKey: ["external_id"],
    indexes: {
      by_entitlement: { paths: ["entitlement_id", "principal_resource_type_id", "principal_resource_id"] },
      by_entitlement_resource: { paths: ["entitlement_resource_type_id", "entitlement_resource_id"] },
      by_principal: { paths: ["principal_resource_type_id", "principal_resource_id"] },
      by_needs_expansion: { paths: ["needs_expansion"], where: { path: "needs_expansion", equals: true } }
    },
    hasRecency: true
  }
]
