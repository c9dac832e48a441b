/** Does what a merge's plan says. */
import { HeapWatch, type RecordStore, SyncChange, type SyncRun } from "@icecore/engine"
import { Effect, Pull, type Scope } from "effect"
import { type BaseWriteError, CompactBaseFailed, type CompactorError } from "../../CompactorError.ts"
import * as KeyMerge from "../../kernel/KeyMerge.ts"
import type { MergeOptions, MergeReport, MergeTypeReport } from "../../Merge.ts"
import type { MergePlan, MergeTypePlan } from "../../MergePlan.ts"
import { requireCurrent } from "../OwnSync.ts"
import { batchBytesOf, batchSizeOf } from "./BatchSize.ts"
import {
  changesOf,
  type GroupInput,
  hasType,
  openResult,
  openSources,
  type Rows,
  recordsOf,
  requireTypes
} from "./GroupInputs.ts"
import * as MergeStep from "./MergeStep.ts"

/** Rows given to lanes between two looks at the heap. */
const watchRowCount = 1_000

/** Stored bytes of a change, about. */
const changeBytes = 64

/** Merges into a fresh sync, which is gone again unless all goes well. */
export const runMerge = (options: MergeOptions, plan: MergePlan): Effect.Effect<MergeReport, CompactorError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { into } = options
      const { parent, sourceIds, type, unitedTypes } = plan
      yield* intoBase(into, into.adoptFields(unitedTypes))
      const run = yield* intoBase(into, into.startSync({ type, parent, sources: sourceIds, exclusive: true }))
      const work: MergeWork = {
        ...options,
        plan,
        run,
        totals: { rowCount: 0, bytes: 0 },
        counts: new Map(),
        watchHeap: HeapWatch.make()
      }
      return yield* Effect.onError(restore(fill(work)), () => discard(into, run.sync_id))
    })
  )

interface MergeWork extends MergeOptions {
  readonly plan: MergePlan
  /** Of the result. */
  readonly run: SyncRun.SyncRun
  readonly totals: { rowCount: number; bytes: number }
  readonly counts: Map<string, Counts>
  /** To be called every some hundred rows. */
  readonly watchHeap: () => void
}

/** What became of the records of a type so far. */
type Counts = { -readonly [K in Exclude<keyof MergeTypeReport, "type">]: MergeTypeReport[K] }

const fill = Effect.fnUntraced(function* (work: MergeWork): Effect.fn.Return<MergeReport, CompactorError> {
  const { counts, into, plan } = work
  for (const position of plan.groups.keys()) yield* mergeGroup(work, position)
  yield* requireCurrent("merge", into, work.run.sync_id)
  const run = yield* intoBase(into, into.endSync())
  yield* Effect.logInfo("Merged syncs").pipe(
    Effect.annotateLogs({ into: into.path, sync: run.sync_id, sources: plan.inputs.length, records: plan.recordCount })
  )
  return { plan, run, types: plan.types.map(({ type }) => ({ type: type.name, ...countsOf(counts, type.name) })) }
})

const countsOf = (counts: Map<string, Counts>, type: string): Counts => {
  const known = counts.get(type) ?? { readCount: 0, writtenCount: 0, supersededCount: 0, removedCount: 0 }
  counts.set(type, known)
  return known
}

/** A sync that cannot be removed stays started, for a cleanup: what the merge failed with says more. */
const discard = (into: RecordStore.RecordStore, sync: SyncRun.SyncId): Effect.Effect<void> =>
  Effect.catch(Effect.asVoid(into.removeSync(sync)), (error) =>
    Effect.logWarning("Cannot remove the sync of a merge that did not end").pipe(
      Effect.annotateLogs({ into: into.path, sync, error: error.message })
    )
  )

const intoBase = <A>(
  { path }: RecordStore.RecordStore,
  effect: Effect.Effect<A, BaseWriteError>
): Effect.Effect<A, CompactBaseFailed> =>
  Effect.mapError(effect, (cause) => new CompactBaseFailed({ operation: "merge", base: path, cause }))

/** Merges the sources of one group, and what came before. */
const mergeGroup = Effect.fnUntraced(function* (
  work: MergeWork,
  position: number
): Effect.fn.Return<void, CompactorError, Scope.Scope> {
  const { into, plan, run, sources } = work
  const inputs = yield* openSources(into, plan, sources, plan.groups[position]!)
  if (plan.isPartial) for (const input of inputs) yield* requireTypes(into, input)
  if (position > 0) inputs.push(yield* openResult(plan, into, run.sync_id))
  const keepsChanges = plan.isPartial || position < plan.groups.length - 1
  for (const type of plan.types) yield* mergeType(work, inputs, type, keepsChanges)
}, Effect.scoped)

