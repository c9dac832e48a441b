import { assert, describe, it } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import {
  CrashEnumerator,
  type CrashWorld,
  FaultEnumerator,
  type FaultyDisk,
  SimulatedDisk,
  WithoutBarrier
} from "@icecore/packfile/testing"
import { Cause, Effect, Exit, Layer, Option, Random } from "effect"
import type * as Archive from "../src/Archive.ts"
import { contentAt, directory, type Needs, namesIn, type Plan, prepare, save, sweep, zstd } from "./ArchiveWorld.ts"

const plansOf = (encoding: Archive.ArchiveEncoding): ReadonlyArray<Plan> => [
  { path: `${directory}/1.icearch`, content: 0, encoding, overwrite: false },
  { path: `${directory}/2.icearch`, content: 1, encoding, overwrite: true },
  { path: `${directory}/1.icearch`, content: 2, encoding, overwrite: true }
]

/** Each path has what was acknowledged last, or something newer that is whole; without acknowledgement maybe nothing. */
const check = (plans: ReadonlyArray<Plan>, acknowledged: ReadonlyArray<Plan>): Effect.Effect<void, unknown, Needs> =>
  Effect.gen(function* () {
    const disk = yield* Disk
    for (const path of new Set(plans.map((plan) => plan.path))) {
      const versions = plans.filter((plan) => plan.path === path)
      const promised = acknowledged.filter((plan) => plan.path === path).at(-1)
      if (Option.isNone(yield* disk.stat(path))) {
        assert.isUndefined(promised, `${path} is gone`)
        continue
      }
      const content = yield* contentAt(path)
      const found = versions.findIndex((plan) => plan.content === content)
      assert.isAtLeast(found, promised === undefined ? 0 : versions.indexOf(promised), `${path} is another version`)
    }
    const left = (yield* namesIn(directory)).filter((name) => !name.endsWith(".icearch"))
    assert.deepStrictEqual(left, [])
  })

const scenario = (
  name: string,
  plans: ReadonlyArray<Plan>,
  layer: (world: CrashWorld) => Layer.Layer<Disk>,
  states: number
): CrashEnumerator.CrashScenario<Needs, Plan> => ({
  name,
  layer: (world) => Layer.merge(layer(world), zstd),
  states,
  prepare,
  scenario: (acknowledge) =>
    // The names of partial files are drawn: the same ones in every run.
    Effect.forEach(plans, (plan, at) => Effect.andThen(Random.withSeed(save(plan), at), acknowledge(plan)), {
      discard: true
    }),
  recover: sweep,
  check: (acknowledged) => check(plans, acknowledged)
})

describe("Archive.save under crashes", () => {
  for (const [encoding, states] of [
    ["pack", 4_000],
    ["tar", 1_500],
    ["tar+zstd", 1_500]
  ] as const) {
    it.effect(
      `Archive.save as ${encoding} leaves the old archive until the new one is whole, and the new one once it returned`,
      () =>
        Effect.gen(function* () {
          const name = `saving ${encoding} archives`
          const report = yield* CrashEnumerator.enumerate(
            scenario(name, plansOf(encoding), SimulatedDisk.layer, states)
          )
          console.log(report.summary)
          assert.isAtLeast(report.stateCount, report.wantedCount)
        }),
      240_000
    )
  }

  // Each save syncs its file and then the directory; the first sync of a directory is the test's own. A pack is written part by
  // part, then come the footer and the head: the last two writes of each archive are those that may not come late.
  const barriers: ReadonlyArray<WithoutBarrier.Barrier> = [
    ...[0, 1, 2].map((nth) => ({ kind: "sync", nth }) as const),
    ...[1, 2, 3].map((nth) => ({ kind: "sync directory", nth }) as const),
    ...[0, 1, 2].map((nth) => ({ kind: "late sync", nth }) as const),
    ...[0, 4, 5, 6, 10, 11].map((nth) => ({ kind: "late write", nth }) as const)
  ]
  for (const barrier of barriers) {
    it.effect(
      `Archive.save breaks its promise without ${barrier.kind} number ${barrier.nth}`,
      () =>
        Effect.gen(function* () {
          const name = `saving archives without ${barrier.kind} ${barrier.nth}`
          const { isRemoved, violation } = yield* WithoutBarrier.enumerate(barrier, (layer) =>
            scenario(name, plansOf("pack"), layer, 3_000)
          )
          assert.isTrue(isRemoved)
          assert.isDefined(violation, "the enumerator finds nothing")
        }),
      120_000
    )
  }
})

describe("Archive.save under faults", () => {
  for (const encoding of ["pack", "tar", "tar+zstd"] as const) {
    it.effect(
      `Archive.save as ${encoding} keeps the old archive whole until the new one is, whatever fails, and leaves nothing else`,
      () =>
        Effect.gen(function* () {
          const path = `${directory}/1.icearch`
          const saving = (content: number) =>
            Random.withSeed(save({ path, content, encoding, overwrite: true }), content).pipe(Effect.provide(zstd))
          const report = yield* FaultEnumerator.enumerateFaults({
            name: `overwriting a ${encoding} archive`,
            prepare: Effect.andThen(prepare, saving(0)),
            scenario: saving(1),
            check: (outcome: Exit.Exit<void, unknown>, fault: FaultyDisk.InjectedFault | undefined) =>
              Effect.gen(function* () {
                const content = yield* contentAt(path)
                if (Exit.isSuccess(outcome)) assert.strictEqual(content, 1)
                else {
                  assert.isTrue(content === 0 || content === 1)
                  const error = Option.getOrThrow(Cause.findErrorOption(outcome.cause))
                  assert.match((error as { readonly _tag: string })._tag, /^(Disk|Engine)/)
                }
                // Where the removal itself is made to fail, what it was to remove stays.
                if (fault === undefined || fault.count === 1) {
                  const left = (yield* namesIn(directory)).filter((name) => name !== "1.icearch")
                  if (!/unlink|remove|list/.test(fault?.operation ?? "")) assert.deepStrictEqual(left, [])
                }
              }).pipe(Effect.provide(zstd))
          })
          console.log(report.summary)
          assert.isAtLeast(report.runCount, 30)
        }),
      120_000
    )
  }
})
