/**
 * A record store in a directory, for programs that know nothing of it: opened for reading only, with all types that it describes.
 * Nothing is written, and a program that fills the store meanwhile is not in the way: each read sees one moment.
 */
import { Effect, type Scope } from "effect"
import type { ArchiveSource } from "./Archive.ts"
import { Engine, type EngineOpenError } from "./Engine.ts"
import { storeKeyspaces } from "./format/RecordLayout.ts"
import * as RecordReader from "./RecordReader.ts"

export interface StoreDirectory {
  /** Records are plain objects. */
  readonly reader: RecordReader.RecordReader
  /** To save it as an archive. */
  readonly source: ArchiveSource
}

export interface StoreDirectoryOptions {
  /** As `OpenOptions.cacheSizeBytes` of the engine. */
  readonly cacheSizeBytes?: number
}

/** Opens the store for the scope. A database that is no record store is refused with `NotRecordStore`. */
export const open: (
  path: string,
  options?: StoreDirectoryOptions
) => Effect.Effect<
  StoreDirectory,
  EngineOpenError | Effect.Error<ReturnType<typeof RecordReader.make>>,
  Engine | Scope.Scope
> = Effect.fn("StoreDirectory.open")(function* (path: string, options: StoreDirectoryOptions = {}) {
  const engine = yield* Engine
  const database = yield* engine.open({ path, keyspaces: storeKeyspaces, mode: "readOnly", ...options })
  const { checkpoint, snapshot } = database
  const reader = yield* RecordReader.make({ reader: snapshot, path })
  return { reader, source: { path, engineName: engine.name, snapshot, database: { engine, checkpoint } } }
})
