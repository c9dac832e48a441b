/**
 * An LMDB environment as a store.
 *
 * A synced write is LMDB's default commit: pages, sync, meta page, sync. A buffered one leaves out the second sync
 * (`MDB_NOMETASYNC`), so a power cut may undo it, but what is found is always a whole earlier state. Leaving out both
 * (`MDB_NOSYNC`) would let the meta page reach the disk before its pages and the file be damaged.
 *
 * `lmdb` keeps a write transaction open while the thenable that its callback returned is pending; that makes `begin`,
 * `commit` and `rollback` of it, and gives the one rollback that it has. While the transaction waits for rows,
 * `env.writeTxn` is taken away, because reads prefer it over the transaction that they are given.
 *
 * Reads take the library's shared read transaction with `useReadTransaction`: calls with no commit between share one.
 */
import { accessSync, constants, statfsSync } from "node:fs"
import * as path from "node:path"
import type { Database as LmdbDatabase, RootDatabase, RootDatabaseOptionsWithPath, Transaction } from "lmdb"
import { type Durability, EngineCorrupt, EngineFailed, EngineFull, type Row } from "../Engine.ts"
import { after } from "../internal/Bounds.ts"
import { dataFiles } from "../internal/DataFiles.ts"
import { rowChecksum } from "../internal/RowChecksum.ts"
import {
  type PageBounds,
  pageBytes,
  pageRowCount,
  type Store,
  type StoreLibrary,
  type StoreOpenOptions,
  type StoreReader
} from "../internal/Store.ts"
import { StoreDamage } from "../internal/StoreDamage.ts"
import { inspectLmdbFile } from "./LmdbFile.ts"
import { checksumBytes, layoutVersion, markerKey, markerName } from "./LmdbFormat.ts"

type Lmdb = typeof import("lmdb")

type Keyspace = LmdbDatabase<Uint8Array, Uint8Array>

/** What `lmdb` has and its types do not say. */
interface Environment {
  writeTxn: object | null
  /** Calls back off the event loop's thread's work, with the error when the sync failed. */
  readonly sync: (done: (error?: Error) => void) => void
}

/** `abortable`, `synchronous commit`, and LMDB's own `MDB_NOMETASYNC`. */
const abortable = 1
const synchronousCommit = 2
const noMetaSync = 0x4_0000

/** Keyspaces of an open database, the marker, and LMDB's own two. */
const databaseCount = 72

/** Reader slots in the lock file, shared by all processes. Each snapshot that differs from the others takes one. */
const readerCount = 1_024

/** Stored values up to this size are put together in one buffer that is kept. */
const scratchBytes = 1024 * 1024

/** Less free space than this makes an I/O error a full disk. */
const fullBytes = 1024 * 1024

/** With its checksum, one page outside of the tree: pages have 4,096 bytes, and such a value 16 of header. */
const denseValueSizeBytes = 4_060

export const lmdbLibrary = (lmdb: Lmdb): StoreLibrary => ({
  name: "lmdb",
  fileName: dataFiles.lmdb,
  companions: ["-lock"],
  denseValueSizeBytes,
  inspect: inspectLmdbFile,
  create: (path) => create(lmdb, path),
  open: (options) => open(lmdb, options),
  fault
})

const binary = { keyEncoding: "binary", encoding: "binary" } as const

const rootOptions = (path: string, readOnly: boolean): RootDatabaseOptionsWithPath => ({
  ...binary,
  path,
  readOnly,
  noSubdir: true,
  maxDbs: databaseCount,
  maxReaders: readerCount,
  overlappingSync: false
})

const create = async (lmdb: Lmdb, path: string): Promise<void> => {
  const root = lmdb.open<Uint8Array, Uint8Array>(rootOptions(path, false))
  try {
    root
      .openDB<Uint8Array, Uint8Array>({ ...binary, name: markerName })
      .putSync(markerKey, Uint8Array.of(layoutVersion))
  } finally {
    await root.close()
  }
}

