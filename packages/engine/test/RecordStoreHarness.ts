/** What the tests of the record store share: opening one in memory, and comparing all of a sync with what it should hold. */
import { assert } from "@effect/vitest"
import { Effect, type Scope, Stream } from "effect"
import type { Engine } from "../src/Engine.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import type { RecordListError } from "../src/RecordReader.ts"
import * as RecordStore from "../src/RecordStore.ts"
import type { SyncId } from "../src/SyncRun.ts"
import { Item, Pair } from "./PlantedStore.ts"

export const path = "/records"

export const openStore = (
  options: Partial<RecordStore.RecordStoreOptions> = {}
): Effect.Effect<RecordStore.RecordStore, RecordStore.RecordOpenError, Engine | Scope.Scope> =>
  RecordStore.open({ path, types: [Item, Pair], arenaBytes: RecordStore.minArenaBytes, ...options })

const byKey =
  (...keys: ReadonlyArray<(item: Item) => string | number>) =>
  (left: Item, right: Item): number => {
    for (const key of keys) {
      const [a, b] = [key(left), key(right)]
      if (a !== b) return a < b ? -1 : 1
    }
    return 0
  }

const id = ({ id }: Item): string => id

/** What each index lists, from the records alone. */
const expectedOf = (items: ReadonlyArray<Item>): Record<string, ReadonlyArray<string>> => ({
  by_group: items
    .toSorted(
      byKey(
        ({ group }) => group,
        ({ number }) => number,
        id
      )
    )
    .map(id),
  by_flag: items
    .filter(({ flag }) => flag)
    .toSorted(byKey(id))
    .map(id),
  by_note: items
    .filter(({ note }) => note !== undefined)
    .toSorted(byKey(({ note }) => note!, id))
    .map(id)
})

/** Compares the items of a sync, in every order, with those expected (of the same id the last), and checks the whole store. */
export const assertItems: (
  store: RecordStore.RecordStore,
  sync: SyncId,
  expected: ReadonlyArray<Item>
) => Effect.Effect<void, RecordListError> = Effect.fnUntraced(function* (store, sync, expected) {
  const items = [...new Map(expected.map((item) => [item.id, item])).values()].toSorted(byKey(id))
  assert.deepStrictEqual(yield* Stream.runCollect(store.stream(Item, { sync })), items)
  for (const [index, ids] of Object.entries(expectedOf(items))) {
    const listed = yield* Stream.runCollect(store.stream(Item, { sync, index: index as "by_group" }))
    assert.deepStrictEqual(listed.map(id), ids, index)
  }
  yield* assertSound(store)
})

/** Fails when the checker finds anything. */
export const assertSound = (store: RecordStore.RecordStore): Effect.Effect<void, RecordListError> =>
  Effect.map(store.check(), ({ findings }) => assert.deepStrictEqual(findings, []))

/** Runs something with a new store in memory. */
export const inMemory = <A, E>(
  use: (store: RecordStore.RecordStore) => Effect.Effect<A, E>
): Effect.Effect<A, E | RecordStore.RecordOpenError> =>
  Effect.scoped(Effect.flatMap(openStore(), use)).pipe(Effect.provide(MemoryEngine.layer))
