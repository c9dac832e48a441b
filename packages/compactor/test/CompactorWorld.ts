/** A base and a source with versions of the same syncs, in memory, and what a refused call must leave. */
import { assert, it } from "@effect/vitest"
import { Engine, type RecordStore, type SyncRun } from "@icecore/engine"
import { Effect, type Scope } from "effect"
import { Compactor, type CompactorError, Source } from "../src/index.ts"
import {
  digestBeside,
  engineOf,
  fill,
  grantsOf,
  idOf,
  openStore,
  type Services,
  services
} from "./CompactorFixtures.ts"

export const A: SyncRun.SyncId = idOf(1)
export const B: SyncRun.SyncId = idOf(2)
export const C: SyncRun.SyncId = idOf(3)

export interface World extends Compactor.Compactor {
  readonly engine: Engine
  readonly base: RecordStore.RecordStore
  readonly other: RecordStore.RecordStore
  readonly source: Source.Source
}

export const sourceOf = (engine: Engine, store: RecordStore.RecordStore): Effect.Effect<Source.Source> =>
  Effect.provideService(Source.ofStore(store), Engine, engine)

/** Base has 3,000 grants of A and 500 of B; source 1,500 of A, of which 500 are base's, 500 changed and 500 new. */
export const world: Effect.Effect<World, unknown, Services | Scope.Scope> = Effect.gen(function* () {
  const engine = yield* engineOf("memory")
  const base = yield* openStore(engine, { path: "/base" })
  yield* fill(base, A, grantsOf(0, 3_000, 1))
  yield* fill(base, B, grantsOf(0, 500, 1))
  const other = yield* openStore(engine, { path: "/source" })
  yield* fill(other, A, [...grantsOf(0, 500, 1), ...grantsOf(500, 500, 2), ...grantsOf(10_000, 500, 2)])
  const source = yield* sourceOf(engine, other)
  return { engine, base, other, source, ...Compactor.make() }
})

export const test = (name: string, run: Effect.Effect<void, unknown, Services | Scope.Scope>): void =>
  it.effect(name, () => run.pipe(Effect.scoped, Effect.provide(services)))

/** A digest of all rows of a store. */
export const contentsOf = (store: RecordStore.RecordStore): ReturnType<typeof digestBeside> =>
  digestBeside(store.database, idOf(99))

/** The tag of what the effect fails with, and of its cause; the store is as it was, and sound. */
export const refusal: (
  store: RecordStore.RecordStore,
  call: Effect.Effect<unknown, CompactorError>
) => Effect.Effect<{ readonly tags: string; readonly message: string }, unknown> = Effect.fnUntraced(
  function* (store, call) {
    const before = yield* contentsOf(store)
    const failure = yield* Effect.flip(call)
    assert.strictEqual(yield* contentsOf(store), before)
    assert.deepStrictEqual((yield* store.check()).findings, [])
    const tags = failure._tag === "CompactRefused" ? failure._tag : `${failure._tag}/${failure.cause._tag}`
    return { tags, message: failure.message }
  }
)
