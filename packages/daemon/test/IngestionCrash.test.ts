import { assert, describe, it } from "@effect/vitest"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect, Option } from "effect"
import type { Entry } from "../src/Entry.ts"
import type { EntriesOptions, Source } from "../src/Source.ts"
import type * as Store from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { inspect, layer, open } from "./support/CrashStore.ts"

describe("Store.ingest", () => {
  it.effect(
    "ingests a source whole through a crash at any step, and goes on from its position",
    () =>
      Effect.gen(function* () {
        const count = 11
        const expected = Array.from({ length: count }, (_, seq): Entry => ({ seq, bytes: DemoSource.entryAt(seq) }))
        const asked: Array<EntriesOptions> = []
        const watched = (): Source => {
          const source = DemoSource.make({ count })
          return {
            ...source,
            // What can be read only once goes through hot databases.
            isRepeatable: false,
            entries: (options) => {
              asked.push(options)
              return source.entries(options)
            }
          }
        }
        const ingest = Effect.gen(function* () {
          const store = yield* open({ entriesPerCommit: 2 })
          const served = yield* store.history.served
          yield* store.ingest(watched())
          const { from, resume } = asked.at(-1)!
          assert.strictEqual(resume === undefined, Option.isNone(served))
          assert.strictEqual(from, Option.match(served, { onNone: () => 0, onSome: ({ latest }) => latest + 1 }))
        })
        const report = yield* CrashEnumerator.enumerate<Store.StoreServices>({
          name: "store: ingest a source",
          layer,
          scenario: () => ingest,
          recover: ingest,
          check: () => Effect.map(inspect, (entries) => assert.deepStrictEqual(entries, expected)),
          states: 800
        })
        yield* Effect.log(report.summary)
        assert.isAtLeast(report.stateCount, Math.min(report.wantedCount, 800))
      }),
    300_000
  )
})
