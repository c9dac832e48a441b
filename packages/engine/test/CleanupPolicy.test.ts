import { assert, it } from "@effect/vitest"
import { Ksuid } from "@icecore/codec"
import { Result } from "effect"
import { type CleanupPolicy, plan } from "../src/CleanupPolicy.ts"
import type { SyncId, SyncRun } from "../src/SyncRun.ts"

const hourMillis = 60 * 60 * 1_000
const nowMillis = 1_000 * hourMillis

const idOf = (number: number): SyncId => Result.getOrThrow(Ksuid.fromBytes(new Uint8Array(20).fill(number)))

/** Started `number` hours after 1970, and ended half an hour later. */
const run = (number: number, fields: Partial<SyncRun> = {}): SyncRun => ({
  sync_id: idOf(number),
  type: "full",
  started_at: number * hourMillis * 1_000,
  ended_at: (number + 0.5) * hourMillis * 1_000,
  token: "",
  counts: {},
  ...fields
})

const unfinished = (number: number, fields: Partial<SyncRun> = {}): SyncRun => {
  const { ended_at: _, ...rest } = run(number)
  return { ...rest, ...fields }
}

const removed = (policy: CleanupPolicy, runs: ReadonlyArray<SyncRun>, current?: SyncId): Array<number> => {
  const { keep, remove } = plan(policy, { runs, current, nowMillis })
  assert.strictEqual(keep.length + remove.length, runs.length)
  return remove.map(({ sync_id }) => Ksuid.toBytes(sync_id)[0]!)
}

it("CleanupPolicy.plan keeps the two syncs of each type that ended last, of those that ended at once the greater id", () => {
  const full = [1, 2, 3, 4].map((number) => run(number))
  const partial = [5, 6].map((number) => run(number, { type: "partial" }))
  assert.deepStrictEqual(removed({}, [...full, ...partial]), [1, 2])
  const late = run(1, { ended_at: 1_000 * hourMillis * 1_000 })
  assert.deepStrictEqual(removed({}, [late, ...full.slice(1)]), [2, 3])
  const together = [7, 8, 9].map((number) => run(number, { ended_at: 5 }))
  assert.deepStrictEqual(removed({ keepFinishedPerType: 1 }, together), [7, 8])
})

it("CleanupPolicy.plan removes every finished sync when none is to be kept", () => {
  assert.deepStrictEqual(removed({ keepFinishedPerType: 0 }, [run(1), run(2)]), [1, 2])
})

it("CleanupPolicy.plan keeps unfinished syncs for a week, or for as long as it is told", () => {
  const startedBefore = (hours: number, number: number): SyncRun =>
    unfinished(number, { started_at: (nowMillis - hours * hourMillis) * 1_000 })
  assert.deepStrictEqual(removed({}, [startedBefore(7 * 24 + 1, 1), startedBefore(7 * 24, 2)]), [1])
  assert.deepStrictEqual(removed({ keepUnfinishedMillis: 1_000 * hourMillis }, [unfinished(1)]), [])
  assert.deepStrictEqual(removed({ keepUnfinishedMillis: 0 }, [unfinished(1)]), [1])
})

it("CleanupPolicy.plan never removes the current sync, nor what an unfinished one continues", () => {
  assert.deepStrictEqual(removed({ keepUnfinishedMillis: 0 }, [unfinished(1)], idOf(1)), [])
  const child = unfinished(5, { parent_sync_id: idOf(1) })
  assert.deepStrictEqual(removed({}, [run(1), run(2), run(3), run(4), child], idOf(5)), [2])
  // The one that an unfinished one continues may continue another.
  const middle = unfinished(2, { parent_sync_id: idOf(1) })
  const last = unfinished(4, { parent_sync_id: idOf(2) })
  assert.deepStrictEqual(
    removed({ keepFinishedPerType: 0, keepUnfinishedMillis: 0 }, [run(1), middle, run(3), last], idOf(4)),
    [3]
  )
  const finishedChild = run(5, { type: "partial", parent_sync_id: idOf(1) })
  assert.deepStrictEqual(removed({}, [run(1), run(2), run(3), finishedChild]), [1])
})

it("CleanupPolicy.plan looks at the asked types only", () => {
  const runs = [run(1), run(2), run(3, { type: "partial" }), run(4, { type: "partial" })]
  assert.deepStrictEqual(removed({ keepFinishedPerType: 0, types: ["partial"] }, runs), [3, 4])
})
