/** Ports of a store with one barrier left out. */
import * as Path from "node:path"
import { WeakDisk, WeakEngine } from "@icecore/catalog/testing"
import type { Database, Engine, EngineWriteError, WriteBatch } from "@icecore/engine"
import { Effect } from "effect"
import type { PortMutation } from "./WalkSubject.ts"

type Changes = (changes: ReadonlyArray<WeakEngine.Change>) => boolean

/** The catalog's database is weak, the hot ones are not. */
const catalogEngine = (weakness: WeakEngine.Weakness): PortMutation => ({
  engine: (engine) => {
    const weak = WeakEngine.make(engine, weakness)
    return { ...engine, open: (options) => (isCatalog(options.path) ? weak : engine).open(options) }
  }
})

export const unsynced = (predicate: Changes): PortMutation => catalogEngine({ unsynced: predicate })

export const split = (predicate: Changes): PortMutation => catalogEngine({ split: predicate })

/** Batches that put `value` under a key that begins with `prefix`. */
export const puts =
  (value: string, prefix = ""): Changes =>
  (changes) =>
    changes.some((change) => change.value === value && change.key.startsWith(prefix))

/** Batches that put anything under a key that begins with `prefix`. */
export const writes =
  (prefix: string): Changes =>
  (changes) =>
    changes.some((change) => change.key.startsWith(prefix))

export const unsyncedDirectory = (predicate: (path: string) => boolean): PortMutation => ({
  disk: (disk) => WeakDisk.make(disk, { unsyncedDirectory: predicate })
})

export const unsyncedFile = (predicate: (path: string) => boolean): PortMutation => ({
  disk: (disk) => WeakDisk.make(disk, { unsyncedFile: predicate })
})

/** The hot databases are as `weaken` makes them. */
const hotEngine = (weaken: (database: Database) => Database): PortMutation => ({
  engine: (engine): Engine => ({
    ...engine,
    open: (options) =>
      Effect.map(engine.open(options), (database) => (isCatalog(options.path) ? database : weaken(database)))
  })
})

/** Commits of hot databases are only buffered. */
export const hotUnsynced: PortMutation = hotEngine((database) => ({
  ...database,
  write: (build, options) => database.write(build, { ...options, durability: "buffered" })
}))

/** A commit of a hot database is one batch for each of its keyspaces, those named last. */
export const hotSplit = (last: ReadonlyArray<string>): PortMutation =>
  hotEngine((database) => ({
    ...database,
    write: (build, options): Effect.Effect<void, EngineWriteError> => {
      const part = (isPart: (keyspace: string) => boolean) => (batch: WriteBatch) =>
        build({
          put: (keyspace, key, value) => isPart(keyspace) && batch.put(keyspace, key, value),
          delete: (keyspace, key) => isPart(keyspace) && batch.delete(keyspace, key),
          deleteRange: (keyspace, range) => isPart(keyspace) && batch.deleteRange(keyspace, range)
        })
      return Effect.andThen(
        database.write(
          part((keyspace) => !last.includes(keyspace)),
          options
        ),
        database.write(
          part((keyspace) => last.includes(keyspace)),
          options
        )
      )
    }
  }))

const isCatalog = (path: string): boolean => Path.basename(path) === "catalog"
