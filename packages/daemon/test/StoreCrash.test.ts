import { assert, describe, it } from "@effect/vitest"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect } from "effect"
import type * as Store from "../src/Store.ts"
import { inspect, layer, open, recover } from "./support/CrashStore.ts"
import { largeEntryAt } from "./support/StoreHarness.ts"

/** The log is a run from the first entry on that holds at least what was acknowledged. */
const check = (acknowledged: ReadonlyArray<number>) =>
  Effect.map(inspect, (entries) => {
    assert.isAtLeast(entries.length, (acknowledged.at(-1) ?? -1) + 1)
    for (const [index, { seq, bytes }] of entries.entries()) {
      assert.strictEqual(seq, index)
      assert.isTrue(Buffer.compare(bytes, largeEntryAt(seq)) === 0, `entry ${seq}`)
    }
  })

describe("Store", () => {
  it.effect(
    "keeps every acknowledged entry through a crash at any step of first start, appends, freezes and discards",
    () =>
      Effect.gen(function* () {
        const report = yield* CrashEnumerator.enumerate<Store.StoreServices, number>({
          name: "store: append one by one",
          layer,
          scenario: (acknowledge) =>
            Effect.gen(function* () {
              const { history, settled } = yield* open()
              for (let seq = 0; seq < 9; seq++) {
                yield* history.append([largeEntryAt(seq)])
                yield* acknowledge(seq)
              }
              yield* settled
            }),
          recover,
          check,
          states: 8_000
        })
        yield* Effect.log(report.summary)
        assert.isAtLeast(report.stateCount, Math.min(report.wantedCount, 8_000))
      }),
    300_000
  )

  it.effect(
    "keeps every acknowledged entry through a crash while commits span boundaries and freezes lag behind",
    () =>
      Effect.gen(function* () {
        const report = yield* CrashEnumerator.enumerate<Store.StoreServices, number>({
          name: "store: append in lists",
          layer,
          scenario: (acknowledge) =>
            Effect.gen(function* () {
              const { history, settled } = yield* open({ entriesPerCommit: 3, maxUnfrozenChunks: 2 })
              for (let seq = 0; seq < 14; seq += 7) {
                yield* history.append(Array.from({ length: 7 }, (_, index) => largeEntryAt(seq + index)))
                yield* acknowledge(seq + 6)
              }
              yield* settled
            }),
          recover,
          check,
          states: 3_000
        })
        yield* Effect.log(report.summary)
        assert.isAtLeast(report.stateCount, Math.min(report.wantedCount, 3_000))
      }),
    300_000
  )
})
