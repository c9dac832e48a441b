/** Which table becomes which record type, and how a row of it becomes a record. */
import * as Access from "../access/AccessRecords.ts"
import type * as RecordType from "../RecordType.ts"
import type { NameCounts } from "./C1zReport.ts"
import type { C1zRow } from "./C1zRows.ts"
import { timeOf } from "./C1zRuns.ts"
import * as C1zSchema from "./C1zSchema.ts"
import type { TranslationContext } from "./EmbeddedParts.ts"
import * as TranslateAccess from "./TranslateAccess.ts"
import { translateGrant } from "./TranslateGrant.ts"

/** What translating the rows of one sync needs. */
export interface SyncContext extends TranslationContext {
  readonly isFinished: boolean
  readonly dropped: NameCounts
}

/** One table and its record type. */
export interface C1zTable {
  readonly shape: C1zSchema.TableShape
  readonly type: RecordType.Any
  /** The record of a row. It looks into the row. Throws `C1zRowInvalid` and `ProtobufInvalid`. */
  readonly translate: (row: C1zRow, context: SyncContext) => unknown
}

const discoveredAt = (row: C1zRow, { dropped }: SyncContext): number =>
  timeOf(row, "discovered_at", row.text("discovered_at"), dropped)

/** In the order in which they are translated. */
export const tables: ReadonlyArray<C1zTable> = [
  {
    shape: C1zSchema.resourceTypes,
    type: Access.ResourceType,
    translate: (row, context) =>
      TranslateAccess.translateResourceType(
        { external_id: row.text("external_id"), data: row.blob("data"), discovered_at: discoveredAt(row, context) },
        context
      )
  },
  {
    shape: C1zSchema.resources,
    type: Access.Resource,
    translate: (row, context) =>
      TranslateAccess.translateResource(
        {
          resource_type_id: row.text("resource_type_id"),
          external_id: row.text("external_id"),
          parent_resource_type_id: row.text("parent_resource_type_id"),
          parent_resource_id: row.text("parent_resource_id"),
          data: row.blob("data"),
          discovered_at: discoveredAt(row, context)
        },
        context
      )
  },
  {
    shape: C1zSchema.entitlements,
    type: Access.Entitlement,
    translate: (row, context) =>
      TranslateAccess.translateEntitlement(
        {
          resource_type_id: row.text("resource_type_id"),
          resource_id: row.text("resource_id"),
          external_id: row.text("external_id"),
          data: row.blob("data"),
          discovered_at: discoveredAt(row, context)
        },
        context
      )
  },
  {
    shape: C1zSchema.grants,
    type: Access.Grant,
    translate: (row, context) => {
      const expansion = row.optionalBlob("expansion")
      return translateGrant(
        {
          resource_type_id: row.text("resource_type_id"),
          resource_id: row.text("resource_id"),
          entitlement_id: row.text("entitlement_id"),
          principal_resource_type_id: row.text("principal_resource_type_id"),
          principal_resource_id: row.text("principal_resource_id"),
          external_id: row.text("external_id"),
          ...(expansion === undefined ? {} : { expansion }),
          needs_expansion: row.flag("needs_expansion"),
          data: row.blob("data"),
          discovered_at: discoveredAt(row, context)
        },
        context.isFinished,
        context
      )
    }
  },
  {
    shape: C1zSchema.assets,
    type: Access.Asset,
    translate: (row, context) => ({
      external_id: row.text("external_id"),
      content_type: row.text("content_type"),
      data: row.blob("data"),
      discovered_at: discoveredAt(row, context)
    })
  }
]
