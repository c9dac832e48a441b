import { assert, describe, it } from "@effect/vitest"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect } from "effect"
import type * as Store from "../src/Store.ts"
import { check, layer, open, recover } from "./support/CrashStore.ts"
import { largeEntryAt } from "./support/StoreHarness.ts"

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
          states: 3_000
        })
        yield* Effect.log(report.summary)
        assert.isAtLeast(report.stateCount, Math.min(report.wantedCount, 3_000))
      }),
    600_000
  )
})
