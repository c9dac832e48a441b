/**
 * What one embedded library must do to become an engine: short synchronous calls, no Effect, no policy.
 *
 * {@link "./StoredEngine.ts"} does everything that engines have in common (locks, checks, poison, streams, durable
 * creation and removal) and calls a store from one fiber at a time. Calls throw whatever the library throws;
 * {@link StoreLibrary.fault} says afterwards what that was.
 */
import type { DiskError, File } from "@icecore/packfile"
import type { Effect } from "effect"
import type { Durability, EngineCorrupt, EngineFailed, EngineFull, Row } from "../Engine.ts"

/** The key range of one page, as far as it is bounded. Not empty by construction only when `lower` is below `upper`. */
export interface PageBounds {
  readonly lower: Uint8Array | undefined
  readonly lowerInclusive: boolean
  readonly upper: Uint8Array | undefined
  readonly upperInclusive: boolean
}

/** What a library failure was. */
export type StoreFault = EngineCorrupt | EngineFull | EngineFailed

/** A repeatable read of one moment. Keyspaces are indexes into the list that the store was opened with. */
export interface StoreReader {
  /** The value, in a buffer of its own. */
  readonly get: (keyspace: number, key: Uint8Array) => Uint8Array | undefined
  /** The row with the greatest key up to the given one, in buffers of its own. */
  readonly floor: (keyspace: number, key: Uint8Array) => Row | undefined
  /**
   * The first rows inside the bounds in the given direction: at most `limit`, and none after the one that fills the
   * byte budget. Fewer than `limit` only at the end or when the budget is full. No cursor stays open.
   */
  readonly page: (keyspace: number, bounds: PageBounds, reverse: boolean, limit: number) => Array<Row>
  readonly release: () => void
}

/** An open file of one library. At most one transaction at a time. */
export interface Store {
  /** Starts the one write transaction. */
  readonly begin: (durability: Durability) => void
  readonly put: (keyspace: number, key: Uint8Array, value: Uint8Array) => void
  readonly delete: (keyspace: number, key: Uint8Array) => void
  readonly deleteRange: (keyspace: number, bounds: PageBounds) => void
  /** Deletes the first rows inside the bounds, about `limit` of them, and says where others may be; undefined when there are none. */
  readonly deleteSome: (keyspace: number, bounds: PageBounds, limit: number) => PageBounds | undefined
  /** Between `pause` and `resume` the transaction stays open and reads do not see it. */
  readonly pause: () => void
  readonly resume: () => void
  readonly commit: () => void
  /** Never throws: what cannot be rolled back is gone with the connection. */
  readonly rollback: () => void
  /** Makes all earlier commits durable. */
  readonly flush: () => Promise<void>
  /** One read of the newest committed state. */
  readonly get: (keyspace: number, key: Uint8Array) => Uint8Array | undefined
  /** {@link StoreReader.floor} of the newest committed state. */
  readonly floor: (keyspace: number, key: Uint8Array) => Row | undefined
  readonly openReader: () => StoreReader
  /** Writes a consistent copy to a path that does not exist. Not yet durable. */
  readonly copyTo: (path: string) => Promise<void>
  readonly close: () => Promise<void>
}

export interface StoreOpenOptions {
  readonly path: string
  readonly keyspaces: ReadonlyArray<string>
  readonly readOnly: boolean
  /** Of pages, of each connection. Undefined: the library's own. */
  readonly cacheSizeBytes?: number | undefined
}

/** One library. */
export interface StoreLibrary {
  readonly name: string
  /** The data file inside the database's directory. */
  readonly fileName: string
  /** What the library puts beside its data file, as suffixes of its name. */
  readonly companions: ReadonlyArray<string>
  /** Bytes of a value that its files hold with little waste, under keys of some 100 bytes. */
  readonly denseValueSizeBytes: number
  /** What is wrong with the data file, before the library opens it; undefined when nothing is. */
  readonly inspect: (file: File, hasCompanion: boolean) => Effect.Effect<string | undefined, DiskError>
  /** Makes a complete, empty database file. Its bytes need not be durable yet, nothing but the file may remain. */
  readonly create: (path: string) => Promise<void>
  /** Opens a file that `create` made. A missing keyspace is made durably, unless read-only: then it reads as empty. */
  readonly open: (options: StoreOpenOptions) => Promise<Store>
  readonly fault: (path: string, operation: string, cause: unknown) => StoreFault
}

/** Rows of one page at most: large enough that the cost of a page disappears, small enough to stay in the caches. */
export const pageRowCount = 1_000

/** A page ends with the row that takes its keys and values to this many bytes. */
export const pageBytes: number = 1024 * 1024
