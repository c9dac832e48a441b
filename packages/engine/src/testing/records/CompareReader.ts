/**
 * Holds a reader of records to the model: every method, every type, every index, prefixes that occur and one that does not, pages of every
 * size, order included, filters and bounds on what is looked at.
 */
import { Data, Effect, Option, Result, Stream } from "effect"
import type { SyncTypeMismatch } from "../../RecordError.ts"
import type { ListOptions, RecordListError, RecordReader } from "../../RecordReader.ts"
import type * as RecordType from "../../RecordType.ts"
import type { SyncId } from "../../SyncRun.ts"
import type { ModelType } from "./ModelTypes.ts"
import type { RecordChoices } from "./RecordChoices.ts"
import {
  countsOf,
  describe,
  isSame,
  keyOf,
  keyText,
  latestFinished,
  listed,
  type ModelListing,
  type ModelRecord,
  type ModelSync,
  type RecordModel,
  runsOf
} from "./RecordModel.ts"

/** A reader says something else than the model. */
export class RecordsDiffer extends Data.Error<{
  readonly what: string
  readonly expected: string
  readonly actual: string
}> {
  readonly _tag = "RecordsDiffer"
  override readonly name = "RecordsDiffer"
  override get message(): string {
    return `Cannot agree on ${this.what}: expected ${excerpt(this.expected)}, actual ${excerpt(this.actual)}`
  }
}

/** Who is compared with whom. */
export interface Comparison {
  readonly reader: RecordReader
  readonly model: RecordModel
  readonly types: ReadonlyArray<ModelType>
  readonly random: RecordChoices
  /** The type that the reader is asked with; readers without declarations have their own. */
  readonly typeOf: (type: ModelType) => RecordType.Any
}

/** `pages`: every page size for lists of up to 60 records. `glance`: some page size for everything. */
export type Thoroughness = "pages" | "glance"

/** What comparing can fail with. */
export type CompareError = RecordsDiffer | RecordListError | SyncTypeMismatch

type Compared = Effect.Effect<void, CompareError>

/** Fails unless the two are the same. */
export const agree = (what: string, actual: unknown, expected: unknown): Effect.Effect<void, RecordsDiffer> =>
  isSame(actual, expected)
    ? Effect.void
    : Effect.fail(new RecordsDiffer({ what, expected: describe(expected), actual: describe(actual) }))

/** Fails unless the effect fails with an error of the tag. */
export const agreeFails = <A, E extends { readonly _tag: string }, R>(
  what: string,
  effect: Effect.Effect<A, E, R>,
  tag: string
): Effect.Effect<void, RecordsDiffer, R> =>
  Effect.flatMap(Effect.result(effect), (result) =>
    agree(what, Result.isFailure(result) ? result.failure._tag : "success", tag)
  )

/** Everything but the records: runs, counts, which sync is read when none is named. */
export const compareRuns: (comparison: Comparison) => Compared = Effect.fnUntraced(function* (comparison: Comparison) {
  const { model, reader, types, typeOf } = comparison
  const runs = runsOf(model)
  yield* agree("listSyncs", yield* reader.listSyncs, runs)
  for (const run of runs) {
    yield* agree(`getSync ${run.sync_id}`, Option.getOrUndefined(yield* reader.getSync(run.sync_id)), run)
    const sync = model.get(run.sync_id)!
    const stats = yield* reader.stats({ sync: run.sync_id, syncType: run.type })
    yield* agree(`stats of ${run.sync_id}`, { run: stats.run, counts: stats.counts }, { run, counts: countsOf(sync) })
    const other = reader.stats({ sync: run.sync_id, syncType: `${run.type}?` })
    yield* agreeFails(`stats of ${run.sync_id} as of another type`, other, "SyncTypeMismatch")
  }
  for (const syncType of [undefined, "strange", ...new Set(runs.map(({ type }) => type))]) {
    const found = Option.getOrUndefined(yield* reader.latestFinishedSync(syncType))
    const latest = latestFinished(model, syncType)
    yield* agree(`latestFinishedSync ${syncType}`, found, latest)
    const stats = reader.stats(syncType === undefined ? {} : { syncType })
    if (latest === undefined) yield* agreeFails(`stats of the latest ${syncType}`, stats, "NoFinishedSync")
    else yield* agree(`stats of the latest ${syncType}`, (yield* stats).run, latest)
  }
  const latest = latestFinished(model)
  for (const type of types) {
    const list = reader.list(typeOf(type))
    if (latest === undefined) yield* agreeFails("a list of no sync", list, "NoFinishedSync")
    else {
      const expected = listed(model.get(latest.sync_id)!, { type })
      yield* agree(`the default list of ${type.type.name}`, (yield* list).items, expected)
    }
  }
})

