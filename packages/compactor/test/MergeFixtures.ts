/** What the tests of merging share: record types of every kind of key, random partial and full syncs, and a naive model. */
import { assert } from "@effect/vitest"
import { type Engine, type RecordReader, RecordStore, RecordType, SyncChange, type SyncRun } from "@icecore/engine"
import { SurvivorChoice } from "@icecore/packfile/testing"
import { Effect, Schema, type Scope, Stream } from "effect"
import { Source } from "../src/index.ts"
import type { SyncSource } from "../src/Source.ts"
import { idOf } from "./CompactorFixtures.ts"

export const Account: RecordType.Any = RecordType.make({
  name: "Account",
  fields: Schema.Struct({
    id: Schema.String,
    owner: Schema.String,
    active: Schema.Boolean,
    origin: Schema.String,
    discovered_at: Schema.Int
  }),
  primaryKey: ["id"],
  indexes: { by_owner: { paths: ["owner"] }, by_active: { paths: ["active"], where: { path: "active", equals: true } } }
})

/** Without recency, and with a key of two parts. */
export const Note: RecordType.Any = RecordType.make({
  name: "Note",
  fields: Schema.Struct({ room: Schema.Uint8Array, number: Schema.Int, origin: Schema.String }),
  primaryKey: ["room", "number"],
  indexes: { by_origin: { paths: ["origin"] } }
})

/** With a recency field of another name. */
export const Event: RecordType.Any = RecordType.make({
  name: "Event",
  fields: Schema.Struct({ at: Schema.Date, seen: Schema.Int, origin: Schema.String }),
  primaryKey: ["at"],
  recency: "seen"
})

export const allTypes: ReadonlyArray<RecordType.Any> = [Account, Note, Event, SyncChange.SyncChange]

export type Row = Readonly<Record<string, unknown>>

/** What one source has. */
export interface SourceRows {
  readonly runType: string
  readonly records: ReadonlyArray<{ readonly type: RecordType.Any; readonly record: Row }>
  readonly changes: ReadonlyArray<SyncChange.SyncChange>
}

export interface Choices {
  /** Uniform in [0, bound). */
  readonly nextInt: (bound: number) => number
  readonly pick: <A>(choices: ReadonlyArray<A>) => A
}

export const makeChoices = (seed: number): Choices => {
  const next = SurvivorChoice.generator(seed)
  const nextInt = (bound: number): number => Math.floor((next() / 0x1_0000_0000) * bound)
  return { nextInt, pick: (choices) => choices[nextInt(choices.length)]! }
}

const ids = ["", "a", "a\0", "a\0\0", "a\x01", "\x01", "b", "ab", "é", "\uffff", "\u{1f600}", "z".repeat(200)]
const rooms = [[], [0], [0, 0], [0, 1], [1], [255]].map((each) => Uint8Array.from(each))

const recordOf = ({ nextInt, pick }: Choices, type: RecordType.Any, origin: string): Row => {
  switch (type) {
    case Account:
      return {
        id: pick(ids),
        owner: `owner ${nextInt(4)}`,
        active: nextInt(2) === 0,
        origin,
        discovered_at: nextInt(6)
      }
    case Note:
      return { room: pick(rooms), number: pick([-1, 0, 1, 256]), origin }
    default:
      return { at: new Date(pick([-1, 0, 1, 1_700_000_000_000])), seen: nextInt(6), origin }
  }
}

/** A source in which few keys meet often. */
export const randomSource = (choices: Choices, number: number, isPartial: boolean): SourceRows => {
  const { nextInt, pick } = choices
  const runType = isPartial ? pick(["partial", "partial_diff"]) : "full"
  const types = [Account, Note, Event].filter(() => nextInt(8) > 0)
  const records = types.flatMap((type) =>
    Array.from({ length: nextInt(12) }, (_, at) => ({ type, record: recordOf(choices, type, `${number}.${at}`) }))
  )
  const changes = isPartial || nextInt(4) === 0 ? randomChanges(choices, types, records) : []
  return { runType, records, changes }
}

/** Of records that are there and of others. */
const randomChanges = (
  choices: Choices,
  types: ReadonlyArray<RecordType.Any>,
  records: SourceRows["records"]
): ReadonlyArray<SyncChange.SyncChange> => {
  const { nextInt, pick } = choices
  return Array.from({ length: types.length === 0 ? 0 : nextInt(10) }, () => {
    const isOfOne = records.length > 0 && nextInt(2) === 0
    const type = pick(types)
    const of = isOfOne ? pick(records) : { type, record: recordOf(choices, type, "") }
    const kind = pick(["added", "changed", "removed", "removed"] as const)
    const fields = kind === "changed" ? ["owner"] : []
    return SyncChange.make({ type: of.type, record: of.record, kind, fields, discoveredAt: nextInt(7) })
  })
}

export const account = (id: string, at: number, origin = ""): Row => ({
  id,
  owner: `owner of ${id}`,
  active: true,
  origin,
  discovered_at: at
})

export const accounts = (...records: ReadonlyArray<Row>): SourceRows["records"] =>
  records.map((record) => ({ type: Account, record }))

export const fullOf = (...records: ReadonlyArray<Row>): SourceRows => ({
  runType: "full",
  changes: [],
  records: accounts(...records)
})

export const partialOf = (
  records: ReadonlyArray<Row>,
  changes: ReadonlyArray<SyncChange.SyncChange> = []
): SourceRows => ({ runType: "partial", records: accounts(...records), changes })