const open = async (lmdb: Lmdb, { keyspaces, path, readOnly }: StoreOpenOptions): Promise<Store> => {
  // The library shares one environment among those who open a file in one process: a read-only one would refuse the writer.
  const root = lmdb.open<Uint8Array, Uint8Array>(rootOptions(path, readOnly && !isWritable(path)))
  try {
    const marker = requireLayout(root)
    const databases = keyspaces.map((name) => openNamed(root, name, { create: !readOnly, encoder: valueCodec }))
    return makeStore(root, { keyspaces, path, readOnly }, marker, databases)
  } catch (cause) {
    await root.close()
    throw cause
  }
}

/** With `create: false` the library answers undefined when there is none, which its types do not say. */
const openNamed = (
  root: RootDatabase<Uint8Array, Uint8Array>,
  name: string,
  options: { readonly create: boolean; readonly encoder?: typeof valueCodec }
): Keyspace | undefined =>
  root.openDB<Uint8Array, Uint8Array>({ ...binary, name, ...options } as typeof binary & { readonly name: string })

/** The named database with the marker of a layout that this program knows. */
const requireLayout = (root: RootDatabase<Uint8Array, Uint8Array>): Keyspace => {
  const marker = openNamed(root, markerName, { create: false })
  const version = marker?.getBinary(markerKey)
  if (marker === undefined || version === undefined)
    throw new ForeignFile("the file has no layout marker, it is not a database of this engine")
  if (version.length !== 1 || version[0] !== layoutVersion) {
    throw new ForeignFile(`the layout is version ${version[0]}, this program knows version ${layoutVersion}`)
  }
  return marker
}

/** A sound LMDB file that is not ours to use. */
class ForeignFile extends Error {}

