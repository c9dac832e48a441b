/**
 * Reads a record store: records by key, pages over the primary key and every index, sync runs.
 *
 * A {@link RecordReader} works over anything that reads as an engine does: an open store, a database opened read-only, an
 * archive. Each call reads one moment. Without `sync` it reads the latest finished sync; one that has not ended is read only
 * when it is named.
 */
import { Data, type Effect, type Option, type Scope, type Stream } from "effect"
import type { BlockCorrupt } from "./BlockError.ts"
import type { EngineReadError, EngineWriteError, Reader } from "./Engine.ts"
import { makeReader } from "./internal/records/reading/MakeReader.ts"
import type { CheckOptions, CheckReport } from "./RecordCheck.ts"
import type {
  NoFinishedSync,
  NotRecordStore,
  RecordCorrupt,
  RecordMisuse,
  RecordTypeChanged,
  RecordTypeUnknown,
  StoreCorrupt,
  StoreVersionUnknown,
  SyncNotFound,
  SyncTypeMismatch
} from "./RecordError.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId, SyncRun } from "./SyncRun.ts"

/** Records of a page at most, and by default. */
export const maxPageSize = 10_000

/** Bytes of stored records with which a page ends, though it has fewer records than were asked for. The last one may go over it. */
export const maxPageBytes: number = 64 * 1024 * 1024

/** Rows that a page looks at by default, when its filter refuses most. */
export const defaultScanLimit = 100_000

/** A page token was altered, or comes from another listing. */
export class InvalidPageToken extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "InvalidPageToken"
  override readonly name = "InvalidPageToken"
  override get message(): string {
    return `Cannot list records of ${this.path}: the page token ${this.detail}`
  }
}

/**
 * What reading can fail with. The errors of writing come from stores that write out what was put before they
 * read it; the types of a store can change while another program has it open.
 */
export type RecordReadError =
  | EngineWriteError
  | BlockCorrupt
  | RecordCorrupt
  | StoreCorrupt
  | StoreVersionUnknown
  | SyncNotFound
  | NoFinishedSync
  | RecordTypeUnknown
  | RecordTypeChanged
  | NotRecordStore

/** What listing can fail with besides. */
export type RecordListError = RecordReadError | RecordMisuse | InvalidPageToken

export interface ReadOptions {
  /** Default: the latest finished sync. */
  readonly sync?: SyncId
}

/** Values of the leading paths of a key, by path. */
export type KeyPrefix = Readonly<Record<string, unknown>>

export interface StreamOptions<T extends RecordType.Any> extends ReadOptions {
  /** Lists in the order of this index, and only records that it has. Default: the primary key. */
  readonly index?: RecordType.IndexName<T>
  /** Only records with these values in the leading paths of the index, or of the primary key. Default: all. */
  readonly prefix?: KeyPrefix
  /** Only records for which it holds. Looks at rows one after the other; a throw is a defect. */
  readonly filter?: (record: RecordType.Record<T>) => boolean
  /**
   * Records of a step, 1 to 10,000; default 1,000. Fewer need less memory where many streams are read at once. Does not hold where
   * the order of an index has to be made from the records, as {@link ListOptions.scanLimit} says.
   */
  readonly batchSize?: number
  /**
   * Bytes of stored records with which a step ends, whatever it has: those of the last one may go over it. 1 to 8 MiB, the default.
   */
  readonly batchBytes?: number
}

export interface ListOptions<T extends RecordType.Any> extends Omit<StreamOptions<T>, "batchSize" | "batchBytes"> {
  /** 1 to 10,000, the default. */
  readonly pageSize?: number
  /** Of the page before this one, from a listing of the same type, index, sync and prefix. Default: the first page. */
  readonly pageToken?: string
  /**
   * Rows looked at for one page at most, from 1. Default 100,000. Does not hold for an index page of a sync whose indexes are behind,
   * or by an index that the store does not have: each reads all records of the sync.
   */
  readonly scanLimit?: number
}

