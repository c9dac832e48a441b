/**
 * One ordered key-value port. A database is a directory that holds named keyspaces; a keyspace is a map from byte keys to
 * byte values, ordered bytewise unsigned.
 *
 * Every adapter gives the same answers and the same errors for the same calls: `@icecore/engine/testing` holds the suite
 * that proves it and the crash model that they share. What is durable when:
 *
 * - {@link Database.write} with `synced` (the default): on return;
 * - {@link Database.write} with `buffered`: at the next `flush`, `synced` write or `replace`, in order; a crash before that
 *   loses a suffix of the buffered writes, each of them whole;
 * - {@link Database.replace}, {@link Database.checkpoint}, the creation of a database by {@link Engine.open}: on return.
 *
 * After a failed sync or an I/O error inside a commit the database takes no more writes: they fail with
 * {@link EnginePoisoned} until it is closed and opened again.
 */
import { Context, Data, type Effect, type Option, type Scope, type Stream } from "effect"
import { Hex } from "effect/encoding"

/** Longest key in bytes, inclusive. The shortest is 1. */
export const maxKeySizeBytes = 1_900

/** Longest value in bytes, inclusive: 16 MiB. */
export const maxValueSizeBytes: number = 16 * 1024 * 1024

/** Another process, or another scope of this one, has the database open for writing. */
export class EngineLocked extends Data.Error<{ readonly path: string }> {
  readonly _tag = "EngineLocked"
  override readonly name = "EngineLocked"
  override get message(): string {
    return `Cannot open database ${this.path}: another writer has it open`
  }
}

/** There is no database at the path. */
export class EngineNotFound extends Data.Error<{ readonly path: string }> {
  readonly _tag = "EngineNotFound"
  override readonly name = "EngineNotFound"
  override get message(): string {
    return `Cannot open database ${this.path}: there is none`
  }
}

/** A key is empty or longer than {@link maxKeySizeBytes}. Nothing was written. */
export class EngineKeySize extends Data.Error<{
  readonly keyspace: string
  readonly actual: number
  readonly limit: number
}> {
  readonly _tag = "EngineKeySize"
  override readonly name = "EngineKeySize"
  override get message(): string {
    return `Cannot use key in ${this.keyspace}: it has ${this.actual} bytes, allowed are 1 to ${this.limit}`
  }
}

/** A value is longer than {@link maxValueSizeBytes}. Nothing was written. */
export class EngineValueSize extends Data.Error<{
  readonly keyspace: string
  readonly actual: number
  readonly limit: number
}> {
  readonly _tag = "EngineValueSize"
  override readonly name = "EngineValueSize"
  override get message(): string {
    return `Cannot use value in ${this.keyspace}: it has ${this.actual} bytes, allowed are at most ${this.limit}`
  }
}

/**
 * The call cannot be made: an unknown keyspace, a write to a read-only database, rows of a `replace` out of order, a directory
 * with the database of another engine.
 */
export class EngineMisuse extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "EngineMisuse"
  override readonly name = "EngineMisuse"
  override get message(): string {
    return `Cannot use database ${this.path}: ${this.detail}`
  }
}

/** An earlier write or sync failed, `cause` says how; the database must be opened again before it takes writes. */
export class EnginePoisoned extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "EnginePoisoned"
  override readonly name = "EnginePoisoned"
  override get message(): string {
    return `Cannot write to database ${this.path}: an earlier write failed (${this.detail}); open it again`
  }
}

/** The stored bytes are not what was written. */
export class EngineCorrupt extends Data.Error<{
  readonly path: string
  readonly keyspace?: string
  readonly key?: Uint8Array
  readonly detail: string
}> {
  readonly _tag = "EngineCorrupt"
  override readonly name = "EngineCorrupt"
  override get message(): string {
    const place = this.keyspace === undefined ? "" : `, keyspace ${this.keyspace}`
    const key = this.key === undefined ? "" : `, key 0x${Hex.encode(this.key)}`
    return `Cannot read database ${this.path}${place}${key}: ${this.detail}`
  }
}

/** No space is left. */
export class EngineFull extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "EngineFull"
  override readonly name = "EngineFull"
  override get message(): string {
    return `Cannot write to database ${this.path}: no space left (${this.detail})`
  }
}