/** All records of a sync. */
export const compareSync: (comparison: Comparison, sync: ModelSync, thoroughness: Thoroughness) => Compared =
  Effect.fnUntraced(function* (comparison: Comparison, sync: ModelSync, thoroughness: Thoroughness) {
    for (const type of comparison.types) {
      yield* compareKeys(comparison, sync, type)
      for (const index of [undefined, ...Object.keys(type.indexes)])
        yield* compareListings(comparison, sync, { type, index }, thoroughness)
    }
  })

/** `get` and `getMany` of what is there, of what is not, and of a key twice. */
const compareKeys: (comparison: Comparison, sync: ModelSync, type: ModelType) => Compared = Effect.fnUntraced(
  function* (comparison: Comparison, sync: ModelSync, type: ModelType) {
    const { random, reader, typeOf } = comparison
    const table = sync.tables.get(type.type.name)!
    const there = [...table.values()]
    const sought = random.shuffled([
      ...there.filter(() => there.length < 100 || random.oneIn(50)),
      ...Array.from({ length: 5 }, () => random.record(type))
    ])
    if (there.length > 0) sought.push(random.pick(there))
    const expected = sought.map((record) => table.get(keyText(type, record)))
    const options = { sync: sync.run.sync_id }
    const keys = sought.map((record) => keyOf(type, record))
    const many = yield* reader.getMany(typeOf(type), keys, options)
    yield* agree(`getMany of ${type.type.name}`, many.map(Option.getOrUndefined), expected)
    for (const [at, key] of keys.entries()) {
      const found = Option.getOrUndefined(yield* reader.get(typeOf(type), key, options))
      yield* agree(`get ${describe(key)} of ${type.type.name}`, found, expected[at])
    }
  }
)

/** One index or the primary key: all of it, and below each prefix. */
const compareListings: (
  comparison: Comparison,
  sync: ModelSync,
  listing: ModelListing,
  thoroughness: Thoroughness
) => Compared = Effect.fnUntraced(function* (
  comparison: Comparison,
  sync: ModelSync,
  listing: ModelListing,
  thoroughness: Thoroughness
) {
  const { random } = comparison
  const expected = listed(sync, listing)
  const sizes = thoroughness === "pages" ? pageSizesOf(expected.length, random) : [1 + random.nextInt(12), 10_000]
  for (const pageSize of sizes) {
    if (expected.length > 200 && pageSize < 20 && thoroughness === "glance") continue
    yield* comparePages(comparison, sync, listing, { pageSize }, expected)
  }
  yield* compareStream(comparison, sync, listing, expected)

  // Matches that lie far apart, and pages that end before they are full.
  const wanted = random.nextInt(7)
  const filter = (record: ModelRecord): boolean => Number(record.discovered_at ?? 0) % 7 === wanted
  const filtered = { ...listing, filter }
  const scanLimit = random.pick([1, 2, 5, 100, 100_000])
  if (expected.length <= 60 || scanLimit >= 100)
    yield* comparePages(comparison, sync, filtered, { pageSize: 1 + random.nextInt(5), scanLimit })
  yield* compareStream(comparison, sync, filtered)

  for (const prefix of prefixesOf(listing, expected, random)) {
    if (thoroughness === "glance" && !random.oneIn(4)) continue
    const below = { ...listing, prefix }
    const inside = listed(sync, below)
    const some = thoroughness === "pages" ? pageSizesOf(inside.length, random) : [1 + random.nextInt(12)]
    for (const pageSize of inside.length > 12 ? [random.pick(some), random.pick(some)] : some)
      yield* comparePages(comparison, sync, below, { pageSize }, inside)
    if (random.oneIn(4)) yield* comparePages(comparison, sync, { ...below, filter }, { pageSize: 2 })
    if (random.oneIn(4)) yield* compareStream(comparison, sync, below, inside)
  }
})

/** From 1 to one more than there are; of a long list some of these. */
const pageSizesOf = (count: number, random: RecordChoices): ReadonlyArray<number> => {
  if (count <= 60) return [...Array.from({ length: count + 1 }, (_, at) => at + 1), 10_000]
  const some = Array.from({ length: 2 }, () => 1 + random.nextInt(count))
  return [random.pick([1, 2, 3]), 47, ...some, count - 1, count, count + 1, 10_000].filter((size) => size <= 10_000)
}

