/**
 * Typed records with indexes, kept as sync runs in a database of any {@link Engine}.
 *
 * A sync is one run that fills the store: started, filled, ended. What is durable when:
 *
 * - `startSync`, `resumeSync`, `checkpointSync`, `endSync`: on return, with everything put before; `cleanup`: on return;
 * - `put`, `putIfNewer`, `delete`, `deleteMany` in a sync that this open store started: with the next of those, or `flush`; a
 *   crash before loses some of them and leaves the sync started;
 * - the same in a resumed sync: on return, each call whole or not at all.
 *
 * A sync is finished by one durable write, the last of `endSync`: before it the sync is started, after it every record and
 * every index entry is there.
 */
import { Context, type Effect, Layer, type Option, type Scope } from "effect"
import type { CleanupPlan, CleanupPolicy } from "./CleanupPolicy.ts"
import type { Database, Engine, EngineOpenError, OpenMode } from "./Engine.ts"
import { open as openStore } from "./internal/records/opening/OpenStore.ts"
import type {
  NoCurrentSync,
  NotRecordStore,
  RecordCountLimit,
  RecordKeySize,
  RecordMisuse,
  RecordRefused,
  RecordTypeChanged,
  SyncEnded,
  SyncExists
} from "./RecordError.ts"
import type { RecordReadError, RecordReader } from "./RecordReader.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId, SyncRun } from "./SyncRun.ts"

export {
  defaultArenaBytes,
  maxArenaBytes,
  maxAtomicBytes,
  maxAtomicRecordCount,
  minArenaBytes
} from "./internal/records/opening/StoreLimits.ts"

/** What opening can fail with. */
export type RecordOpenError = EngineOpenError | RecordReadError | NotRecordStore | RecordTypeChanged | RecordMisuse

/** What changing the current sync can fail with. */
export type RecordWriteError = RecordReadError | NoCurrentSync | RecordMisuse

/** What putting can fail with: after a refusal nothing of the call was stored. */
export type RecordPutError = RecordWriteError | RecordRefused | RecordKeySize | RecordCountLimit

export interface RecordStoreOptions {
  /** The directory of the database. */
  readonly path: string
  /** The types to put and read. The store keeps those that it had besides, and cannot put them. */
  readonly types: ReadonlyArray<RecordType.Any>
  /** Default `create`. */
  readonly mode?: OpenMode
  /** Memory for rows that are not yet written, in a fresh sync. Default 16 MiB, 1 MiB to 512 MiB. */
  readonly arenaBytes?: number
}

export interface StartSyncOptions {
  /** What kind of run it is. Not empty, at most 256 characters. */
  readonly type: string
  /** The run that it continues. Need not be in this store. */
  readonly parent?: SyncId
  /** Default: a new id. A given one keeps a run as it was elsewhere. */
  readonly syncId?: SyncId
  /** Microseconds since 1970 UTC. Default: now. */
  readonly startedAt?: number
}

export interface EndSyncOptions {
  /** Microseconds since 1970 UTC. Default: now. */
  readonly endedAt?: number
}

export interface CleanupOptions {
  /** Only says what it would remove. Default false. */
  readonly dryRun?: boolean
}

/**
 * An open record store. Any number of fibers may use it: changes happen one after the other, reads see one moment. A read of
 * the current sync first writes out what was put before it.
 */
export interface RecordStore extends RecordReader {
  /** The database underneath, for copies and archives. Writing to its keyspaces breaks the store. */
  readonly database: Database
  /** The engine's name. */
  readonly engineName: string
  /** Starts a sync and makes it current. The one that was current stays started, with everything that was put into it. */
  readonly startSync: (options: StartSyncOptions) => Effect.Effect<SyncRun, RecordWriteError | SyncExists>
  /** Makes a sync current that has not ended, after writing its indexes anew where a crash left them behind. */
  readonly resumeSync: (sync: SyncId) => Effect.Effect<SyncRun, RecordWriteError | SyncEnded>
  /** Keeps the source's token and everything that was put before, durably. */
  readonly checkpointSync: (token: string) => Effect.Effect<SyncRun, RecordWriteError>
  /** Finishes the current sync, durably. No sync is current afterwards. */
  readonly endSync: (options?: EndSyncOptions) => Effect.Effect<SyncRun, RecordWriteError>
  /** The run of the current sync, as it is stored. */
  readonly currentSync: Effect.Effect<Option.Option<SyncRun>>
  /** Stores records in the current sync. Of records with the same key the last wins, within a call and across calls. */
  readonly put: <T extends RecordType.Any>(
    type: T,
    records: ReadonlyArray<RecordType.Record<T>>
  ) => Effect.Effect<void, RecordPutError>
  /**
   * Stores those records that are strictly newer than what is there, and says how many. Of records with the same key in one
   * call the newest wins, the first of those as new as it. A type without a recency field is refused.
   */
  readonly putIfNewer: <T extends RecordType.Any>(
    type: T,
    records: ReadonlyArray<RecordType.Record<T>>
  ) => Effect.Effect<number, RecordPutError>
  /**
   * Stores what `resolve` makes of each record and the one of its key that is there, the call's own before it included, and says how
   * many keys were stored. None leaves what is there. A result with another key than its record is
   * refused with {@link RecordMisuse}, and nothing is stored; a throw is a defect.
   */
  readonly putResolved: <T extends RecordType.Any>(
    type: T,
    records: ReadonlyArray<RecordType.Record<T>>,
    resolve: (
      existing: Option.Option<RecordType.Record<T>>,
      record: RecordType.Record<T>
    ) => Option.Option<RecordType.Record<T>>
  ) => Effect.Effect<number, RecordPutError>
  /** Removes a record and its index entries; whether there was one. */
  readonly delete: <T extends RecordType.Any>(type: T, key: RecordType.Key<T>) => Effect.Effect<boolean, RecordPutError>
  /** Removes records and their index entries; how many there were. */
  readonly deleteMany: <T extends RecordType.Any>(
    type: T,
    keys: ReadonlyArray<RecordType.Key<T>>
  ) => Effect.Effect<number, RecordPutError>
  /** Removes whole syncs, each in one atomic durable write, and says which. The current one is never among them. */
  readonly cleanup: (policy: CleanupPolicy, options?: CleanupOptions) => Effect.Effect<CleanupPlan, RecordWriteError>
  /** Writes out what was put and makes it durable, without a token. */
  readonly flush: Effect.Effect<void, RecordWriteError>
}

export const RecordStore: Context.Service<RecordStore, RecordStore> = Context.Service("@icecore/engine/RecordStore")

/**
 * Opens a record store for the scope. Adds new types, builds new indexes, which reads every record of their type, removes
 * dropped ones, and fails with {@link RecordTypeChanged} where a declaration contradicts what is stored. What was put and not
 * yet written is written when the scope closes.
 */
export const open: (options: RecordStoreOptions) => Effect.Effect<RecordStore, RecordOpenError, Engine | Scope.Scope> =
  openStore

/** A record store for the scope of the layer. */
export const layer = (options: RecordStoreOptions): Layer.Layer<RecordStore, RecordOpenError, Engine> =>
  Layer.effect(RecordStore, open(options))
