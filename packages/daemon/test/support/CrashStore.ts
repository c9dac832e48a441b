/** What the crash enumerations of a store have in common. */
import { assert } from "@effect/vitest"
import { Audit } from "@icecore/catalog"
import type { CrashWorld } from "@icecore/packfile/testing"
import { Effect, Layer, type Scope, Stream } from "effect"
import type { Entry } from "../../src/Entry.ts"
import type { HistoryReadError } from "../../src/History.ts"
import * as Store from "../../src/Store.ts"
import { collect, largeEntryAt, makeMachine, smallGeometry } from "./StoreHarness.ts"

/** A machine in the world that crashes. */
export const layer = (world: CrashWorld): Layer.Layer<Store.StoreServices> =>
  Layer.unwrap(Effect.sync(() => makeMachine({ world }).services))

export const open = (
  options: Partial<Store.StoreOptions> = {}
): Effect.Effect<Store.Store, Store.StoreOpenError, Store.StoreServices | Scope.Scope> =>
  Store.make({ dataDir: "/store", geometry: smallGeometry, ...options })

/** A restart: everything is found again and brought to rest. */
export const recover: Effect.Effect<void, Store.StoreOpenError, Store.StoreServices | Scope.Scope> = Effect.flatMap(
  open(),
  ({ settled }) => settled
)

/** All that is served, after checking that what lies on disk explains itself and is at rest. */
export const inspect: Effect.Effect<
  ReadonlyArray<Entry>,
  Store.StoreOpenError | HistoryReadError,
  Store.StoreServices | Scope.Scope
> = Effect.gen(function* () {
  const { history, catalog, verify, settled } = yield* open()
  yield* settled
  const { nextSeq, chunks } = yield* history.status
  const entries = yield* collect(history)
  assert.strictEqual(entries.length, nextSeq)
  assert.deepStrictEqual(chunks, { frozen: Math.floor(nextSeq / 4), freezing: 0, hot: 1 })
  assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
  const checked = yield* Stream.runCollect(verify)
  assert.deepStrictEqual(
    checked.flatMap(({ findings }) => findings),
    []
  )
  return entries
})

/** The log is a run of {@link largeEntryAt} from the first entry on, and holds at least what was acknowledged. */
export const check = (
  acknowledged: ReadonlyArray<number>
): Effect.Effect<void, Store.StoreOpenError | HistoryReadError, Store.StoreServices | Scope.Scope> =>
  Effect.map(inspect, (entries) => {
    assert.isAtLeast(entries.length, (acknowledged.at(-1) ?? -1) + 1)
    for (const [index, { seq, bytes }] of entries.entries()) {
      assert.strictEqual(seq, index)
      assert.isTrue(Buffer.compare(bytes, largeEntryAt(seq)) === 0, `entry ${seq}`)
    }
  })