/** Every prefix that occurs, by depth, and one that may not; of a long list some. */
const prefixesOf = (
  { index, type }: ModelListing,
  records: ReadonlyArray<ModelRecord>,
  random: RecordChoices
): ReadonlyArray<ModelRecord> => {
  const table = new Map(records.map((record) => [keyText(type, record), record]))
  const strange = random.prefix(type, index, new Map())
  if (records.length > 60) return [strange, ...Array.from({ length: 4 }, () => random.prefix(type, index, table))]
  const paths = index === undefined ? type.primaryKey : type.indexes[index]!.paths
  const prefixes = new Map<string, ModelRecord>([[describe(strange), strange]])
  for (const record of records) {
    for (let depth = 1; depth <= paths.length; depth++) {
      const prefix = keyOf({ ...type, primaryKey: paths.slice(0, depth) }, record)
      prefixes.set(describe(prefix), prefix)
    }
  }
  return [...prefixes.values()]
}

const nameOf = (sync: ModelSync, { filter, index, prefix, type }: ModelListing, pageSize?: number): string =>
  `${type.type.name} ${index ?? "by key"} of ${sync.run.sync_id}${prefix === undefined ? "" : ` below ${describe(prefix)}`}` +
  `${filter === undefined ? "" : ", filtered"}${pageSize === undefined ? ", streamed" : `, in pages of ${pageSize}`}`

const optionsOf = (sync: ModelSync, { filter, index, prefix }: ModelListing): ListOptions<RecordType.Any> => ({
  sync: sync.run.sync_id as SyncId,
  ...(index === undefined ? {} : { index }),
  ...(prefix === undefined ? {} : { prefix }),
  ...(filter === undefined ? {} : { filter })
})

const compareStream: (
  comparison: Comparison,
  sync: ModelSync,
  listing: ModelListing,
  expected?: ReadonlyArray<ModelRecord>
) => Compared = Effect.fnUntraced(function* (
  { reader, typeOf }: Comparison,
  sync: ModelSync,
  listing: ModelListing,
  expected: ReadonlyArray<ModelRecord> = listed(sync, listing)
) {
  const streamed = yield* Stream.runCollect(reader.stream(typeOf(listing.type), optionsOf(sync, listing)))
  yield* agree(nameOf(sync, listing), [...streamed], expected)
})

/** Follows the tokens from the first page to the last. */
export const comparePages: (
  comparison: Comparison,
  sync: ModelSync,
  listing: ModelListing,
  bounds: { readonly pageSize: number; readonly scanLimit?: number },
  expected?: ReadonlyArray<ModelRecord>
) => Compared = Effect.fnUntraced(function* (
  { reader, typeOf }: Comparison,
  sync: ModelSync,
  listing: ModelListing,
  bounds: { readonly pageSize: number; readonly scanLimit?: number },
  expected: ReadonlyArray<ModelRecord> = listed(sync, listing)
) {
  const what = nameOf(sync, listing, bounds.pageSize)
  const unfiltered = listing.filter === undefined ? expected : listed(sync, { ...listing, filter: undefined })
  // An index that is behind is read off the records, all of them for each page.
  const scanLimit =
    sync.mayBeBehind && listing.index !== undefined ? Number.POSITIVE_INFINITY : (bounds.scanLimit ?? 100_000)
  const items: Array<ModelRecord> = []
  let pageToken: string | undefined
  let scannedCount = 0
  // A page that ends early has looked at one row or more.
  for (let pages = 0; ; pages++) {
    if (pages > unfiltered.length + 1) return yield* agree(`the number of pages of ${what}`, pages, "fewer")
    const page = yield* reader.list(typeOf(listing.type), {
      ...optionsOf(sync, listing),
      ...bounds,
      ...(pageToken === undefined ? {} : { pageToken })
    })
    items.push(...page.items)
    scannedCount += page.scannedCount
    yield* agree(`the orphans of ${what}`, page.orphanCount, 0)
    if (page.items.length > bounds.pageSize || page.scannedCount > scanLimit)
      yield* agree(`the bounds of ${what}`, [page.items.length, page.scannedCount], bounds)
    if (Option.isNone(page.nextPageToken)) break
    pageToken = page.nextPageToken.value
    if (listing.filter === undefined && bounds.scanLimit === undefined) {
      yield* agree(`the length of a page of ${what}`, page.items.length, bounds.pageSize)
      if (items.length >= expected.length) yield* agree(`the token of the last page of ${what}`, "some", "none")
    }
  }
  yield* agree(what, items, expected)
  yield* agree(`the rows looked at for ${what}`, scannedCount >= unfiltered.length, true)
})

const excerpt = (text: string): string =>
  text.length <= 700 ? text : `${text.slice(0, 700)}… (${text.length} characters)`