const makeStore = (
  root: RootDatabase<Uint8Array, Uint8Array>,
  { keyspaces, readOnly }: StoreOpenOptions,
  marker: Keyspace,
  databases: ReadonlyArray<Keyspace | undefined>
): Store => {
  const { env } = root as unknown as { readonly env: Environment }
  const scratch = new Uint8Array(scratchBytes)
  const scratchView = new DataView(scratch.buffer)
  let pending: { readonly commit: () => void; readonly fail: (error: Error) => void } | undefined
  let pausedTransaction: object | null = null
  let durability: Durability = "synced"
  /** A process that died may have left commits whose last sync it had not asked for. */
  let unsynced = true
  /** Syncs and copies that the library has under way: closing the environment under them kills the process. */
  const underway = new Set<Promise<unknown>>()

  const finished = async <A>(work: Promise<A>): Promise<A> => {
    underway.add(work)
    try {
      return await work
    } finally {
      underway.delete(work)
    }
  }

  const stored = (key: Uint8Array, value: Uint8Array): Uint8Array => {
    const size = checksumBytes + value.length
    if (size <= scratchBytes) {
      scratchView.setUint32(0, rowChecksum(key, value), true)
      scratch.set(value, checksumBytes)
      return scratch.subarray(0, size)
    }
    const bytes = new Uint8Array(size)
    new DataView(bytes.buffer).setUint32(0, rowChecksum(key, value), true)
    bytes.set(value, checksumBytes)
    return bytes
  }

  /** The library renews its read transaction when it has committed, so not for another's commits. */
  const renew = () => {
    if (readOnly) root.resetReadTxn()
  }

  /** Of the newest committed state, by keyspace. */
  const newestFloors = databases.map((database, keyspace) => floorsOf(database, keyspaces[keyspace]!, undefined))
  let commitCount = 0

  const openReader = (): StoreReader => {
    renew()
    const transaction = root.useReadTransaction()
    const options = { transaction }
    const floors: Array<Floor | undefined> = []
    const openedAt = commitCount
    return {
      get: (keyspace, key) => {
        const value = databases[keyspace]?.get(key, options)
        return value === undefined ? undefined : checked(keyspaces[keyspace]!, key, value)
      },
      floor: (keyspace, key) => {
        // PERF: the library keeps a cursor for its own transaction only.
        if (openedAt === commitCount && !readOnly) return newestFloors[keyspace]!(key)
        floors[keyspace] ??= floorsOf(databases[keyspace], keyspaces[keyspace]!, transaction)
        return floors[keyspace](key)
      },
      page: (keyspace, bounds, reverse, limit) => {
        const database = databases[keyspace]
        return database === undefined
          ? []
          : readPage(database, keyspaces[keyspace]!, transaction, bounds, reverse, limit)
      },
      release: () => transaction.done()
    }
  }

  return {
    begin: (next) => {
      durability = next
      const flags = abortable | synchronousCommit | (durability === "buffered" ? noMetaSync : 0)
      const until = {
        // biome-ignore lint/suspicious/noThenProperty: the library keeps the transaction open for a thenable.
        then: (commit: () => void, fail: (error: Error) => void) => {
          pending = { commit, fail }
        }
      }
      root.transactionSync(() => until, flags)
    },
    put: (keyspace, key, value) => {
      databases[keyspace]!.put(key, stored(key, value))
    },
    delete: (keyspace, key) => {
      databases[keyspace]!.remove(key)
    },
    deleteRange: (keyspace, bounds) => deleteRange(databases[keyspace]!, bounds),
    deleteSome: (keyspace, bounds, limit) => deleteSome(databases[keyspace]!, bounds, limit),
    pause: () => {
      pausedTransaction = env.writeTxn
      env.writeTxn = null
    },
    resume: () => {
      env.writeTxn = pausedTransaction
    },
    commit: () => {
      // A commit that changes nothing syncs nothing, and what was buffered before it would stay so.
      if (durability === "synced" && unsynced) marker.put(markerKey, Uint8Array.of(layoutVersion))
      const { commit } = pending!
      pending = undefined
      commitCount++
      commit()
      unsynced = durability === "buffered"
    },
    rollback: () => {
      if (pending === undefined) return
      const { fail } = pending
      pending = undefined
      const sentinel = new Error("rollback")
      try {
        fail(sentinel)
      } catch (cause) {
        // The library throws what it was given once it has rolled back.
        if (cause !== sentinel) throw cause
      }
    },
    flush: async () => {
      if (!unsynced) return
      await finished(new Promise<void>((resolve, reject) => env.sync((error) => (error ? reject(error) : resolve()))))
      unsynced = false
    },
    get: (keyspace, key) => {
      renew()
      const value = databases[keyspace]?.get(key)
      return value === undefined ? undefined : checked(keyspaces[keyspace]!, key, value)
    },
    floor: (keyspace, key) => {
      renew()
      return newestFloors[keyspace]!(key)
    },
    openReader,
    copyTo: (target) => finished(root.backup(target, true)),
    close: async () => {
      await Promise.allSettled(underway)
      await root.close()
    }
  }
}

/** The checksum of the value that {@link valueCodec} decoded last; −1 when there was not even that. */
let decodedChecksum = -1

/**
 * Takes the value out of the library's own buffer, which is reused for the next one.
 *
 * PERF: one copy into a plain array. Letting the library copy and then looking at that `Buffer`'s memory made a scan on
 * Bun three times as slow.
 */
const valueCodec = {
  encode: (stored: Uint8Array): Uint8Array => stored,
  decode: (stored: Uint8Array): Uint8Array => {
    // The library sets the length of its buffer to that of the value; only this property tells it.
    const { length } = stored
    if (length < checksumBytes) {
      decodedChecksum = -1
      return new Uint8Array(0)
    }
    decodedChecksum = stored[0]! + stored[1]! * 0x100 + stored[2]! * 0x1_0000 + stored[3]! * 0x100_0000
    const value = new Uint8Array(length - checksumBytes)
    value.set(stored.subarray(checksumBytes, length))
    return value
  }
}

/** The value that was decoded just now, if it is the one that was put under the key. */
const checked = (keyspace: string, key: Uint8Array, value: Uint8Array): Uint8Array => {
  if (rowChecksum(key, value) !== decodedChecksum) {
    throw new StoreDamage({ keyspace, key, detail: "the checksum does not match" })
  }
  return value
}

/** The least key there is. */
const leastKey = Uint8Array.of(0)

/**
 * The library's names for bounds go with the direction: `start` is where the scan starts. Left to itself, a descending
 * scan ends before the least key, so its end is always said.
 */
