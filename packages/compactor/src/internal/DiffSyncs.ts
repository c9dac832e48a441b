/**
 * `diff`: the differences of two syncs, put into one that is started for them.
 *
 * The sync is ended last of all, by one durable write, and removed when anything before that fails.
 */
import {
  RecordComparison,
  type RecordStore,
  type RecordType,
  SyncChange,
  type SyncRun,
  SyncTransfer,
  TypeUnion
} from "@icecore/engine"
import { Effect, Option, type Scope, Stream } from "effect"
import {
  type BaseWriteError,
  CompactBaseFailed,
  type CompactorError,
  CompactRefused,
  type CompactSourceFailed
} from "../CompactorError.ts"
import type { SyncSource } from "../Source.ts"
import {
  type DiffOptions,
  type DiffPlan,
  type DiffReport,
  defaultDiffType,
  type PlanDiffOptions,
  plan
} from "../SyncDiff.ts"
import type { Throttle } from "../Throttle.ts"
import * as Moment from "./Moment.ts"
import { requireCurrent } from "./OwnSync.ts"
import { stepAfter } from "./Steps.ts"

export const diff: (throttle: Throttle, options: DiffOptions) => Effect.Effect<DiffReport, CompactorError> =
  Effect.fnUntraced(function* (throttle, options) {
    const { into } = options
    yield* requireUse(options)
    const base = yield* wholeSideOf(options, options.base)
    const applied = yield* wholeSideOf(options, options.applied)
    const sources = [...new Set([base.run.sync_id, applied.run.sync_id])]
    const type = options.type ?? defaultDiffType
    const fill = Effect.fnUntraced(function* (own: SyncRun.SyncId) {
      const types = yield* store(throttle, options, { base, applied, own })
      yield* requireCurrent("diff", into, own)
      const run = yield* Effect.mapError(into.endSync(), intoFailure(options))
      return { run, types }
    })
    return yield* Effect.uninterruptibleMask((restore) =>
      into.startSync({ type, parent: base.run.sync_id, sources, exclusive: true }).pipe(
        Effect.mapError(intoFailure(options)),
        Effect.flatMap(({ sync_id }) =>
          Effect.onError(restore(fill(sync_id)), () => Effect.ignore(into.removeSync(sync_id)))
        )
      )
    )
  }, Effect.scoped)

export const planDiff: (options: PlanDiffOptions) => Effect.Effect<DiffPlan, CompactorError> = Effect.fnUntraced(
  function* (options) {
    const base = yield* wholeSideOf(options, options.base)
    const applied = yield* wholeSideOf(options, options.applied)
    const steps = plan(base.outline, applied.outline)
    return {
      base: base.run,
      applied: applied.run,
      steps,
      rows: steps.reduce((rows, { appliedRows, baseRows }) => rows + appliedRows + baseRows, 0),
      bytes: sizeOf(base.outline) + sizeOf(applied.outline)
    }
  },
  Effect.scoped
)

/** One sync, at one moment. */
interface Side {
  readonly moment: Moment.Moment
  readonly run: SyncRun.SyncRun
  readonly outline: SyncTransfer.SyncOutline
}

const intoFailure =
  ({ into }: DiffOptions) =>
  (cause: BaseWriteError): CompactBaseFailed =>
    new CompactBaseFailed({ operation: "diff", base: into.path, cause })

const requireUse = Effect.fnUntraced(function* ({ into, type = defaultDiffType }: DiffOptions) {
  const refuse = (detail: string) => new CompactRefused({ operation: "diff", base: into.path, detail })
  if (!SyncChange.isPartial({ type }))
    return yield* refuse(`its type is ${type}, expected one that begins with partial`)
  const current = yield* into.currentSync
  if (Option.isSome(current)) return yield* refuse(`sync ${current.value.sync_id} is current, expected none`)
})

const sideOf: (side: SyncSource) => Effect.Effect<Side, CompactSourceFailed, Scope.Scope> = Effect.fnUntraced(
  function* ({ source, syncId }) {
    const moment = yield* Moment.take("diff", source)
    const run = yield* Moment.runOf(moment, syncId)
    const { path, reader } = moment
    const outline = yield* Effect.mapError(SyncTransfer.outline({ reader, path, sync: run.sync_id }), moment.asFailure)
    return { moment, run, outline }
  }
)

