/** One open memory database as a store: a transaction is a private version of the contents, a commit publishes it. */
import type { Row } from "../Engine.ts"
import type { Store, StoreReader } from "../internal/Store.ts"
import * as SortedTree from "../kernel/SortedTree.ts"
import type { MemoryContents, MemoryMedium } from "./MemoryMedium.ts"

export interface MemoryStoreOptions {
  readonly medium: MemoryMedium
  /** The database's name on the medium. It is whole. */
  readonly path: string
  readonly keyspaces: ReadonlyArray<string>
  /** Makes a durable copy. */
  readonly copyTo: Store["copyTo"]
}

export const makeMemoryStore = ({ copyTo, keyspaces, medium, path }: MemoryStoreOptions): Store => {
  const boot = medium.boot()
  let durability: "synced" | "buffered" = "synced"
  let syncFailed = false
  let working: Map<string, SortedTree.SortedTree> = new Map()

  /** After a power cut, or a removal under a read-only database, there is nothing left to work on. */
  const contents = (): MemoryContents => {
    const face = medium.boot() === boot ? medium.face(path) : undefined
    if (face === undefined || face === "half") throw new Error("the database is gone")
    return face
  }

  const change = (keyspace: number, edit: (tree: SortedTree.SortedTree) => SortedTree.SortedTree): void => {
    const name = keyspaces[keyspace]!
    working.set(name, edit(working.get(name)))
  }

  const passSync = (): void => {
    try {
      medium.pass("sync", path)
    } catch (cause) {
      syncFailed = true
      throw cause
    }
  }

  const readerOf = (seen: MemoryContents): StoreReader => ({
    get: (keyspace, key) => copy(SortedTree.get(seen.get(keyspaces[keyspace]!), key)),
    floor: (keyspace, key) => copyRow(SortedTree.floor(seen.get(keyspaces[keyspace]!), key)),
    page: (keyspace, bounds, reverse, limit) => {
      const rows: Array<Row> = []
      SortedTree.collect(seen.get(keyspaces[keyspace]!), bounds, reverse, limit, rows)
      return rows.map(ownRow)
    },
    release: () => {}
  })

  return {
    begin: (next) => {
      durability = next
      working = new Map(contents())
    },
    put: (keyspace, key, value) => {
      const [ownKey, ownValue] = [new Uint8Array(key), new Uint8Array(value)]
      change(keyspace, (tree) => SortedTree.put(tree, ownKey, ownValue))
    },
    delete: (keyspace, key) => change(keyspace, (tree) => SortedTree.remove(tree, key)),
    deleteRange: (keyspace, bounds) => change(keyspace, (tree) => SortedTree.removeRange(tree, bounds)),
    // A range of any size is removed at once.
    deleteSome: (keyspace, bounds) => {
      change(keyspace, (tree) => SortedTree.removeRange(tree, bounds))
      return undefined
    },
    pause: () => {},
    resume: () => {},
    commit: () => {
      contents()
      medium.pass("commit", path)
      if (durability === "buffered") {
        medium.changeBuffered("write to", path, working)
      } else {
        passSync()
        medium.changeSynced("write to", path, working)
      }
    },
    rollback: () => {
      working = new Map()
    },
    flush: async () => {
      contents()
      passSync()
      medium.sync(path)
    },
    get: (keyspace, key) => copy(SortedTree.get(contents().get(keyspaces[keyspace]!), key)),
    floor: (keyspace, key) => copyRow(SortedTree.floor(contents().get(keyspaces[keyspace]!), key)),
    openReader: () => readerOf(contents()),
    copyTo,
    close: async () => {
      if (syncFailed && medium.boot() === boot) medium.dropUnsynced(path)
    }
  }
}

/** Not `slice`, which on a Buffer shares the bytes. */
const copy = (bytes: Uint8Array | undefined): Uint8Array | undefined =>
  bytes === undefined ? undefined : new Uint8Array(bytes)

const ownRow = ({ key, value }: Row): Row => ({ key: new Uint8Array(key), value: new Uint8Array(value) })

const copyRow = (row: Row | undefined): Row | undefined => (row === undefined ? undefined : ownRow(row))
