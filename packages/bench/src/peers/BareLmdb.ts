/**
 * The `lmdb` package with binary keys and values, and the adapter's order of syncs: pages, then the meta page, before a
 * commit returns.
 */
import { open } from "lmdb"
import type { BareLibrary } from "./Bare.ts"

const binary = { keyEncoding: "binary", encoding: "binary" } as const

export const bareLmdb: BareLibrary = {
  name: "lmdb",
  open: (directory, tables) => {
    const root = open<Uint8Array, Uint8Array>({
      ...binary,
      path: `${directory}/bare.mdb`,
      noSubdir: true,
      maxDbs: tables.length + 1,
      overlappingSync: false
    })
    const databases = tables.map((name) => root.openDB<Uint8Array, Uint8Array>({ ...binary, name }))

    return {
      write: (fill) =>
        root.transactionSync(() =>
          fill((table, key, value) => {
            databases[table]!.put(key, value)
          })
        ),
      scan: (table) => {
        let bytes = 0
        for (const { key, value } of databases[table]!.getRange()) bytes += key.length + value.length
        return bytes
      },
      getAll: (table, keys) => {
        const database = databases[table]!
        let bytes = 0
        for (const key of keys) bytes += database.get(key)?.length ?? 0
        return bytes
      },
      close: () => root.close()
    }
  }
}