/** Any other failure of the library or the system underneath, or a library that is unfit. */
export class EngineFailed extends Data.Error<{
  readonly path: string
  readonly operation: string
  readonly detail: string
}> {
  readonly _tag = "EngineFailed"
  override readonly name = "EngineFailed"
  override get message(): string {
    return `Cannot ${this.operation} database ${this.path}: ${this.detail}`
  }
}

/** What reading can fail with. */
export type EngineReadError = EngineKeySize | EngineMisuse | EngineCorrupt | EngineFailed

/** What writing can fail with. */
export type EngineWriteError = EngineReadError | EngineValueSize | EnginePoisoned | EngineFull

/** What opening and destroying can fail with. */
export type EngineOpenError = EngineLocked | EngineNotFound | EngineMisuse | EngineCorrupt | EngineFull | EngineFailed

export type EngineError = EngineWriteError | EngineOpenError

/**
 * `create`: opened, made when missing (or half made). `existing`: must exist. `readOnly`: must exist, takes no write and no
 * writer's lock, and waits for no write that is under way, of this process or another.
 */
export type OpenMode = "create" | "existing" | "readOnly"

export interface OpenOptions {
  /** A directory of its own. Its parent must exist unless the mode is `create`. */
  readonly path: string
  /** 1 to 64 distinct names of `[a-z][a-z0-9_]{0,62}`. A missing one is made, unless the mode is `readOnly`. */
  readonly keyspaces: ReadonlyArray<string>
  /** Default `create`. */
  readonly mode?: OpenMode
  /**
   * Memory that each connection to the file keeps pages in, in bytes, where the engine has such a cache: SQLite, at least 64 KiB. Default,
   * and at most: the engine's own, 4 to 16 MiB. Less serves where very many databases are open and read in order.
   */
  readonly cacheSizeBytes?: number
}