const rangeOptions = (bounds: PageBounds, reverse: boolean, limit: number) => {
  const lower = bounds.lower === undefined || bounds.lower.length === 0 ? leastKey : bounds.lower
  const lowerInclusive = lower === leastKey || bounds.lowerInclusive
  const start = reverse ? bounds.upper : lower
  const end = reverse ? lower : bounds.upper
  return {
    reverse,
    limit,
    exclusiveStart: start !== undefined && !(reverse ? bounds.upperInclusive : lowerInclusive),
    inclusiveEnd: end !== undefined && (reverse ? lowerInclusive : bounds.upperInclusive),
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end })
  }
}

const readPage = (
  database: Keyspace,
  keyspace: string,
  transaction: Transaction,
  bounds: PageBounds,
  reverse: boolean,
  limit: number
): Array<Row> => {
  const rows: Array<Row> = []
  let bytes = 0
  for (const entry of database.getRange({ ...rangeOptions(bounds, reverse, limit), transaction })) {
    const key = plain(entry.key)
    const value = checked(keyspace, key, entry.value)
    rows.push({ key, value })
    bytes += key.length + value.length
    if (bytes >= pageBytes) break
  }
  return rows
}

/** The row with the greatest key up to the given one. */
type Floor = (key: Uint8Array) => Row | undefined

/**
 * Without a transaction: of the newest committed state.
 *
 * PERF: one range for all calls, whose start the library reads when an iteration begins: 3.1 us a call instead of 4.5.
 */
const floorsOf = (database: Keyspace | undefined, keyspace: string, transaction: Transaction | undefined): Floor => {
  if (database === undefined) return () => undefined
  const range = { start: leastKey as Uint8Array, end: leastKey, inclusiveEnd: true, reverse: true, limit: 1 }
  const options = transaction === undefined ? range : { ...range, transaction }
  const rows = database.getRange(options)
  return (key) => {
    options.start = key
    for (const entry of rows) {
      const found = plain(entry.key)
      return { key: found, value: checked(keyspace, found, entry.value) }
    }
    return undefined
  }
}

/** The library hands out `Buffer`s, whose `slice` shares memory where a `Uint8Array`'s copies. */
const plain = (buffer: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(buffer.length)
  bytes.set(buffer)
  return bytes
}

const deleteRange = (database: Keyspace, bounds: PageBounds): void => {
  let left: PageBounds | undefined = bounds
  while (left !== undefined) left = deleteSome(database, left, pageRowCount)
}

/** One round, because a cursor must not stand on what is removed under it. */
const deleteSome = (database: Keyspace, bounds: PageBounds, limit: number): PageBounds | undefined => {
  const keys = [...database.getKeys(rangeOptions(bounds, false, limit))]
  for (const key of keys) database.remove(key)
  return keys.length < limit ? undefined : after(bounds, keys[keys.length - 1]!, false)
}

/** `MDB_INVALID`, `MDB_PAGE_NOTFOUND`, `MDB_CORRUPTED`, `MDB_VERSION_MISMATCH`. */
const corruptCodes: ReadonlySet<number> = new Set([-30_793, -30_797, -30_796, -30_794])
const ioError = 5
const noSpace = 28

const fault = (directory: string, operation: string, cause: unknown): EngineCorrupt | EngineFull | EngineFailed => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  if (cause instanceof ForeignFile) return new EngineCorrupt({ path: directory, detail })
  const { code } = (cause ?? {}) as { readonly code?: unknown }
  if (typeof code === "number" && corruptCodes.has(code)) return new EngineCorrupt({ path: directory, detail })
  const full =
    code === noSpace ||
    detail.includes("No space left") ||
    ((code === ioError || code === undefined) && isFull(directory))
  return full ? new EngineFull({ path: directory, detail }) : new EngineFailed({ path: directory, operation, detail })
}

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** LMDB says EIO for a short write, which is what the first write on a full disk is. */
const isFull = (directory: string): boolean => {
  try {
    const { bavail, bsize } = statfsSync(path.resolve(directory))
    return bavail * bsize < fullBytes
  } catch {
    return false
  }
}
