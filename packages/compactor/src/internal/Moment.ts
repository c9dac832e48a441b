/** One moment of a source, whose failures can be told from those of the store that is changed. */
import {
  type EngineReadError,
  NoFinishedSync,
  type Reader,
  RecordReader,
  SyncNotFound,
  type SyncRun
} from "@icecore/engine"
import { Effect, Option, type Scope, Stream } from "effect"
import { CompactSourceFailed, type Operation, type SourceReadError } from "../CompactorError.ts"
import type { Source, SyncSource } from "../Source.ts"

export interface Moment {
  readonly path: string
  /** The rows. */
  readonly reader: Reader
  /** The records in them, of all types that are described. */
  readonly records: RecordReader.RecordReader
  /** Whether it was this source that failed. Errors of engines name private directories and no archives, so paths do not say it. */
  readonly hasFailedWith: (error: object) => error is SourceReadError
  /** The same errors, with the source that they are of. */
  readonly asFailure: (cause: SourceReadError) => CompactSourceFailed
}

/** Takes a moment of a source for the scope. */
export const take: (operation: Operation, source: Source) => Effect.Effect<Moment, CompactSourceFailed, Scope.Scope> =
  Effect.fnUntraced(function* (operation, { source: { path, snapshot } }) {
    const asFailure = (cause: SourceReadError) => new CompactSourceFailed({ operation, source: path, cause })
    const failures = new WeakSet<object>()
    const reader = noting(yield* Effect.mapError(snapshot, asFailure), (error) => failures.add(error))
    const records = yield* Effect.mapError(RecordReader.make({ reader: Effect.succeed(reader), path }), asFailure)
    const hasFailedWith = (error: object): error is SourceReadError =>
      failures.has(error) || ("path" in error && error.path === path)
    return { path, reader, records, hasFailedWith, asFailure }
  })

/** The run that is named, or the latest finished one. */
export const runOf: (
  moment: Moment,
  syncId: SyncSource["syncId"]
) => Effect.Effect<SyncRun.SyncRun, CompactSourceFailed> = Effect.fnUntraced(function* (
  { asFailure, path, records },
  syncId
) {
  const found = syncId === undefined ? records.latestFinishedSync() : records.getSync(syncId)
  const run = yield* Effect.mapError(found, asFailure)
  if (Option.isSome(run)) return run.value
  return yield* asFailure(
    syncId === undefined ? new NoFinishedSync({ path }) : new SyncNotFound({ path, sync: syncId })
  )
})

/** The same reader; tells of what its calls fail with. */
const noting = (reader: Reader, note: (error: EngineReadError) => void): Reader => {
  const noted = <A>(call: Effect.Effect<A, EngineReadError>): Effect.Effect<A, EngineReadError> =>
    Effect.tapError(call, (error) => Effect.sync(() => note(error)))
  return {
    ...(reader.moment === undefined ? {} : { moment: reader.moment }),
    get: (keyspace, key) => noted(reader.get(keyspace, key)),
    getMany: (keyspace, keys) => noted(reader.getMany(keyspace, keys)),
    floor: (keyspace, key) => noted(reader.floor(keyspace, key)),
    floorMany: (keyspace, keys) => noted(reader.floorMany(keyspace, keys)),
    page: (keyspace, options) => noted(reader.page(keyspace, options)),
    scan: (keyspace, options) =>
      Stream.mapError(reader.scan(keyspace, options), (error) => {
        note(error)
        return error
      })
  }
}
