/**
 * Replaces a sync by what another store has of it: one `Database.replace` over all of its ranges.
 *
 * 1. Outlines of both sides, from one moment each, and the plan; what cannot be is refused.
 * 2. Entries of indexes that the source lacks are made and written aside, buffered.
 * 3. The transaction: blocks of the source are walked, held against the records that go, and cut anew for this store's engine.
 */
import { Effect, Result, type Scope, Stream } from "effect"
import type { Reader, Replacement, Row } from "../../../Engine.ts"
import { targetSizeBytes as maxTargetSizeBytes } from "../../../format/BlockFormat.ts"
import { entryRunPrefix } from "../../../format/EntryRun.ts"
import {
  headerOf,
  indexesKeyspace,
  metaKeyspace,
  recordsKeyspace,
  schemaKey,
  syncBookKey,
  syncByTypeKey,
  syncBytes,
  syncRunKey,
  syncsKeyspace,
  type TypeLayout
} from "../../../format/RecordLayout.ts"
import { encodeSchema, encodeSyncBook, type StoreSchema } from "../../../format/StoreSchema.ts"
import { StoreCorrupt, SyncInUse } from "../../../RecordError.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import type { RecordReplaceError, ReplaceSyncOptions, SyncReplacement, TypeChange } from "../../../RecordStore.ts"
import { isFinished, type SyncId, SyncRun } from "../../../SyncRun.ts"
import type { SyncOutline, TransferPlan } from "../../../SyncTransfer.ts"
import { withAppended } from "../opening/SchemaPlan.ts"
import { noTag, readTypes } from "../reading/StoreTypes.ts"
import * as RecordKeys from "../writing/RecordKeys.ts"
import { bookOf } from "../writing/SyncSession.ts"
import type { Writer } from "../writing/Writer.ts"
import * as BlockFeed from "./BlockFeed.ts"
import * as BlockOutput from "./BlockOutput.ts"
import * as BuiltEntries from "./BuiltEntries.ts"
import { entryCountProblem } from "./EntryCount.ts"
import * as EntrySteps from "./EntrySteps.ts"
import { readOutline } from "./Outline.ts"
import * as RecordSteps from "./RecordSteps.ts"
import { type Pause, progressOf, type Steps, stepRows, type Tally } from "./StepRows.ts"
import { makePlan } from "./TransferSteps.ts"

/** Callers hold the writer's lock. */
export const replaceSync: <E>(
  writer: Writer,
  options: ReplaceSyncOptions<E>
) => Effect.Effect<SyncReplacement, RecordReplaceError | E> = Effect.fn("RecordStore.replaceSync")(function* <E>(
  writer: Writer,
  options: ReplaceSyncOptions<E>
): Effect.fn.Return<SyncReplacement, RecordReplaceError | E, Scope.Scope> {
  const { database, path } = writer
  const { source, sourcePath, sync } = options
  if (writer.current?.run.sync_id === sync) return yield* new SyncInUse({ path, sync, operation: "replace" })
  const old = yield* database.snapshot
  const coming = yield* readOutline({ reader: source, path: sourcePath, sync })
  const going = yield* readOutline({ reader: old, path, sync })
  const planned = makePlan(going, coming, options.unfinished === undefined ? {} : { unfinished: options.unfinished })
  if (Result.isFailure(planned)) return yield* planned.failure
  const ghost = ghostIn(coming, planned.success.run)
  if (ghost !== undefined) return yield* ghost
  const { storedLayouts } = yield* readTypes({ reader: source, path: sourcePath, declared: undefined })
  const comingTypes = coming.types.filter(({ recordCount }) => recordCount > 0).map(({ type }) => type)
  const schema = withAppended(writer.schema, comingTypes)
  const sides = { coming, going, old, plan: planned.success, schema, sourceLayouts: storedLayouts }
  const work = makeWork(writer, options, sides)
  yield* Effect.andThen(
    buildEntries(work),
    Effect.suspend(() => replaceAll(work))
  ).pipe(Effect.onError(() => Effect.ignore(removeBuilt(work))))
  return summaryOf(work)
}, Effect.scoped)

