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
 * Reads take the library's shared read transaction with `useReadTransaction`: calls with no commit between share one. A range that is given
 * no transaction is read in the open write transaction, also while that waits: then each is given one.
 */
import { accessSync, constants } from "node:fs"
import type { RootDatabase, RootDatabaseOptionsWithPath } from "lmdb"
import type { Durability } from "../Engine.ts"
import { dataFiles } from "../internal/DataFiles.ts"
import { rowChecksum } from "../internal/RowChecksum.ts"
import type { Store, StoreLibrary, StoreOpenOptions, StoreReader } from "../internal/Store.ts"
import { ForeignFile, fault } from "./LmdbFault.ts"
import { inspectLmdbFile } from "./LmdbFile.ts"
import { checksumBytes, layoutVersion, markerKey, markerName } from "./LmdbFormat.ts"
import {
  checked,
  deleteRange,
  deleteSome,
  type Floor,
  floorsOf,
  type Keyspace,
  readPage,
  valueCodec
} from "./LmdbRows.ts"

type Lmdb = typeof import("lmdb")

/** What `lmdb` has and its types do not say. */
interface Environment {
  writeTxn: object | null
  /** Calls back off the event loop's thread's work, with the error when the sync failed. */
  readonly sync: (done: (error?: Error) => void) => void
}

/** What `openAsClass` returns: the class of a root database, and of the named ones that it opens. */
interface OpenedClass {
  new (name: null, options: RootDatabaseOptionsWithPath): RootDatabase<Uint8Array, Uint8Array>
  readonly prototype: Opening
}

/** A database that is being opened. */
interface Opening {
  readonly ensureReadTxn: () => void
  transactionSync: <A>(this: Opening, open: () => A) => A
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

/**
 * The root database for a store that only reads.
 *
 * The library shares one environment among all who open a file in one process, and a read-only one would refuse a later writer: so it
 * is one for writing wherever the file can be written. In such an environment the library opens databases, the root too, in write
 * transactions, which wait for the writer of another process, and for ever for one of this thread. Here they are opened in read
 * transactions, as the library does it in a read-only environment.
 */
const openToRead = (lmdb: Lmdb, path: string): RootDatabase<Uint8Array, Uint8Array> => {
  const options = { ...rootOptions(path, !isWritable(path)), isRoot: true }
  // Made for this one opening; nothing else asks it for a transaction, because nothing is written through it.
  const Root = lmdb.openAsClass(options) as unknown as OpenedClass
  Root.prototype.transactionSync = function (open) {
    this.ensureReadTxn()
    return open()
  }
  return new Root(null, options)
}

const open = async (lmdb: Lmdb, options: StoreOpenOptions): Promise<Store> => {
  const { keyspaces, path, readOnly } = options
  const root = readOnly ? openToRead(lmdb, path) : lmdb.open<Uint8Array, Uint8Array>(rootOptions(path, false))
  try {
    const marker = requireLayout(root)
    const databases = keyspaces.map((name) => openNamed(root, name, { create: !readOnly, encoder: valueCodec }))
    return makeStore(root, options, marker, databases)
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
        if (openedAt === commitCount && pending === undefined && !readOnly) return newestFloors[keyspace]!(key)
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

  const withReader = <A>(read: (reader: StoreReader) => A): A => {
    const reader = openReader()
    try {
      return read(reader)
    } finally {
      reader.release()
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
      if (pending !== undefined) return withReader((reader) => reader.floor(keyspace, key))
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

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