/** A key and its value. Both buffers are the reader's to keep. */
export interface Row {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** Bounds are combined: a key is in range when it satisfies all that are given. Buffers are copied when the call or stream starts. */
export interface Range {
  readonly gte?: Uint8Array
  readonly gt?: Uint8Array
  readonly lte?: Uint8Array
  readonly lt?: Uint8Array
  readonly prefix?: Uint8Array
}

export interface ScanOptions extends Range {
  /** Descending order. Default false. */
  readonly reverse?: boolean
  /** Rows at most. Default: no bound. */
  readonly limit?: number
}

/** The beginning of a scan. */
export interface Page {
  readonly rows: ReadonlyArray<Row>
  /** There is nothing behind the rows that a scan would give. False says nothing; there are rows then, unless the limit is 0. */
  readonly isEnd: boolean
}

/** Collects the changes of one write. Later calls win over earlier ones. Buffers are copied or consumed before the write returns. */
export interface WriteBatch {
  readonly put: (keyspace: string, key: Uint8Array, value: Uint8Array) => void
  readonly delete: (keyspace: string, key: Uint8Array) => void
  readonly deleteRange: (keyspace: string, range: Range) => void
}

/** `synced`: durable on return. `buffered`: atomic and in order, but may be lost with what followed it. */
export type Durability = "synced" | "buffered"

export interface WriteOptions {
  /** Default `synced`. */
  readonly durability?: Durability
}

export interface Reader {
  /**
   * Stands for the contents: all readers that have the same object see the same rows, so what was learned from one holds for the
   * others. Undefined where nothing says it: the reader's contents change, or another process may change them.
   */
  readonly moment?: object
  readonly get: (keyspace: string, key: Uint8Array) => Effect.Effect<Option.Option<Uint8Array>, EngineReadError>
  /** Results in the order of the keys, all from one moment. */
  readonly getMany: (
    keyspace: string,
    keys: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<ReadonlyArray<Option.Option<Uint8Array>>, EngineReadError>
  /** The row with the greatest key that is not above the given one, which need not be there; none when there is no such row. */
  readonly floor: (keyspace: string, key: Uint8Array) => Effect.Effect<Option.Option<Row>, EngineReadError>
  /** {@link Reader.floor} of each key, in the order of the keys, all from one moment. */
  readonly floorMany: (
    keyspace: string,
    keys: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<ReadonlyArray<Option.Option<Row>>, EngineReadError>
  /**
   * The first rows that {@link Reader.scan} would give: as many as fit, at most 1,000 and the first that takes them to 1 MiB.
   * For callers who need few rows: it costs a fraction of a stream.
   */
  readonly page: (keyspace: string, options?: ScanOptions) => Effect.Effect<Page, EngineReadError>
  /** Rows in key order, all from the moment the stream starts. Comes in batches; stopping early is fine. */
  readonly scan: (keyspace: string, options?: ScanOptions) => Stream.Stream<Row, EngineReadError>
}

/** The contents of one range, replaced. Rows are strictly ascending by key and inside the range. */
export interface Replacement<E = never, R = never> {
  readonly keyspace: string
  readonly range: Range
  readonly rows: Stream.Stream<Row, E, R>
}

export interface KeyspaceStats {
  readonly keyCount: number
  /** Bytes of keys and values as the caller wrote them. */
  readonly contentBytes: number
}

export interface DatabaseStats {
  readonly keyspaces: Readonly<Record<string, KeyspaceStats>>
  /** Bytes of all files of the database. */
  readonly fileBytes: number
}

/** An open database. Any number of fibers may use it at once; writes happen one after the other. */
export interface Database extends Reader {
  readonly path: string
  readonly keyspaces: ReadonlyArray<string>
  /**
   * Bytes of a value that the engine stores with little waste, under keys of some 100 bytes: for callers that keep several
   * things in one value and choose how many. Undefined: all sizes are alike.
   */
  readonly denseValueSizeBytes?: number
  /**
   * Fills a batch synchronously and applies it atomically. A throw inside `build` is a defect and nothing is written.
   * The first key or value out of bounds fails the write, and nothing is written.
   */
  readonly write: (build: (batch: WriteBatch) => void, options?: WriteOptions) => Effect.Effect<void, EngineWriteError>
  /** On return every write that was acknowledged before the call is durable. */
  readonly flush: Effect.Effect<void, EngineWriteError>
  /**
   * Runs a read-modify-write with no other write of this database in between. Writes inside the effect, by its own fiber,
   * go through, and so does another `exclusive`; do not wait inside for another fiber that writes.
   */
  readonly exclusive: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /**
   * A repeatable read of this moment, held for the scope. Taking one is cheap and blocks nobody. While it is held the file
   * (of LMDB) or its log (of SQLite) grows with every write. At most 900 snapshots and running scans at once: one more fails
   * with {@link EngineMisuse}.
   */
  readonly snapshot: Effect.Effect<Reader, EngineReadError, Scope.Scope>
  /**
   * For each replacement: deletes the range and loads the rows, all in one transaction that is durable on return. Readers
   * see all old or all new; a failure, an interruption or a crash leaves all old. Memory does not grow with the rows, except on LMDB:
   * up to 131,071 changed pages stay in memory until the commit, a value of more than one page being one of them. Rows of a range are
   * deleted in short steps, between which others have their turn, as they have while the stream of the rows waits.
   * The rows may be read from this database, but must not write to it: that fails with {@link EngineMisuse}, and waiting for
   * another fiber's write never ends.
   */
  readonly replace: <E = never, R = never>(
    replacements: ReadonlyArray<Replacement<E, R>>
  ) => Effect.Effect<void, E | EngineWriteError, R>
  /** Writes a consistent, durable copy, itself a database of this engine, into a directory that must not exist. */
  readonly checkpoint: (path: string) => Effect.Effect<void, EngineWriteError | EngineOpenError>
  /** Counts by scanning: costs a read of everything. */
  readonly stats: Effect.Effect<DatabaseStats, EngineReadError>
}

export interface Engine {
  /** `sqlite`, `lmdb`, `memory`, or the name of somebody else's adapter. */
  readonly name: string
  /** Opens a database for the scope. Fails with {@link EngineLocked} at once when a writer has it open. */
  readonly open: (options: OpenOptions) => Effect.Effect<Database, EngineOpenError, Scope.Scope>
  /** Removes a closed database and all its files, durably; nothing happens when there is none. */
  readonly destroy: (path: string) => Effect.Effect<void, EngineOpenError>
}

export const Engine: Context.Service<Engine, Engine> = Context.Service("@icecore/engine/Engine")