/** The transaction. What the store knows of its schema changes with it. */
const replaceAll = <E>(work: Work<E>): Effect.Effect<void, RecordReplaceError | E> => {
  const { schema, writer } = work
  const replacing = writer.database.replace(replacementsOf(work))
  if (schema === undefined) return replacing
  return Effect.uninterruptibleMask((restore) =>
    Effect.map(restore(replacing), () => {
      writer.schema = schema
    })
  )
}

/** A finished run that counts records of a type which its store does not have. */
const ghostIn = ({ path, sync, types }: SyncOutline, run: SyncRun): StoreCorrupt | undefined => {
  if (!isFinished(run)) return undefined
  const known = new Set(types.map(({ type }) => type.name))
  const ghost = Object.entries(run.counts).find(([name, count]) => count !== 0 && !known.has(name))
  return ghost === undefined ? undefined : otherCount({ path, sync, type: ghost[0], actual: 0, expected: ghost[1] })
}

interface Sides {
  readonly coming: SyncOutline
  readonly going: SyncOutline
  /** This store before. */
  readonly old: Reader
  readonly plan: TransferPlan
  /** That of this store with the fields that the source has appended; undefined where there are none. */
  readonly schema: StoreSchema | undefined
  /** The source's types, with its tags. */
  readonly sourceLayouts: ReadonlyArray<TypeLayout>
}

interface Work<E> extends Sides {
  readonly writer: Writer
  readonly options: ReplaceSyncOptions<E>
  readonly sync: Uint8Array
  readonly targetSizeBytes: number
  readonly records: ReadonlyMap<string, RecordSteps.RecordTally>
  readonly entries: Map<number, Tally>
  readonly rest: Tally
  readonly built: BuiltEntries.BuiltRuns
  readonly pause: Pause<E>
}

const makeWork = <E>(writer: Writer, options: ReplaceSyncOptions<E>, sides: Sides): Work<E> => {
  const records = new Map([...writer.layouts.keys()].sort().map((name) => [name, RecordSteps.makeTally()]))
  const entries = new Map<number, Tally>()
  for (const { indexes } of writer.layouts.values()) {
    for (const { tag } of indexes) entries.set(tag, { rowCount: 0, bytes: 0 })
  }
  const rest: Tally = { rowCount: 0, bytes: 0 }
  const progress = () => progressOf([...records.values(), ...entries.values(), rest])
  const { onStep } = options
  return {
    ...sides,
    writer,
    options,
    sync: syncBytes(options.sync),
    targetSizeBytes: Math.min(writer.database.denseValueSizeBytes ?? maxTargetSizeBytes, maxTargetSizeBytes),
    records,
    entries,
    rest,
    built: new Map(),
    // Others have their turn first.
    pause:
      onStep === undefined
        ? Effect.yieldNow
        : Effect.andThen(
            Effect.yieldNow,
            Effect.suspend(() => onStep(progress()))
          )
  }
}

/** The source's layout of a type, if it has records of it. */
const comingLayout = <E>({ coming, sourceLayouts }: Work<E>, name: string): TypeLayout | undefined => {
  const outline = coming.types.find(({ type }) => type.name === name)
  return outline === undefined || outline.recordCount === 0
    ? undefined
    : sourceLayouts.find(({ type }) => type.name === name)
}

const actionOf = <E>({ plan }: Work<E>, type: string, index: string) =>
  plan.steps.find((step) => step.type === type && step.index === index)?.action

const buildEntries = Effect.fnUntraced(function* <E>(work: Work<E>): Effect.fn.Return<void, RecordReplaceError | E> {
  const { built, pause, sync, writer } = work
  for (const layout of writer.layouts.values()) {
    const { name } = layout.type
    const indexes = layout.indexes.filter((index) => actionOf(work, name, index.name) === "build")
    const source = comingLayout(work, name)
    if (indexes.length === 0 || source === undefined) continue
    const keys = RecordKeys.make({ ...layout, indexes }, sync)
    yield* BuiltEntries.build({
      target: writer,
      keys,
      feed: sourceFeed(work, recordsKeyspace, source.tag),
      built,
      pause
    })
  }
})

