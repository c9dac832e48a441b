/**
 * Typed records with indexes, kept as sync runs in a database of any {@link Engine}.
 *
 * A sync is one run that fills the store: started, filled, ended. What is durable when:
 *
 * - `startSync`, `resumeSync`, `checkpointSync`, `endSync`: on return, with everything put before; `cleanup`, `removeSync`, `replaceSync`: on
 *   return, each sync whole;
 * - `put`, `putIfNewer`, `delete`, `deleteMany` in a sync that this open store started: with the next of those, or `flush`; a
 *   crash before loses some of them and leaves the sync started;
 * - the same in a resumed sync: on return, each call whole or not at all.
 *
 * A sync is finished by one durable write, the last of `endSync`: before it the sync is started, after it every record and
 * every index entry is there.
 */
import { Context, type Effect, Layer, type Option, type Scope } from "effect"
import type { CleanupPlan, CleanupPolicy } from "./CleanupPolicy.ts"
import type { Database, Engine, EngineOpenError, OpenMode, Reader } from "./Engine.ts"
import { open as openStore } from "./internal/records/opening/OpenStore.ts"
import type {
  NoCurrentSync,
  NotRecordStore,
  RecordCountLimit,
  RecordKeySize,
  RecordMisuse,
  RecordRefused,
  RecordTypeChanged,
  RecordTypeUnknown,
  SyncEnded,
  SyncExists,
  SyncInUse,
  SyncUnfinished
} from "./RecordError.ts"
import type { RecordReadError, RecordReader } from "./RecordReader.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId, SyncRun } from "./SyncRun.ts"
import type { TransferPlan } from "./SyncTransfer.ts"

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
export type RecordWriteError = RecordReadError | NoCurrentSync | RecordMisuse | SyncInUse

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
  /** As `OpenOptions.cacheSizeBytes` of the engine. */
  readonly cacheSizeBytes?: number
}

export interface StartSyncOptions {
  /** What kind of run it is. Not empty, at most 256 characters. */
  readonly type: string
  /** The run that it continues. Need not be in this store. */
  readonly parent?: SyncId
  /** The runs that it is merged or computed from, oldest first. Need not be in this store. At least one where given. */
  readonly sources?: ReadonlyArray<SyncId>
  /** Default: a new id. A given one keeps a run as it was elsewhere. */
  readonly syncId?: SyncId
  /** Microseconds since 1970 UTC. Default: now. */
  readonly startedAt?: number
  /**
   * No other sync can be started or resumed until this one has ended or is removed: that fails with `SyncInUse`. For who must know into
   * which sync its puts go, in a store that is shared. Default false.
   */
  readonly exclusive?: boolean
}

export interface EndSyncOptions {
  /** Microseconds since 1970 UTC. Default: now. */
  readonly endedAt?: number
}

export interface CleanupOptions {
  /** Only says what it would remove. Default false. */
  readonly dryRun?: boolean
}

export interface ReplaceSyncOptions<E = never> {
  readonly sync: SyncId
  /** One moment of another store, or of this one: a snapshot or an archive, held by the caller until the call ends. */
  readonly source: Reader
  /** Names the source in errors. */
  readonly sourcePath: string
  /**
   * What becomes of a source's sync that has not ended. `refuse`, the default: {@link SyncUnfinished}. `copy`: it comes as it is,
   * without an end; where its indexes are behind they are so in this store too, and no entries are copied.
   */
  readonly unfinished?: "refuse" | "copy"
  /**
   * Runs in the transaction between bounded steps, of about 256 KiB or 1,000 rows, whichever comes first. May wait, fail or be
   * interrupted: the store is then as it was. Must not write to the store.
   */
  readonly onStep?: (progress: ReplaceProgress) => Effect.Effect<void, E>
}

/** What a replacement has done so far. */
export interface ReplaceProgress {
  /** Records and entries that were written. */
  readonly rowCount: number
  /** Of the keys and values of their blocks. */
  readonly bytes: number
}

/** The records of one type that a replacement changed. Equal bytes are unchanged. */
export interface TypeChange {
  readonly type: string
  readonly addedCount: number
  readonly replacedCount: number
  readonly removedCount: number
  readonly unchangedCount: number
  /** Of the keys and values of the blocks of records that were written. */
  readonly bytes: number
}

/** What {@link RecordStore.replaceSync} did. */
export interface SyncReplacement {
  readonly plan: TransferPlan
  /** The run that was there before. */
  readonly before: SyncRun | undefined
  readonly run: SyncRun
  /** By type name, those with records before or after. */
  readonly types: ReadonlyArray<TypeChange>
  /** Index entries that were written. */
  readonly entryCount: number
  /** Of the keys and values of everything that was written. */
  readonly bytes: number
  /** The sync has no records now. */
  readonly isEmpty: boolean
}

/** What replacing a sync can fail with: the sync of the store is as it was. */
export type RecordReplaceError =
  | RecordReadError
  | SyncUnfinished
  | SyncInUse
  | RecordTypeUnknown
  | RecordTypeChanged
  | RecordMisuse

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
  /**
   * Makes a sync exactly what `source` has of it, whatever it was before and whether it was there: its records, the entries of every
   * index, its run and its bookkeeping. One transaction, durable on return: readers see all old or all new, and a failure, an
   * interruption or a crash leaves all old. Other syncs are not touched. The current one is refused with {@link SyncInUse}. Changes
   * of the store wait meanwhile, and so do reads of a current sync with records that are not yet written. Memory does not grow with
   * the sync, except on LMDB (see `Database.replace`); disk space does, by about what comes and what goes.
   */
  readonly replaceSync: <E = never>(
    options: ReplaceSyncOptions<E>
  ) => Effect.Effect<SyncReplacement, RecordReplaceError | E>
  /**
   * Keeps in the schema the fields that other stores have appended to types of this one, for records of theirs that are put: such
   * fields are stored, and without this only a declaration would show them. Durable with the next durable call. A type that contradicts
   * what is stored is refused with {@link RecordTypeChanged}, and none is kept; one that the store does not have is passed over.
   */
  readonly adoptFields: (types: ReadonlyArray<RecordType.Any>) => Effect.Effect<void, RecordReadError>
  /** Removes a sync whole, by one durable transaction; none is current if it was that one. Gives its run; none: there was no such sync. */
  readonly removeSync: (sync: SyncId) => Effect.Effect<Option.Option<SyncRun>, RecordWriteError>
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
