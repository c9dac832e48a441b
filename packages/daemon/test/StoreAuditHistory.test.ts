import { assert, describe, it } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import type { History } from "../src/History.ts"
import * as Store from "../src/Store.ts"
import * as StoreAudit from "../src/StoreAudit.ts"
import * as Built from "./support/BuiltStore.ts"
import { about, finished, pack } from "./support/PlantedFaults.ts"

const { built, builtCount, entryAt, keyAt, layout } = Built

describe("StoreAudit.audit of a history", () => {
  it.effect("asks an open history, and finds each way in which it can answer wrongly", () =>
    Effect.gen(function* () {
      const { services } = yield* built()
      yield* Effect.gen(function* () {
        const { history, settled, catalog } = yield* Store.make({
          dataDir: "/store",
          geometry: Built.geometry,
          graceMillis: 0,
          retention: { chunks: 5, earliest: 2 }
        })
        yield* history.append(Array.from({ length: 8 }, (_, at) => entryAt(builtCount + at)))
        yield* settled
        const findings = (asked: History) =>
          StoreAudit.findings({ layout: catalog.layout, keptChunks: 5, history: asked })
        assert.deepStrictEqual(yield* findings(history), [])
        assert.deepStrictEqual(yield* history.served, Option.some({ floor: 12, latest: 33 }))
        const nothing = Effect.succeedNone
        const lies: ReadonlyArray<readonly [string, Partial<History>, RegExp]> = [
          ["served", { served: Effect.succeedSome({ floor: 12, latest: 32 }) }, /serves 12 to 32, stored is 12 to 33/],
          [
            "get",
            { get: (seq) => (seq === 20 ? Effect.succeed(entryAt(21)) : history.get(seq)) },
            /^Entry 20 is read as other bytes than are stored$/
          ],
          [
            "range",
            {
              range: (options) => Stream.map(history.range(options), (batch) => batch.filter(({ seq }) => seq !== 18))
            },
            /^Entry 18 is read as other bytes than are stored$/
          ],
          [
            "find, nothing",
            { find: (key) => (Buffer.compare(key, keyAt(25)) === 0 ? nothing : history.find(key)) },
            /of entry 25 finds nothing$/
          ],
          [
            "find, another",
            {
              find: (key) =>
                Effect.map(
                  history.find(key),
                  Option.map((found) => (found.seq === 13 ? { ...found, seq: 14 } : found))
                )
            },
            /of entry 13 finds entry 14$/
          ],
          [
            "find, a stranger",
            {
              find: (key) =>
                Effect.map(
                  history.find(key),
                  Option.orElseSome(() => ({ seq: 1, bytes: entryAt(1) }))
                )
            },
            /^A key that no entry has finds entry 1$/
          ],
          [
            "below the floor",
            { get: (seq) => (seq === 11 ? Effect.succeed(entryAt(11)) : history.get(seq)) },
            /^Entry 11 lies below the floor and is not answered so$/
          ],
          [
            "behind the latest",
            { get: (seq) => (seq === 34 ? Effect.succeed(entryAt(34)) : history.get(seq)) },
            /^Entry 34 lies behind the latest and is not answered so$/
          ]
        ]
        for (const [name, lie, message] of lies) {
          const found = yield* findings({ ...history, ...lie })
          assert.isTrue(
            found.every(({ invariant, fault }) => invariant === "I1" && fault === "wrong-read"),
            name
          )
          assert.isTrue(
            found.some((each) => message.test(each.message)),
            `${name}: ${found.map((f) => f.message)}`
          )
        }
      }).pipe(Effect.scoped, Effect.provide(services))
    })
  )

  it.effect("takes the failures of a history over a damaged store for what they are", () =>
    Effect.gen(function* () {
      const { services } = yield* built()
      yield* Effect.gen(function* () {
        yield* Effect.flatMap(Disk, (disk) => disk.unlink(finished))
        yield* Built.flip(pack(4), 3)
        const { history } = yield* Store.make({ dataDir: "/store", mode: "readOnly" })
        const found = yield* StoreAudit.findings({ layout, history })
        assert.deepStrictEqual(
          found.map((each) => [each.fault, about(each)]),
          [
            ["missing", "index:00000000:00000000:00000003"],
            ["damaged", "chunk:00000004:entries"]
          ]
        )
      }).pipe(Effect.scoped, Effect.provide(services))
    })
  )
})