const removeBuilt = <E>({ built, sync, writer }: Work<E>) =>
  built.size === 0 ? Effect.void : BuiltEntries.removeRuns(writer, sync)

/** The source's rows of a type or an index; none without a tag. */
const sourceFeed = <E>(
  { options: { source, sourcePath }, sync }: Work<E>,
  keyspace: string,
  tag: number | undefined
): BlockFeed.BlockFeed => {
  const header = headerOf(tag ?? noTag, sync)
  return BlockFeed.make({ reader: source, path: sourcePath, keyspace, header, isEmpty: tag === undefined })
}

const replacementsOf = <E>(work: Work<E>): ReadonlyArray<Replacement<RecordReadError | E>> => {
  const layouts = [...work.records.keys()].map((name) => work.writer.layouts.get(name)!)
  return [
    ...layouts.map((layout) => recordPart(work, layout)),
    ...layouts.flatMap((layout) => entryParts(work, layout)),
    ...runParts(work)
  ]
}

const recordPart = <E>(work: Work<E>, layout: TypeLayout): Replacement<RecordReadError | E> => {
  const { old, pause, sync, targetSizeBytes, writer } = work
  const { name } = layout.type
  const header = headerOf(layout.tag, sync)
  const source = comingLayout(work, name)
  const tally = work.records.get(name)!
  const begin = Effect.sync((): Steps<RecordReadError> => {
    Object.assign(tally, RecordSteps.makeTally())
    const steps = RecordSteps.make({
      source: sourceFeed(work, recordsKeyspace, source?.tag),
      base: BlockFeed.make({ reader: old, path: writer.path, keyspace: recordsKeyspace, header }),
      output: BlockOutput.make({ tag: layout.tag, targetSizeBytes, tally }),
      tally
    })
    return { ...steps, next: Effect.tap(steps.next, (isEnd) => (isEnd ? checkCount(work, name, tally) : Effect.void)) }
  })
  return { keyspace: recordsKeyspace, range: { prefix: header }, rows: stepRows({ begin, pause }) }
}

/** The source must have as many records as it says. */
const checkCount = <E>(
  { coming, options: { sourcePath, sync }, plan }: Work<E>,
  type: string,
  { rowCount }: Tally
): Effect.Effect<void, StoreCorrupt> => {
  const counted = coming.types.find((outline) => outline.type.name === type)?.recordCount ?? 0
  const expected = isFinished(plan.run) ? (plan.run.counts[type] ?? 0) : counted
  if (rowCount === expected) return Effect.void
  return Effect.fail(otherCount({ path: sourcePath, sync, type, actual: rowCount, expected }))
}

interface OtherCount {
  readonly path: string
  readonly sync: SyncId
  readonly type: string
  readonly actual: number
  readonly expected: number
}

const otherCount = ({ actual, expected, path, sync, type }: OtherCount): StoreCorrupt => {
  const detail = `sync ${sync} has ${actual} records of type ${type}, expected ${expected}`
  return new StoreCorrupt({ path, part: "bookkeeping", detail })
}

const entryParts = <E>(work: Work<E>, layout: TypeLayout): ReadonlyArray<Replacement<RecordReadError | E>> => {
  const { built, entries, pause, sync, targetSizeBytes, writer } = work
  const { name: typeName } = layout.type
  const source = comingLayout(work, typeName)
  const indexes = [...layout.indexes].sort((left, right) => (left.name < right.name ? -1 : 1))
  return indexes.map(({ name, tag }): Replacement<RecordReadError | E> => {
    const tally = entries.get(tag)!
    const action = actionOf(work, typeName, name)
    const begin = Effect.suspend((): Effect.Effect<Steps<RecordReadError>, RecordReadError> => {
      Object.assign(tally, { rowCount: 0, bytes: 0 })
      const output = BlockOutput.make({ tag, targetSizeBytes, tally })
      if (action === "build") return BuiltEntries.begin(writer, built.get(tag), output)
      const sourceTag = action === "copy" ? source?.indexes.find((index) => index.name === name)?.tag : undefined
      const steps = EntrySteps.make(sourceFeed(work, indexesKeyspace, sourceTag), output)
      if (action !== "copy") return Effect.succeed(steps)
      const checked = Effect.tap(steps.next, (isEnd) => (isEnd ? checkEntries(work, layout, name, tally) : Effect.void))
      return Effect.succeed({ ...steps, next: checked })
    })
    return {
      keyspace: indexesKeyspace,
      range: { prefix: headerOf(tag, sync) },
      rows: stepRows({ begin, pause })
    }
  })
}

