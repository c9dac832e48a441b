import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, References, Result, type Scope, Stream } from "effect"
import type { Engine } from "../src/Engine.ts"
import * as LmdbEngine from "../src/live/LmdbEngine.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as SqliteEngine from "../src/live/SqliteEngine.ts"
import type * as RecordStore from "../src/RecordStore.ts"
import * as RecordType from "../src/RecordType.ts"
import { type ModelType, modelTypes } from "../src/testing/records/ModelTypes.ts"
import { makeRecordChoices, type RecordChoices } from "../src/testing/records/RecordChoices.ts"
import { type ModelRecord, valueAt } from "../src/testing/records/RecordModel.ts"
import { assertSound } from "./RecordStoreHarness.ts"
import { fill, momentOf, openAt, rowsNaming, syncA, syncB } from "./ReplaceHarness.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

/** `ICECORE_REPLACE_SEED` replays the seeds that failures named. */
const seeds = process.env.ICECORE_REPLACE_SEED?.split(",").map(Number)

const engines = {
  memory: MemoryEngine.layer,
  sqlite: Layer.provide(SqliteEngine.layer, LiveDisk.layer),
  lmdb: Layer.provide(LmdbEngine.layer, LiveDisk.layer)
}

type EngineName = keyof typeof engines

const onEngine = <A, E>(
  name: EngineName,
  effect: Effect.Effect<A, E, Engine | Scope.Scope>
): Effect.Effect<A, E, Scope.Scope> => Effect.provide(effect, engines[name])

/** The records of one sync by type. */
type Tables = ReadonlyMap<string, ReadonlyArray<ModelRecord>>

const nameOf = ({ primaryKey }: ModelType, record: ModelRecord): string =>
  JSON.stringify(
    primaryKey.map((keyPath) => {
      const value = valueAt(record, keyPath)
      return value instanceof Uint8Array ? [...value] : typeof value === "bigint" ? `${value}` : value
    })
  )

const tablesOf = (choices: RecordChoices, like?: Tables): Tables =>
  new Map(
    modelTypes.map((type) => {
      const some = [
        ...Array.from({ length: choices.nextInt(6) }, () => choices.records(type)).flat(),
        ...(type.type.name === "Thing" && choices.oneIn(4) ? choices.many(200 + choices.nextInt(1_500)) : []),
        // Some of those of the other side, as they are.
        ...(like?.get(type.type.name) ?? []).filter(() => choices.oneIn(2))
      ]
      return [type.type.name, choices.oneIn(6) ? [] : some]
    })
  )

/** The type as another store may have it: with some of its indexes, and others. */
const variantOf = (choices: RecordChoices, { type }: ModelType): RecordType.Any => {
  if (choices.oneIn(2)) return type
  const kept = Object.entries(type.indexes).filter(() => !choices.oneIn(3))
  const other: ReadonlyArray<readonly [string, RecordType.Index]> = choices.oneIn(2)
    ? [["by_other", { paths: [type.primaryKey[0]!] }]]
    : []
  return Result.getOrThrow(
    RecordType.fromShape({
      name: type.name,
      shape: type.shape,
      version: 1 + choices.nextInt(3),
      primaryKey: type.primaryKey,
      indexes: Object.fromEntries(choices.shuffled([...kept, ...other])),
      ...(type.recency === undefined ? {} : { recency: type.recency })
    })
  )
}

const recordsOf = (types: ReadonlyArray<RecordType.Any>, tables: Tables) =>
  types.map((type) => [type, tables.get(type.name) ?? []] as const)

/** What must have become of the records, from the records alone. */
const expectedChanges = (going: Tables, coming: Tables) =>
  modelTypes
    .map((type) => {
      const { name } = type.type
      const encode = (record: ModelRecord): string => Buffer.from(type.type.codec.encodeUnsafe(record)).toString("hex")
      const table = (tables: Tables) =>
        new Map((tables.get(name) ?? []).map((record) => [nameOf(type, record), encode(record)]))
      const [before, after] = [table(going), table(coming)]
      const both = [...after].filter(([key]) => before.has(key))
      const unchangedCount = both.filter(([key, value]) => before.get(key) === value).length
      return {
        type: name,
        addedCount: after.size - both.length,
        replacedCount: both.length - unchangedCount,
        removedCount: before.size - both.length,
        unchangedCount
      }
    })
    .filter(({ addedCount, removedCount, replacedCount, unchangedCount }) =>
      [addedCount, removedCount, replacedCount, unchangedCount].some((count) => count > 0)
    )
    .sort((left, right) => (left.type < right.type ? -1 : 1))

