import { assert, describe, it } from "@effect/vitest"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect } from "effect"
import type * as Store from "../src/Store.ts"
import { check, layer, open, recover } from "./support/CrashStore.ts"
import { largeEntryAt } from "./support/StoreHarness.ts"

describe("Store", () => {
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
          states: 1_500
        })
        yield* Effect.log(report.summary)
        assert.isAtLeast(report.stateCount, Math.min(report.wantedCount, 1_500))
      }),
    600_000
  )
})
