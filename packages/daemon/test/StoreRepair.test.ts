import { assert, describe, it } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import { Effect, Option, Result } from "effect"
import * as StoreAudit from "../src/StoreAudit.ts"
import * as StoreRepair from "../src/StoreRepair.ts"
import * as Built from "./support/BuiltStore.ts"

const { built, builtCount, entryAt, layout, sourceOf } = Built

const pack = (chunk: number): string => `/store/entries/00000/0000000${chunk}.pack`
const run = (chunk: number): string => `/store/keys/run/00000/0000000${chunk}.bin`
const finished = "/store/keys/index/00000000/00000000-00000003.idx"
const rolling = "/store/keys/index/00000001/00000004-00000005.idx"

type Plant = Effect.Effect<unknown, unknown, Built.BuiltServices>

const unlink = (path: string): Plant => Effect.flatMap(Disk, (disk) => disk.unlink(path))

const cut = (path: string): Plant =>
  Effect.flatMap(Built.readFile(path), (bytes) => Built.writeFile(path, bytes.slice(0, bytes.length - 9)))

const swap = (one: string, other: string): Plant =>
  Effect.gen(function* () {
    const [left, right] = [yield* Built.readFile(one), yield* Built.readFile(other)]
    yield* Built.writeFile(one, right)
    yield* Built.writeFile(other, left)
  })

const repair = (options: Partial<StoreRepair.RepairOptions> = {}) =>
  Effect.orDie(StoreRepair.repair({ dataDir: "/store", ...options }))

/** Runs on a store that was damaged. */
const damagedBy = <A>(plant: Plant, use: Effect.Effect<A, never, Built.BuiltServices>): Effect.Effect<A> =>
  Effect.gen(function* () {
    const { services } = yield* built()
    return yield* Effect.provide(Effect.andThen(Effect.orDie(plant), use), services)
  })

const outcomes = ({ actions }: StoreRepair.RepairReport) => actions.map(({ key, outcome }) => `${outcome} ${key}`)

const details = ({ actions }: StoreRepair.RepairReport) => actions.map(({ detail }) => detail)

const withSource = { source: sourceOf(builtCount) }

