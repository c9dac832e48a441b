/**
 * The engine over LMDB, through the `lmdb` package, an optional peer that only this module loads.
 *
 * A database is the file `data.mdb` with its reader table in the database's directory, one named database a keyspace. A
 * `replace` keeps the pages that it changes in memory up to 512 MiB before LMDB spills them to the file. Every value carries
 * a CRC32C with its key, so flipped bytes there are {@link EngineCorrupt}; LMDB itself trusts the pages between: a flipped
 * byte in one of those may hide rows or kill the process.
 */
import type { Disk } from "@icecore/packfile"
import { Effect, Layer } from "effect"
import { Engine } from "../Engine.ts"
import { makeStoredEngine } from "../internal/StoredEngine.ts"
import { lmdbLibrary } from "./LmdbStore.ts"

/** The engine over `lmdb` 3.5 or newer. It opens its files itself; locks, syncs and removals go through `Disk`. */
export const layer: Layer.Layer<Engine, never, Disk> = Layer.effect(
  Engine,
  Effect.flatMap(
    Effect.promise(() => import("lmdb")),
    (lmdb) => makeStoredEngine(lmdbLibrary(lmdb))
  )
)
