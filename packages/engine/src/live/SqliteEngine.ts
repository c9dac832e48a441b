/**
 * The engine over SQLite: `bun:sqlite` on Bun, `node:sqlite` on Node and Deno, 3.51.3 or newer.
 *
 * A database is the file `data.sqlite` with its write-ahead log in the database's directory, one table a keyspace. A
 * checkpoint and a large `replace` hold the event loop while SQLite works. Every row carries a CRC32C, so flipped bytes in
 * keys and values are {@link EngineCorrupt}; a damaged write-ahead log ends where its own checksums stop to hold.
 */
import type { Disk } from "@icecore/packfile"
import { Effect, Layer } from "effect"
import { Engine } from "../Engine.ts"
import { makeStoredEngine } from "../internal/StoredEngine.ts"
import { loadSqliteDriver } from "./SqliteDriver.ts"
import { sqliteLibrary } from "./SqliteStore.ts"

/** The engine over the SQLite of this runtime. It opens its files itself; locks, syncs and removals go through `Disk`. */
export const layer: Layer.Layer<Engine, never, Disk> = Layer.effect(
  Engine,
  Effect.flatMap(Effect.promise(loadSqliteDriver), (driver) => makeStoredEngine(sqliteLibrary(driver)))
)