describe("StoreRepair.repair", () => {
  const damages: ReadonlyArray<readonly [string, Plant, ReadonlyArray<string>]> = [
    ["a flipped bit in a pack", Built.flip(pack(1), 3), ["chunk:00000001:entries"]],
    ["a truncated pack", cut(pack(1)), ["chunk:00000001:entries"]],
    ["a pack that is gone", unlink(pack(0)), ["chunk:00000000:entries"]],
    ["packs in each other's places", swap(pack(0), pack(5)), ["chunk:00000000:entries", "chunk:00000005:entries"]],
    ["a flipped bit in a run", Built.flip(run(4), 30), ["chunk:00000004:keys"]],
    ["a run that is gone", unlink(run(5)), ["chunk:00000005:keys"]],
    ["a truncated index", cut(finished), ["index:00000000:00000000:00000003"]],
    ["an index that is gone", unlink(rolling), ["index:00000001:00000004:00000005"]],
    [
      "a window with nothing left of it",
      Effect.all([unlink(pack(4)), unlink(pack(5)), unlink(run(4)), unlink(run(5)), unlink(rolling)]),
      [
        "chunk:00000004:entries",
        "chunk:00000005:entries",
        "chunk:00000004:keys",
        "chunk:00000005:keys",
        "index:00000001:00000004:00000005"
      ]
    ]
  ]

  for (const [name, plant, keys] of damages)
    it.effect(`mends ${name} and gives back the same bytes`, () =>
      damagedBy(
        Effect.void,
        Effect.gen(function* () {
          const all = [pack(0), pack(1), pack(4), pack(5), run(4), run(5), finished, rolling]
          const before = yield* Effect.orDie(Effect.forEach(all, Built.readFile))
          yield* Effect.orDie(plant)
          const report = yield* repair(withSource)
          assert.sameMembers(
            [...outcomes(report)],
            keys.map((key) => `mended ${key}`)
          )
          assert.deepStrictEqual(report.remaining, [])
          assert.deepStrictEqual(yield* StoreAudit.findings({ layout, ...withSource }), [])
          assert.deepStrictEqual(yield* Effect.orDie(Effect.forEach(all, Built.readFile)), before)
          assert.deepStrictEqual((yield* repair(withSource)).actions, [])
        })
      )
    )

  it.effect("leaves what it cannot make again as it is, and mends the rest", () =>
    damagedBy(
      Effect.all([Built.flip(pack(1), 3), unlink(run(4)), unlink(finished)]),
      Effect.gen(function* () {
        const damaged = yield* Effect.orDie(Built.readFile(pack(1)))
        const report = yield* repair()
        assert.deepStrictEqual(outcomes(report), [
          "left chunk:00000001:entries",
          "mended chunk:00000004:keys",
          "left index:00000000:00000000:00000003"
        ])
        assert.deepStrictEqual(details(report), [
          "its hot database is gone, and there is no source to take its entries from",
          "the entries of its chunk",
          "the entries of chunk 1 are damaged, too"
        ])
        assert.lengthOf(report.remaining, 2)
        assert.deepStrictEqual(yield* Effect.orDie(Built.readFile(pack(1))), damaged)
        assert.deepStrictEqual(outcomes(yield* repair(withSource)), [
          "mended chunk:00000001:entries",
          "mended index:00000000:00000000:00000003"
        ])
      })
    )
  )

  it.effect("takes entries from a hot database that is still there", () =>
    damagedBy(
      Effect.scoped(Effect.flatMap(Built.openCatalog(), (catalog) => Built.heat(catalog, 5, 4))).pipe(
        Effect.andThen(Built.flip(pack(5), 3))
      ),
      Effect.gen(function* () {
        const report = yield* repair()
        assert.deepStrictEqual(
          [outcomes(report), details(report)],
          [["mended chunk:00000005:entries"], ["its hot database"]]
        )
      })
    )
  )

  it.effect("takes nothing from a source that gives other entries, ends too early, or can be read only once", () =>
    damagedBy(
      Built.flip(pack(1), 3),
      Effect.gen(function* () {
        const damaged = yield* Effect.orDie(Built.readFile(pack(1)))
        const other = yield* repair({ source: sourceOf(builtCount, (seq) => entryAt(seq + 1)) })
        assert.deepStrictEqual(details(other), ["source test gives other entries than were frozen"])
        const short = yield* repair({ source: sourceOf(6) })
        assert.match(details(short)[0]!, /entry 6 is not to be had/)
        const once = yield* repair({ source: { ...sourceOf(builtCount), isRepeatable: false } })
        assert.deepStrictEqual(details(once), ["source test cannot be read again"])
        assert.deepStrictEqual(yield* Effect.orDie(Built.readFile(pack(1))), damaged)
        assert.lengthOf(yield* StoreAudit.findings({ layout }), 1, "nothing else lies there")
      })
    )
  )

  it.effect("fills a hole that a crash between demoting and renaming leaves", () =>
    damagedBy(
      Built.meddle((_, remove) => remove("chunk:00000002:entries")).pipe(Effect.andThen(unlink(pack(2)))),
      Effect.gen(function* () {
        const report = yield* repair(withSource)
        assert.deepStrictEqual(outcomes(report), ["mended chunk:00000002:entries"])
        assert.deepStrictEqual(yield* StoreAudit.findings({ layout }), [])
      })
    )
  )

  it.effect("changes nothing in a dry run, and says what could be mended", () =>
    damagedBy(
      Effect.all([Built.flip(pack(1), 3), Built.flip(run(4), 30), unlink(rolling), Built.flip(finished, 99)]),
      Effect.gen(function* () {
        const without = yield* repair({ isDryRun: true })
        assert.deepStrictEqual(outcomes(without), [
          "left chunk:00000001:entries",
          "mendable chunk:00000004:keys",
          "left index:00000000:00000000:00000003",
          "mendable index:00000001:00000004:00000005"
        ])
        const report = yield* repair({ isDryRun: true, ...withSource })
        assert.isTrue(report.actions.every(({ outcome }) => outcome === "mendable"))
        assert.lengthOf(yield* StoreAudit.findings({ layout }), 4)
      })
    )
  )

  it.effect("refuses where there is no store, and makes none", () =>
    damagedBy(
      Effect.void,
      Effect.gen(function* () {
        const refused = yield* Effect.result(StoreRepair.repair({ dataDir: "/nowhere" }))
        const message = Result.isFailure(refused) ? refused.failure.message : "no failure"
        assert.strictEqual(message, "Cannot open database /nowhere/catalog: there is none")
        const disk = yield* Disk
        assert.isTrue(Option.isNone(yield* Effect.orDie(disk.stat("/nowhere"))))
      })
    )
  )
})