/** Puts a source into a store as a sync of its own, finished unless it is said otherwise. */
export const fillSource: (
  store: RecordStore.RecordStore,
  rows: SourceRows,
  options?: { readonly isUnfinished?: boolean; readonly number?: number }
) => Effect.Effect<SyncRun.SyncRun, RecordStore.RecordPutError | StartError> = Effect.fnUntraced(function* (
  store,
  { changes, records, runType },
  { isUnfinished = false, number } = {}
) {
  const run = yield* store.startSync({ type: runType, ...(number === undefined ? {} : { syncId: idOf(number) }) })
  for (const type of allTypes) {
    yield* store.put(
      type,
      records.filter((each) => each.type === type).map(({ record }) => record)
    )
  }
  yield* store.put(SyncChange.SyncChange, changes)
  return isUnfinished ? run : yield* store.endSync()
})

type StartError = Effect.Error<ReturnType<RecordStore.RecordStore["startSync"]>>

/** By type name and key. */
export type Expected = Map<string, { readonly type: RecordType.Any; readonly record?: Row; readonly change?: Row }>

const nameOf = (type: string, key: Uint8Array): string => `${type} ${Buffer.from(key).toString("hex")}`

/** What a merge of these comes to, one candidate after the other. */
export const mergedNaively = (sources: ReadonlyArray<SourceRows>): Expected => {
  const candidates = new Map<string, Array<Candidate>>()
  sources.forEach((source, place) => {
    for (const [name, candidate] of candidatesOf(source, place)) {
      candidates.set(name, [...(candidates.get(name) ?? []), candidate])
    }
  })
  const isPartial = sources.every(({ runType }) => runType.startsWith("partial"))
  const expected: Expected = new Map()
  for (const [name, all] of candidates) {
    const { change, record, type } = all.toSorted(newestFirst)[0]!
    const kept = isPartial && change !== undefined ? { change: change as unknown as Row } : {}
    if (record !== undefined) expected.set(name, { type, record, ...kept })
    else if (isPartial) expected.set(name, { type, ...kept })
  }
  return expected
}

interface Candidate {
  readonly type: RecordType.Any
  readonly place: number
  /** Undefined: the type has no times. */
  readonly time: number | undefined
  readonly record: Row | undefined
  readonly change: SyncChange.SyncChange | undefined
}

const newestFirst = (left: Candidate, right: Candidate): number =>
  (right.time ?? 0) - (left.time ?? 0) || right.place - left.place

const candidatesOf = ({ changes, records }: SourceRows, place: number): Map<string, Candidate> => {
  const found = new Map<string, Candidate>()
  const time = (type: RecordType.Any, at: unknown) => (type.recency === undefined ? undefined : (at as number))
  for (const { record, type } of records) {
    const name = nameOf(type.name, SyncChange.recordKeyOf(type, record))
    found.set(name, { type, place, time: time(type, record[type.recency ?? ""]), record, change: undefined })
  }
  const lastChanges = new Map(changes.map((change) => [nameOf(change.record_type, change.record_key), change]))
  for (const [name, change] of lastChanges) {
    const type = allTypes.find((each) => each.name === change.record_type)!
    const own = found.get(name)
    const at = time(type, change.discovered_at)
    if (change.kind === "removed") {
      const isNewer = own === undefined || (at !== undefined && at > own.time!)
      if (isNewer) found.set(name, { type, place, time: at, record: undefined, change })
    } else if (own !== undefined && (at === undefined || at >= own.time!)) {
      found.set(name, { ...own, time: at, change })
    }
  }
  return found
}

/** What a sync holds, as the model has it. */
export const contentsOf: (
  reader: RecordReader.RecordReader,
  sync: SyncRun.SyncId
) => Effect.Effect<Expected, RecordReader.RecordListError> = Effect.fnUntraced(function* (reader, sync) {
  const contents: Expected = new Map()
  const present = new Set(reader.types.map(({ name }) => name))
  for (const type of allTypes.filter(({ name }) => present.has(name))) {
    if (type === SyncChange.SyncChange) continue
    for (const record of yield* Stream.runCollect(reader.stream(type, { sync }))) {
      contents.set(nameOf(type.name, SyncChange.recordKeyOf(type, record)), { type, record })
    }
  }
  if (!present.has(SyncChange.SyncChange.name)) return contents
  for (const change of yield* Stream.runCollect(reader.stream(SyncChange.SyncChange, { sync }))) {
    const name = nameOf(change.record_type, change.record_key)
    const type = allTypes.find((each) => each.name === change.record_type)!
    contents.set(name, { type, ...contents.get(name), change: change as unknown as Row })
  }
  return contents
})

/** Stores with one of these syncs each, as sources. */
export const storesOf: (
  sources: ReadonlyArray<SourceRows>,
  root?: string
) => Effect.Effect<
  ReadonlyArray<SyncSource & { readonly store: RecordStore.RecordStore }>,
  RecordStore.RecordPutError | RecordStore.RecordOpenError | StartError,
  Engine | Scope.Scope
> = Effect.fnUntraced(function* (sources, root = "") {
  const opened: Array<SyncSource & { readonly store: RecordStore.RecordStore }> = []
  for (const [place, rows] of sources.entries()) {
    const store = yield* openMemory(`${root}/source${place}`)
    yield* fillSource(store, rows)
    opened.push({ store, source: yield* Source.ofStore(store) })
  }
  return opened
})

export const assertSound = (store: RecordStore.RecordStore): Effect.Effect<void, RecordReader.RecordReadError> =>
  Effect.map(store.check(), ({ findings }) => assert.deepStrictEqual(findings, []))

export const openMemory = (
  path: string,
  types: ReadonlyArray<RecordType.Any> = allTypes
): Effect.Effect<RecordStore.RecordStore, RecordStore.RecordOpenError, Engine | Scope.Scope> =>
  RecordStore.open({ path, types, arenaBytes: RecordStore.minArenaBytes })
