import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import * as Store from "../src/Store.ts"
import * as StoreAudit from "../src/StoreAudit.ts"
import * as Built from "./support/BuiltStore.ts"
import { directory, engineNames } from "./support/LiveStore.ts"

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** Every third entry shares a key with others near and far; one entry in five has none, one names its key twice. */
const entryAt = (seq: number): Uint8Array =>
  text(
    seq % 5 === 4
      ? { seq }
      : { id: seq % 3 === 0 ? [`shared ${seq % 12}`, `own ${seq}`, `own ${seq}`] : `own ${seq}`, seq }
  )

for (const engine of engineNames)
  describe(`StoreAudit.audit on ${engine}`, () => {
    for (const duplicates of ["first", "last"] as const)
      it.live(`finds nothing beside an open store whose entries share keys, ${duplicates} of them counting`, () =>
        Effect.gen(function* () {
          const dataDir = `${yield* directory}/store`
          const { history, catalog, settled, verify } = yield* Store.make({
            dataDir,
            geometry: Built.geometry,
            graceMillis: 0
          })
          const layout = catalog.layout
          for (let from = 0; from < 60; from += 6) {
            yield* history.append(Array.from({ length: 6 }, (_, at) => entryAt(from + at)))
            yield* settled
            assert.deepStrictEqual(yield* StoreAudit.findings({ layout, history }), [], `${from + 6} entries`)
          }
          const shared = Option.getOrThrow(yield* history.find(yield* keyOf("shared 0")))
          assert.strictEqual(shared.seq, duplicates === "first" ? 0 : 48)
          const checked = yield* Stream.runCollect(verify)
          assert.deepStrictEqual(
            checked.flatMap(({ findings }) => findings),
            []
          )
          assert.isAbove(checked.filter(({ kind }) => kind === "index").length, 3)
        }).pipe(
          Effect.scoped,
          Effect.provide(Built.liveServicesOf(engine, { keys: ["/id"], keyFormat: "text", duplicates }))
        )
      )
  })

const keyOf = (value: string): Effect.Effect<Uint8Array> =>
  Effect.promise(async () => new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(value))))

describe("StoreVerify.verify", () => {
  it.effect("names a damaged run, a swapped one, and an index of another window", () =>
    Effect.gen(function* () {
      const { services } = yield* Built.built()
      const run = (chunk: number): string => `/store/keys/run/00000/0000000${chunk}.bin`
      const rolling = "/store/keys/index/00000001/00000004-00000005.idx"
      const found = yield* Effect.gen(function* () {
        yield* Built.flip(run(4), 60)
        yield* Built.writeFile(run(5), yield* Built.readFile(run(4)))
        yield* Built.writeFile(rolling, yield* Built.readFile("/store/keys/index/00000000/00000000-00000003.idx"))
        const { verify } = yield* Store.make({ dataDir: "/store", mode: "readOnly" })
        return (yield* Stream.runCollect(verify)).flatMap(({ findings }) => findings)
      }).pipe(Effect.scoped, Effect.provide(services))
      assert.deepStrictEqual(
        found.map(({ path, entries }) => [path, Option.getOrNull(entries)]),
        [
          [run(4), { from: 16, to: 19 }],
          [run(5), { from: 20, to: 23 }],
          [rolling, { from: 16, to: 23 }]
        ]
      )
    })
  )
})
