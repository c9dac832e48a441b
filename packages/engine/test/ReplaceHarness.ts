/** What the tests of replacing a sync share. */
import { assert } from "@effect/vitest"
import { Effect, type Scope, Stream } from "effect"
import type { Database, Engine, EngineError, Reader, Row } from "../src/Engine.ts"
import { storeKeyspaces, syncBytes } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import type { RecordListError } from "../src/RecordReader.ts"
import * as RecordStore from "../src/RecordStore.ts"
import type * as RecordType from "../src/RecordType.ts"
import type { SyncId } from "../src/SyncRun.ts"
import { type Item, items, Item as itemType, Pair, syncId } from "./PlantedStore.ts"

export const basePath = "/base"
export const sourcePath = "/source"

export const openAt = (
  path: string,
  types: ReadonlyArray<RecordType.Any> = [itemType, Pair]
): Effect.Effect<RecordStore.RecordStore, RecordStore.RecordOpenError, Engine | Scope.Scope> =>
  RecordStore.open({ path, types, arenaBytes: RecordStore.minArenaBytes })

/** A finished sync with these records, of which the type is the second of each pair. */
export const fill: (
  store: RecordStore.RecordStore,
  sync: SyncId,
  records: ReadonlyArray<readonly [RecordType.Any, ReadonlyArray<unknown>]>,
  options?: { readonly type?: string; readonly endedAt?: number }
) => Effect.Effect<void, RecordStore.RecordPutError | Error> = Effect.fnUntraced(function* (
  store,
  sync,
  records,
  { endedAt = 5, type = "full" } = {}
) {
  yield* store.startSync({ type, syncId: sync, startedAt: 1 })
  for (const [of, some] of records) yield* store.put(of, some as ReadonlyArray<never>)
  yield* store.endSync({ endedAt })
})

/** Items of which every seventh is gone, every fifth changed and some are new. */
export const changedItems = (count: number): Array<Item> =>
  items(count + 20)
    .filter((_, index) => index % 7 !== 3)
    .map((each, index) => (index % 5 === 0 ? { ...each, group: `moved ${index % 4}`, flag: !each.flag } : each))

/** The moment of a store, as a source. */
export const momentOf = (store: RecordStore.RecordStore): Effect.Effect<Reader, EngineError, Scope.Scope> =>
  store.database.snapshot

/** All rows of the engine that name the sync, by keyspace. */
export const rowsNaming: (
  database: Database,
  sync: SyncId
) => Effect.Effect<ReadonlyArray<readonly [string, ReadonlyArray<Row>]>, EngineError> = Effect.fnUntraced(
  function* (database, sync) {
    const id = Buffer.from(syncBytes(sync))
    return yield* Effect.forEach(storeKeyspaces, (keyspace) =>
      Effect.map(Stream.runCollect(database.scan(keyspace)), (rows) => {
        const named = rows.filter(({ key }) => Buffer.from(key).indexOf(id) >= 0)
        return [keyspace, named] as const
      })
    )
  }
)

/** Every row of the engine. */
export const allRows = (database: Database): Effect.Effect<unknown, EngineError> =>
  Effect.forEach(storeKeyspaces, (keyspace) => Stream.runCollect(database.scan(keyspace)))

/** The records of a sync by the primary key and by each index of the type, read from both stores, are the same. */
export const assertSame: (
  left: RecordStore.RecordStore,
  right: RecordStore.RecordStore,
  sync: SyncId,
  types: ReadonlyArray<RecordType.Any>
) => Effect.Effect<void, RecordListError> = Effect.fnUntraced(function* (left, right, sync, types) {
  for (const type of types) {
    for (const index of [undefined, ...Object.keys(type.indexes)]) {
      const options = { sync, ...(index === undefined ? {} : { index }) }
      const [found, expected] = yield* Effect.all([
        Stream.runCollect(left.stream(type, options)),
        Stream.runCollect(right.stream(type, options))
      ])
      assert.deepStrictEqual(found, expected, `${type.name} by ${index ?? "key"}`)
    }
  }
})

export const syncA: SyncId = syncId(1)
export const syncB: SyncId = syncId(2)

/** Runs a test over stores in memory. */
export const inMemory = <A, E>(effect: Effect.Effect<A, E, Engine | Scope.Scope>): Effect.Effect<A, E> =>
  Effect.provide(Effect.scoped(effect), MemoryEngine.layer)