/** Some records in key order. It may have fewer than were asked for, or none, and still not be the last. */
export interface Page<A> {
  readonly items: ReadonlyArray<A>
  /** None: there is nothing behind this page. */
  readonly nextPageToken: Option.Option<string>
  /** Index entries skipped because their record is gone or belongs elsewhere: 0 unless the store is damaged. */
  readonly orphanCount: number
  /** Rows looked at: of the index or of the primary key; all records of the sync where the index could not be used. */
  readonly scannedCount: number
}

export interface StatsOptions extends ReadOptions {
  /** Without `sync`: of the latest finished sync of this type. With it: the type that the sync must have. */
  readonly syncType?: string
}

/** The records of one sync, counted. */
export interface SyncStats {
  readonly run: SyncRun
  /** By type name, each type of the store; a sync that has not ended counts what is there now. */
  readonly counts: Readonly<Record<string, number>>
}

export interface RecordReader {
  /** Where the store or archive lies. */
  readonly path: string
  /** The types it reads: those it was opened with, or all that the store describes. */
  readonly types: ReadonlyArray<RecordType.Any>
  readonly get: <T extends RecordType.Any>(
    type: T,
    key: RecordType.Key<T>,
    options?: ReadOptions
  ) => Effect.Effect<Option.Option<RecordType.Record<T>>, RecordReadError | RecordMisuse>
  /** In the order of the keys, all from one moment. */
  readonly getMany: <T extends RecordType.Any>(
    type: T,
    keys: ReadonlyArray<RecordType.Key<T>>,
    options?: ReadOptions
  ) => Effect.Effect<ReadonlyArray<Option.Option<RecordType.Record<T>>>, RecordReadError | RecordMisuse>
  /** One page. A filter skips nothing: what a page has not looked at is behind its token. */
  readonly list: <T extends RecordType.Any>(
    type: T,
    options?: ListOptions<T>
  ) => Effect.Effect<Page<RecordType.Record<T>>, RecordListError>
  /** All records in key order, all from the moment the stream starts; it holds a snapshot until it ends. */
  readonly stream: <T extends RecordType.Any>(
    type: T,
    options?: StreamOptions<T>
  ) => Stream.Stream<RecordType.Record<T>, RecordListError>
  /** All runs in the order of their ids, which is that of their starts. */
  readonly listSyncs: Effect.Effect<ReadonlyArray<SyncRun>, RecordReadError>
  readonly getSync: (sync: SyncId) => Effect.Effect<Option.Option<SyncRun>, RecordReadError>
  /** The run that ended last, of one type or of any; of several that ended at once the one with the greatest id. */
  readonly latestFinishedSync: (syncType?: string) => Effect.Effect<Option.Option<SyncRun>, RecordReadError>
  readonly stats: (options?: StatsOptions) => Effect.Effect<SyncStats, RecordReadError | SyncTypeMismatch>
  /** Walks everything and reports what the store would not have written; damage is no failure of it. Costs a read of everything. */
  readonly check: (options?: CheckOptions) => Effect.Effect<CheckReport, RecordReadError>
}

export interface MakeOptions {
  /** A view of one moment, held for the scope: `database.snapshot`, or `Effect.succeed` of a reader that does not change. */
  readonly reader: Effect.Effect<Reader, EngineReadError, Scope.Scope>
  readonly path: string
  /** Default: all types that the store describes; their records are plain objects. */
  readonly types?: ReadonlyArray<RecordType.Any>
  /**
   * Runs before each read, with the sync that is named, if one is. With it the types are taken to stay as they are: only the
   * owner of the store, who has this to do, can change them.
   */
  readonly beforeRead?: (sync: SyncId | undefined) => Effect.Effect<void, RecordReadError>
}

/**
 * Reads the store's types, and gives its reader. Fails with `NotRecordStore` where there is none, and with `RecordTypeChanged`
 * when a given type is not the one that is stored under its name. A given type that the store does not have has no records.
 */
export const make: (options: MakeOptions) => Effect.Effect<RecordReader, RecordReadError> = makeReader
