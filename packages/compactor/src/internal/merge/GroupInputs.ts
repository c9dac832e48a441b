/** What one group of a merge reads: one moment of each of its sources, and of the result so far. */
import { Buffer } from "node:buffer"
import {
  RecordReader,
  type RecordStore,
  type RecordType,
  RecordTypeUnknown,
  SyncChange,
  SyncRun
} from "@icecore/engine"
import { Effect, Option, type Pull, type Scope, Stream } from "effect"
import { type BaseWriteError, CompactBaseFailed, type CompactorError, CompactRefused } from "../../CompactorError.ts"
import type { MergeInput, MergePlan } from "../../MergePlan.ts"
import type { Source, SyncSource } from "../../Source.ts"
import * as Moment from "../Moment.ts"

/** One sync that is read. */
export interface GroupInput {
  /** Counts up from the oldest source; the result so far is newer than all. */
  readonly source: number
  readonly records: RecordReader.RecordReader
  readonly sync: SyncRun.SyncId
  readonly hasChanges: boolean
  readonly asFailure: (cause: RecordReader.RecordListError) => CompactorError
}

/** The sources at these places, for the scope, in their order. Several syncs of one source are read at one moment of it. */
export const openSources: (
  into: RecordStore.RecordStore,
  plan: MergePlan,
  sources: ReadonlyArray<SyncSource>,
  places: ReadonlyArray<number>
) => Effect.Effect<Array<GroupInput>, CompactorError, Scope.Scope> = Effect.fnUntraced(
  function* (into, plan, sources, places) {
    const inputs: Array<GroupInput> = []
    const moments = new Map<Source, Moment.Moment>()
    for (const place of places) {
      const planned = plan.inputs[place]!
      const { source } = sources[place]!
      const moment = moments.get(source) ?? (yield* Moment.take("merge", source))
      moments.set(source, moment)
      yield* requirePlanned(into, moment, planned)
      const { asFailure, records } = moment
      const { changeCount, run } = planned
      inputs.push({ source: place, records, sync: run.sync_id, hasChanges: changeCount > 0, asFailure })
    }
    return inputs
  }
)

/**
 * Refuses a sync that is not the one that was planned with: the moment of a group is later. What the plan says of changes and of the result's
 * type would not hold for it.
 */
const requirePlanned = Effect.fnUntraced(function* (
  into: RecordStore.RecordStore,
  moment: Moment.Moment,
  { changeCount, path, run }: MergeInput
): Effect.fn.Return<void, CompactorError> {
  const { sync_id: sync } = run
  const found = yield* Moment.runOf(moment, sync)
  const isSame =
    Buffer.compare(SyncRun.SyncRun.codec.encodeUnsafe(found), SyncRun.SyncRun.codec.encodeUnsafe(run)) === 0
  // A sync without an end does not count its records in its run.
  const hasNewChanges = isSame && changeCount === 0 && run.ended_at === undefined && (yield* hasAnyChange(moment, sync))
  if (isSame && !hasNewChanges) return
  const detail = `sync ${sync} of ${path} is no longer what the merge was planned with: somebody changed it meanwhile`
  return yield* new CompactRefused({ operation: "merge", base: into.path, detail })
})

const hasAnyChange = (
  { asFailure, records }: Moment.Moment,
  sync: SyncRun.SyncId
): Effect.Effect<boolean, CompactorError> =>
  records.types.some(({ name }) => name === SyncChange.SyncChange.name)
    ? Effect.map(
        Effect.mapError(Stream.runHead(records.stream(SyncChange.SyncChange, { sync, batchSize: 1 })), asFailure),
        Option.isSome
      )
    : Effect.succeed(false)

/** The result so far, for the scope: what was put is written, though not into all indexes, which nobody reads. */
export const openResult: (
  plan: MergePlan,
  into: RecordStore.RecordStore,
  sync: SyncRun.SyncId
) => Effect.Effect<GroupInput, CompactorError, Scope.Scope> = Effect.fnUntraced(function* (plan, into, sync) {
  const asFailure = (cause: BaseWriteError) => new CompactBaseFailed({ operation: "merge", base: into.path, cause })
  yield* Effect.mapError(into.checkpointSync(""), asFailure)
  const reader = yield* Effect.mapError(into.database.snapshot, asFailure)
  const records = yield* Effect.mapError(
    RecordReader.make({ reader: Effect.succeed(reader), path: into.path, types: into.types }),
    asFailure
  )
  return { source: plan.inputs.length, records, sync, hasChanges: plan.changeCount > 0, asFailure }
})

/** Whether the store of an input describes a type. */
export const hasType = ({ records }: GroupInput, type: RecordType.Any): boolean =>
  records.types.some(({ name }) => name === type.name)

/** Fails where a source has changes of a type that the target does not have: a partial result would be without them. */
export const requireTypes = (
  into: RecordStore.RecordStore,
  { asFailure, hasChanges, records, sync }: GroupInput
): Effect.Effect<void, CompactorError> => {
  if (!hasChanges) return Effect.void
  const names = new Set(into.types.map(({ name }) => name))
  const unknown = records.stream(SyncChange.SyncChange, { sync, filter: ({ record_type }) => !names.has(record_type) })
  return Effect.flatMap(Effect.mapError(Stream.runHead(unknown), asFailure), (change) => {
    if (Option.isNone(change)) return Effect.void
    const cause = new RecordTypeUnknown({ path: into.path, type: change.value.record_type })
    return Effect.fail(new CompactBaseFailed({ operation: "merge", base: into.path, cause }))
  })
}

/** How much a lane reads at once. */
export interface BatchBounds {
  readonly batchSize: number
  readonly batchBytes: number
}

/** Records as they come. */
export type Rows = Pull.Pull<ReadonlyArray<object>, CompactorError>

/** The records of a type, as the target declares it, in the order of their keys. */
export const recordsOf = (
  { asFailure, records, sync }: GroupInput,
  type: RecordType.Any,
  bounds: BatchBounds
): Effect.Effect<Rows, never, Scope.Scope> =>
  Stream.toPull(Stream.mapError(records.stream(type, { sync, ...bounds }), asFailure))

/** The changes of records of a type, in the same order. */
export const changesOf = (
  { asFailure, records, sync }: GroupInput,
  type: RecordType.Any,
  bounds: BatchBounds
): Effect.Effect<Rows, never, Scope.Scope> =>
  Stream.toPull(
    Stream.mapError(
      records.stream(SyncChange.SyncChange, { sync, ...bounds, prefix: { record_type: type.name } }),
      asFailure
    )
  )