/** A sync that holds changes itself is not all that there is: what it lacks would count as removed. */
const wholeSideOf = Effect.fnUntraced(function* ({ base, into }: PlanDiffOptions, source: SyncSource) {
  const side = yield* sideOf(source)
  const { moment, outline, run } = side
  const changes = outline.types.find(({ type }) => type.name === SyncChange.SyncChange.name)
  if (changes === undefined || changes.recordCount === 0) return side
  const detail = `sync ${run.sync_id} of ${moment.path} holds changes of another, expected a whole one: merge the two`
  return yield* new CompactRefused({ operation: "diff", base: into?.path ?? base.source.source.path, detail })
})

const sizeOf = ({ types }: SyncTransfer.SyncOutline): number =>
  types.reduce((bytes, { recordBytes, recordCount }) => bytes + Math.round(recordBytes * recordCount), 0)

/** Bytes of a change, about: the names, the key of its record, its entry. */
const changeBytes = 128

interface Sides {
  readonly base: Side
  readonly applied: Side
  /** The sync that takes what differs. */
  readonly own: SyncRun.SyncId
}

/** Puts what differs into its sync, which is current. */
const store = Effect.fnUntraced(function* (
  throttle: Throttle,
  options: DiffOptions,
  { applied, base, own }: Sides
): Effect.fn.Return<DiffReport["types"], CompactorError> {
  const { ignoredFields = [], into, onProgress } = options
  const summaries = new Map<string, RecordComparison.TypeSummary>()
  const intoBase = Effect.mapError(intoFailure(options))
  const passStep = stepAfter(throttle, onProgress)
  const appliedAt = applied.run.ended_at ?? applied.run.started_at
  const bytesOf = new Map(applied.outline.types.map(({ recordBytes, type }) => [type.name, recordBytes]))
  let totals = { rowCount: 0, bytes: 0 }
  const take = Effect.fnUntraced(function* (step: RecordComparison.ComparisonStep) {
    RecordComparison.summarize(summaries, step)
    const records = step.differences.flatMap(({ right }) => Option.toArray(right))
    const [first] = step.differences
    if (first !== undefined) {
      yield* requireCurrent("diff", into, own)
      yield* intoBase(into.put(typeIn(into, first.type), records))
      const changes = step.differences.map((each) => changeOf(each, appliedAt))
      yield* intoBase(into.put(SyncChange.SyncChange, changes))
    }
    totals = {
      rowCount: totals.rowCount + step.leftCount + step.rightCount,
      bytes: totals.bytes + records.length * (bytesOf.get(step.type) ?? 0) + step.differences.length * changeBytes
    }
    yield* passStep(totals)
  })
  const steps = RecordComparison.compare({
    left: { reader: base.moment.records, sync: base.run.sync_id },
    right: { reader: applied.moment.records, sync: applied.run.sync_id },
    types: plan(base.outline, applied.outline).map(({ type }) => type),
    ignoredFields
  })
  yield* Stream.runForEach(
    Stream.mapError(steps, (cause) => (base.moment.hasFailedWith(cause) ? base : applied).moment.asFailure(cause)),
    take
  )
  return [...summaries.values()]
})

/** The store's own type of the name, where it has every field of the other; else the other, which the store then refuses. */
const typeIn = ({ types }: RecordStore.RecordStore, type: RecordType.Any): RecordType.Any => {
  const own = types.find(({ name }) => name === type.name)
  return own !== undefined && TypeUnion.covers(own, type) ? own : type
}

/** It is as new as the newest that is known of it, so that it stands against what it was. */
const changeOf = (
  { fields, kind, left, right, type }: RecordComparison.Difference,
  appliedAt: number
): SyncChange.SyncChange =>
  SyncChange.make({
    type,
    record: Option.getOrElse(right, () => Option.getOrThrow(left)) as RecordType.Key<RecordType.Any>,
    kind,
    fields,
    discoveredAt: Math.max(appliedAt, recencyOf(type, left), recencyOf(type, right))
  })

const recencyOf = ({ recency }: RecordType.Any, record: Option.Option<object>): number =>
  recency === undefined || Option.isNone(record) ? 0 : (record.value as Readonly<Record<string, number>>)[recency]!
