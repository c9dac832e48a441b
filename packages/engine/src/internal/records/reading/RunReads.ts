/** Sync runs as they are stored: few, and read whole. */
import { Ksuid } from "@icecore/codec"
import { Effect, Option, Result, Stream } from "effect"
import type { EngineReadError, Reader } from "../../../Engine.ts"
import {
  headerSizeBytes,
  syncBytes,
  syncRunKey,
  syncRunTag,
  syncsKeyspace,
  tagPrefix
} from "../../../format/RecordLayout.ts"
import { StoreCorrupt } from "../../../RecordError.ts"
import { isFinished, type SyncId, SyncRun } from "../../../SyncRun.ts"

/** What reading a run can fail with. */
export type RunReadError = EngineReadError | StoreCorrupt

/** All runs in the order of their ids. */
export const readRuns = (reader: Reader, path: string): Effect.Effect<Array<SyncRun>, RunReadError> =>
  Stream.runFoldEffect(
    reader.scan(syncsKeyspace, { prefix: tagPrefix(syncRunTag) }),
    (): Array<SyncRun> => [],
    (runs, row) => {
      const run = decodeRun(row.key, row.value)
      if (typeof run === "string") return Effect.fail(new StoreCorrupt({ path, part: "sync run", detail: run }))
      runs.push(run)
      return Effect.succeed(runs)
    }
  )

export const readRun: (
  reader: Reader,
  path: string,
  sync: SyncId
) => Effect.Effect<Option.Option<SyncRun>, RunReadError> = Effect.fnUntraced(function* (reader, path, sync) {
  // A text that is no id names no run; its bytes could be those of another one.
  if (Result.isFailure(Ksuid.parse(sync))) return Option.none()
  const key = syncRunKey(syncBytes(sync))
  const value = yield* reader.get(syncsKeyspace, key)
  if (Option.isNone(value)) return Option.none()
  const run = decodeRun(key, value.value)
  if (typeof run === "string") return yield* new StoreCorrupt({ path, part: "sync run", detail: run })
  return Option.some(run)
})

/** Of the runs that have ended, of one type or of any, the one that ended last; of several the one with the greatest id. */
export const latestFinished = (runs: ReadonlyArray<SyncRun>, syncType: string | undefined): Option.Option<SyncRun> => {
  let latest: SyncRun | undefined
  for (const run of runs) {
    if (!isFinished(run) || (syncType !== undefined && run.type !== syncType)) continue
    if (latest === undefined || isLater(run, latest)) latest = run
  }
  return Option.fromUndefinedOr(latest)
}

/** The run in a row of the store, or what is wrong with it. */
export const decodeRun = (key: Uint8Array, value: Uint8Array): SyncRun | string => {
  if (key.length !== headerSizeBytes) return `its key has ${key.length} bytes, expected ${headerSizeBytes}`
  const id = Ksuid.fromBytes(key, headerSizeBytes - Ksuid.sizeBytes)
  if (Result.isFailure(id)) return id.failure.message
  const run = SyncRun.codec.decode(value)
  if (Result.isFailure(run)) return `run ${id.success}: ${run.failure.message}`
  return run.success.sync_id === id.success ? run.success : `run ${id.success} names itself ${run.success.sync_id}`
}

const isLater = (run: SyncRun, than: SyncRun): boolean => {
  const ended = run.ended_at ?? 0
  const thanEnded = than.ended_at ?? 0
  return ended === thanEnded ? run.sync_id > than.sync_id : ended > thanEnded
}
