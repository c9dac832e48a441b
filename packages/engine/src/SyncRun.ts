/**
 * One run that filled a record store: what is stored about it, and how its row is encoded.
 *
 * A run is `started` from its first row on and finished when `ended_at` is there, which one durable write sets last of all.
 * Times are microseconds since 1970 UTC, as in every record of the shipped types.
 */
import type { Ksuid } from "@icecore/codec"
import { Schema } from "effect"
import * as RecordType from "./RecordType.ts"

/** Identifies a sync: a KSUID, so that ids order by the second in which their syncs started. */
export type SyncId = Ksuid.Ksuid

/** The stored row of a sync. */
export interface SyncRun {
  readonly sync_id: SyncId
  /** What kind of run it is, as the source says: `full`, `partial`, … Never empty. */
  readonly type: string
  /** The run that this one continues or is based on. */
  readonly parent_sync_id?: SyncId
  readonly started_at: number
  /** When it was finished. Absent: it was not. */
  readonly ended_at?: number
  /** What the source kept at its last checkpoint. Opaque; empty at first. */
  readonly token: string
  /** Records by type name, as counted when the sync ended; empty before. */
  readonly counts: Readonly<Record<string, number>>
  /** The runs that it was merged or computed from, oldest first; they need not be in its store. Absent: it came from its source. */
  readonly source_sync_ids?: ReadonlyArray<SyncId>
}

/** What names a sync run. */
export interface SyncRunKey {
  readonly sync_id: SyncId
}

/** The record type of sync runs. The store keeps them itself: it is not among the types that a store is opened with. */
export const SyncRun: RecordType.RecordType<"SyncRun", SyncRun, SyncRunKey, "by_type"> = RecordType.make({
  name: "SyncRun",
  fields: Schema.Struct({
    sync_id: Schema.String,
    type: Schema.String,
    parent_sync_id: Schema.optionalKey(Schema.String),
    started_at: Schema.Int,
    ended_at: Schema.optionalKey(Schema.Int),
    token: Schema.String,
    counts: Schema.Record(Schema.String, Schema.Int),
    source_sync_ids: Schema.optionalKey(Schema.Array(Schema.String))
  }),
  primaryKey: ["sync_id"],
  indexes: { by_type: { paths: ["type"] } }
}) as unknown as RecordType.RecordType<"SyncRun", SyncRun, SyncRunKey, "by_type">

/** Whether the sync was ended. */
export const isFinished = (run: SyncRun): boolean => run.ended_at !== undefined