const replaceOnce: (
  seed: number,
  baseEngine: EngineName,
  sourceEngine: EngineName
) => Effect.Effect<RecordStore.SyncReplacement, unknown, Scope.Scope> = Effect.fnUntraced(
  function* (seed, baseEngine, sourceEngine) {
    const choices = makeRecordChoices(seed)
    const directory = yield* temporaryDirectory
    const going = tablesOf(choices)
    const coming = tablesOf(choices, going)
    const baseTypes = choices.shuffled(modelTypes.map((type) => variantOf(choices, type)))
    const sourceTypes = choices
      .shuffled(modelTypes.map((type) => variantOf(choices, type)))
      .filter(({ name }) => (coming.get(name) ?? []).length > 0 || choices.oneIn(2))
    const base = yield* onEngine(baseEngine, openAt(path.join(directory, "base"), baseTypes))
    const source = yield* onEngine(sourceEngine, openAt(path.join(directory, "source"), sourceTypes))
    const isThere = !choices.oneIn(4)
    if (isThere) yield* fill(base, syncA, recordsOf(baseTypes, going))
    yield* fill(base, syncB, recordsOf(baseTypes, going))
    if (choices.oneIn(2)) yield* fill(source, syncB, recordsOf(sourceTypes, going))
    yield* fill(source, syncA, recordsOf(sourceTypes, coming), { type: choices.pick(["full", "partial"]) })
    const others = yield* rowsNaming(base.database, syncB)

    const replaced = yield* base.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath: "source" })
    const changes = replaced.types.map(({ bytes: _, ...counts }) => counts)
    if (baseTypes.every(({ codec, name }) => codec.version === (typeIn(sourceTypes, name)?.codec.version ?? 1))) {
      assert.deepStrictEqual(changes, expectedChanges(isThere ? going : new Map(), coming))
    }
    for (const { type } of modelTypes) {
      const expected = typeIn(sourceTypes, type.name)
      if (expected === undefined) continue
      assert.deepStrictEqual(
        fieldsOf(yield* Stream.runCollect(base.stream(typeIn(baseTypes, type.name)!, { sync: syncA }))),
        fieldsOf(yield* Stream.runCollect(source.stream(expected, { sync: syncA })))
      )
    }
    assert.deepStrictEqual(yield* base.getSync(syncA), yield* source.getSync(syncA))
    assert.deepStrictEqual(yield* rowsNaming(base.database, syncB), others)
    yield* assertSound(base)
    return replaced
  }
)

const typeIn = (types: ReadonlyArray<RecordType.Any>, name: string): RecordType.Any | undefined =>
  types.find((type) => type.name === name)

/** Without what the codec keeps of a version above its own. */
const fieldsOf = (records: ReadonlyArray<object>): unknown => records.map((record) => Object.entries(record))

const quiet = Effect.provideService(References.MinimumLogLevel, "Error" as const)

describe("RecordStore.replaceSync", () => {
  it.live(
    "does in memory what the records alone say, whatever the stores' types, tags and indexes are",
    () =>
      Effect.gen(function* () {
        const actions = new Set<string>()
        for (const seed of seeds ?? Array.from({ length: 60 }, (_, index) => index + 1)) {
          const { plan } = yield* Effect.scoped(replaceOnce(seed, "memory", "memory")).pipe(
            Effect.mapError((cause) => new Error(`seed ${seed}`, { cause })),
            Effect.onError(() => Effect.logError(`seed ${seed}`))
          )
          for (const { action, keyspace } of plan.steps) actions.add(`${keyspace} ${action}`)
        }
        if (seeds !== undefined) return
        assert.includeMembers(
          [...actions],
          ["records copy", "records remove", "indexes copy", "indexes build", "indexes remove"]
        )
      }).pipe(quiet),
    300_000
  )

  for (const base of Object.keys(engines) as ReadonlyArray<EngineName>) {
    for (const source of Object.keys(engines) as ReadonlyArray<EngineName>) {
      it.live(
        `does what the records alone say from ${source} into ${base}`,
        () =>
          Effect.gen(function* () {
            for (const seed of seeds ?? [201, 202, 203, 204]) yield* Effect.scoped(replaceOnce(seed, base, source))
          }).pipe(quiet),
        300_000
      )
    }
  }
})