const mergeType = Effect.fnUntraced(function* (
  work: MergeWork,
  inputs: ReadonlyArray<GroupInput>,
  { recordBytes, type }: MergeTypePlan,
  keepsChanges: boolean
): Effect.fn.Return<void, CompactorError, Scope.Scope> {
  const merge = MergeStep.make({ type, recordBytes, resultSource: work.plan.inputs.length, keepsChanges })
  const laneCount = laneCountOf(inputs)
  const bounds = { batchSize: batchSizeOf({ laneCount, recordBytes }), batchBytes: batchBytesOf(laneCount) }
  /** By the order of their lanes. */
  const pulls = new Map<number, Rows>()
  for (const input of inputs) {
    if (hasType(input, type)) {
      const lane = MergeStep.recordLane(type, input.source)
      pulls.set(lane.order, yield* recordsOf(input, type, bounds))
      merge.dry.push(lane)
    }
    if (input.hasChanges && hasType(input, SyncChange.SyncChange)) {
      const lane = MergeStep.changeLane(input.source)
      pulls.set(lane.order, yield* changesOf(input, type, bounds))
      merge.dry.push(lane)
    }
  }
  let suppliedCount = 0
  /** Batches that their bytes ended, since the last write: what is to be written may be as large. */
  let shortCount = 0
  for (let isMore = true; isMore; ) {
    for (const lane of merge.dry) {
      yield* supply(merge, lane, pulls.get(lane.order)!)
      suppliedCount += lane.rows.length
      const isShort = lane.rows.length < bounds.batchSize
      if (isShort) shortCount++
      if (suppliedCount < watchRowCount && !isShort) continue
      suppliedCount = 0
      work.watchHeap()
    }
    merge.dry.length = 0
    isMore = MergeStep.proceed(merge)
    const isDue = isMore ? MergeStep.isFull(merge) || shortCount >= laneCount : true
    if (!isDue || MergeStep.isEmpty(merge)) continue
    yield* write(work, merge)
    shortCount = 0
  }
}, Effect.scoped)

const laneCountOf = (inputs: ReadonlyArray<GroupInput>): number =>
  inputs.reduce((count, { hasChanges }) => count + (hasChanges ? 2 : 1), 0)

/** Gives a lane its next rows; one that has none is left out from now on. */
const supply = (
  { keys }: MergeStep.TypeMerge,
  lane: KeyMerge.Lane<MergeStep.Row>,
  pull: Rows
): Effect.Effect<void, CompactorError> => {
  const next: Effect.Effect<void, CompactorError> = Pull.matchEffect(pull, {
    onSuccess: (rows) => (rows.length === 0 ? next : Effect.sync(() => KeyMerge.supply(keys, lane, rows))),
    onFailure: (cause) => Effect.failCause(cause),
    onDone: () => Effect.void
  })
  return next
}

/** Writes a step, and tells of it. */
const write = Effect.fnUntraced(function* (
  work: MergeWork,
  { recordBytes, step, type }: MergeStep.TypeMerge
): Effect.fn.Return<void, CompactorError> {
  const { counts, into, onProgress, totals } = work
  const { changePuts, changeRemovals, puts, removals } = step
  yield* requireCurrent("merge", into, work.run.sync_id)
  if (puts.length > 0) yield* intoBase(into, into.put(type, puts))
  if (removals.length > 0) yield* intoBase(into, into.deleteMany(type, removals))
  if (changePuts.length > 0) yield* intoBase(into, into.put(SyncChange.SyncChange, changePuts))
  if (changeRemovals.length > 0) yield* intoBase(into, into.deleteMany(SyncChange.SyncChange, changeRemovals))
  const tally = countsOf(counts, type.name)
  tally.readCount += step.recordCount
  tally.writtenCount += step.writtenChange
  tally.supersededCount += step.supersededCount
  tally.removedCount += step.removedCount
  totals.rowCount += step.rowCount
  totals.bytes += puts.length * recordBytes + changePuts.length * changeBytes
  MergeStep.clear(step)
  if (onProgress !== undefined) yield* onProgress({ ...totals })
})