/** The records are those that come: their number was checked before, or counted. */
const checkEntries = <E>(
  { coming, options: { sourcePath, sync } }: Work<E>,
  { type }: TypeLayout,
  index: string,
  { rowCount }: Tally
): Effect.Effect<void, StoreCorrupt> => {
  const { recordCount } = coming.types.find((outline) => outline.type.name === type.name)!
  const problem = entryCountProblem({ type, index, recordCount, entryCount: rowCount })
  if (problem === undefined) return Effect.void
  return Effect.fail(new StoreCorrupt({ path: sourcePath, part: "bookkeeping", detail: `sync ${sync}: ${problem}` }))
}

/** The run, its entry by type, and what is kept about it. */
const runParts = <E>(work: Work<E>): ReadonlyArray<Replacement> => {
  const { coming, going, plan, rest, schema, sync } = work
  const { run } = plan
  const isBehind = coming.isBehind && !isFinished(run)
  const put = (keyspace: string, key: Uint8Array, value: () => Uint8Array): Replacement => ({
    keyspace,
    range: { gte: key, lte: key },
    rows: Stream.suspend(() => {
      const row: Row = { key, value: value() }
      rest.bytes += key.length + row.value.length
      return Stream.succeed(row)
    })
  })
  const remove = (keyspace: string, range: Replacement["range"]): Replacement => ({
    keyspace,
    range,
    rows: Stream.empty
  })
  const before = going.run
  const oldEntry = before === undefined || before.type === run.type ? undefined : syncByTypeKey(before.type, sync)
  rest.bytes = 0
  return [
    put(syncsKeyspace, syncRunKey(sync), () => SyncRun.codec.encodeUnsafe(run)),
    ...(oldEntry === undefined ? [] : [remove(syncsKeyspace, { gte: oldEntry, lte: oldEntry })]),
    put(syncsKeyspace, syncByTypeKey(run.type, sync), () => new Uint8Array()),
    put(metaKeyspace, syncBookKey(sync), () =>
      encodeSyncBook(bookOf(isBehind ? "behind" : "complete", countsOf(work)))
    ),
    ...(schema === undefined ? [] : [put(metaKeyspace, schemaKey(), () => encodeSchema(schema))]),
    // Entries that were written aside, by this replacement or before.
    remove(metaKeyspace, { prefix: entryRunPrefix(sync) })
  ]
}

const countsOf = <E>({ records }: Work<E>): ReadonlyMap<string, number> =>
  new Map([...records].map(([name, { rowCount }]) => [name, rowCount]))

const summaryOf = <E>({ entries, going, plan, records, rest }: Work<E>): SyncReplacement => {
  const types = [...records].flatMap(([type, tally]): ReadonlyArray<TypeChange> => {
    const { addedCount, bytes, removedCount, replacedCount, rowCount, unchangedCount } = tally
    if (rowCount + removedCount === 0) return []
    return [{ type, addedCount, replacedCount, removedCount, unchangedCount, bytes }]
  })
  let entryCount = 0
  for (const { rowCount } of entries.values()) entryCount += rowCount
  return {
    plan,
    before: going.run,
    run: plan.run,
    types,
    entryCount,
    bytes: progressOf([...records.values(), ...entries.values(), rest]).bytes,
    isEmpty: [...records.values()].every(({ rowCount }) => rowCount === 0)
  }
}
