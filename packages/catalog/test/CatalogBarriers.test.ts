import { assert, describe, it } from "@effect/vitest"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect } from "effect"
import * as Layout from "../src/Layout.ts"
import type { WeakEngine } from "../src/testing/index.ts"
import * as Artifact from "./crash/ArtifactScenarios.ts"
import { layout, type Weakness } from "./crash/CrashHarness.ts"
import * as Hot from "./crash/HotScenarios.ts"
import type { Store } from "./Harness.ts"

type Enumeration = Effect.Effect<
  CrashEnumerator.CrashReport,
  Effect.Error<ReturnType<typeof CrashEnumerator.enumerate>>
>

const enumeration =
  <A>(scenario: (weakness?: Weakness) => CrashEnumerator.CrashScenario<Store, A>) =>
  (weakness: Weakness): Enumeration =>
    CrashEnumerator.enumerate({ ...scenario(weakness), states: 2_000 })

const puts =
  (value: string, prefix = "") =>
  (changes: ReadonlyArray<WeakEngine.Change>): boolean =>
    changes.some((change) => change.value === value && change.key.startsWith(prefix))

const unsynced = (predicate: (changes: ReadonlyArray<WeakEngine.Change>) => boolean): Weakness => ({
  engine: { unsynced: predicate }
})
const split = (predicate: (changes: ReadonlyArray<WeakEngine.Change>) => boolean): Weakness => ({
  engine: { split: predicate }
})
const unsyncedDirectory = (predicate: (path: string) => boolean): Weakness => ({
  disk: { unsyncedDirectory: predicate }
})

/** Leaves out syncs of directories from the scenario on, not in what prepares it. */
const unsyncedFromStart = (
  makeScenario: (weakness?: Weakness) => CrashEnumerator.CrashScenario<Store, number>,
  predicate: (path: string) => boolean
): Enumeration =>
  Effect.suspend(() => {
    let isRunning = false
    const scenario = makeScenario(unsyncedDirectory((path) => isRunning && predicate(path)))
    return CrashEnumerator.enumerate({
      ...scenario,
      scenario: (acknowledge) =>
        Effect.suspend(() => {
          isRunning = true
          return scenario.scenario(acknowledge)
        }),
      states: 2_000
    })
  })

/** Weakens the batches that put `value` once a batch put `after`. */
const unsyncedAfter = (after: string, value: string): Weakness => {
  let isAfter = false
  return unsynced((changes) => {
    if (puts(after)(changes)) isAfter = true
    return isAfter && puts(value)(changes)
  })
}

/** Weakens every other batch that puts `pruning`: a demotion, not the sweep after it. */
const unsyncedDemotion = (): Weakness => {
  let count = 0
  return unsynced((changes) => puts("pruning")(changes) && count++ % 2 === 0)
}

const putsBegin = (changes: ReadonlyArray<WeakEngine.Change>): boolean =>
  changes.some(({ key }) => key === "config:begin_seq")

const isBucket = (path: string): boolean => /\/\d{5}$/.test(path)

const barriers: ReadonlyArray<readonly [string, (weakness: Weakness) => Enumeration, Weakness]> = [
  ["the sync of the pins", enumeration(Artifact.firstStart), unsynced((changes) => changes.length > 5)],
  ["the one batch of the pins", enumeration(Artifact.firstStart), split((changes) => changes.length > 5)],
  ["the sync of freezing", enumeration(Artifact.freezing), unsynced(puts("freezing"))],
  ["the sync of an artifact's bytes", enumeration(Artifact.freezing), { disk: { unsyncedFile: () => true } }],
  ["the sync of an artifact's directory", enumeration(Artifact.freezing), unsyncedDirectory(isBucket)],
  [
    "the sync above a new bucket",
    enumeration(Artifact.freezing),
    unsyncedDirectory((path) => path === layout.roots.entries)
  ],
  ["the sync above a new tree", enumeration(Artifact.freezing), unsyncedDirectory((path) => path === layout.dataDir)],
  ["the sync above a new store", enumeration(Artifact.freezing), unsyncedDirectory((path) => path === "/")],
  ["the sync of frozen", enumeration(Artifact.freezing), unsynced(puts("frozen"))],
  [
    "the one batch that freezes a key index and demotes the one before",
    enumeration(Artifact.rolling),
    split(puts("frozen", "index:"))
  ],
  ["the sync of a demotion", enumeration(Artifact.sweeping), unsyncedDemotion()],
  ["the sync of the directory after an unlink", () => unsyncedFromStart(Artifact.sweeping, isBucket), {}],
  [
    "the sync above a directory that a sweep emptied and removed",
    () => unsyncedFromStart(Artifact.pruning, (path) => path === layout.roots.entries),
    {}
  ],
  [
    "the sync above a window's directory that a sweep emptied and removed",
    () => unsyncedFromStart(Artifact.pruning, (path) => path === `${layout.roots.keys}/index`),
    {}
  ],
  ["the sync of a prune's demotion", enumeration(Artifact.pruning), unsyncedDemotion()],
  ["the sync of another earliest seq", enumeration(Artifact.repinning), unsynced(putsBegin)],
  ["the one batch of another earliest seq", enumeration(Artifact.repinning), split(putsBegin)],
  ["the one batch that moves the ends of a coverage", enumeration(Artifact.moving), split(puts("frozen", "index:"))],
  ["the sync of a moved coverage", enumeration(Artifact.moving), unsynced(puts("frozen", "index:"))],
  ["the sync of pruning", enumeration(Artifact.sweeping), unsynced(puts("pruning"))],
  ["the sync of transient before a creation", enumeration(Hot.openingAndDiscarding), unsynced(puts("transient"))],
  ["the wipe before a creation", enumeration(Hot.reopening), { engine: { undestroyed: () => true } }],
  ["the sync of the seed", enumeration(Hot.openingAndDiscarding), unsynced((changes) => changes[0]?.key === "seed")],
  ["the sync of ready", enumeration(Hot.openingAndDiscarding), unsynced(puts("ready"))],
  [
    "the sync of transient before a destruction",
    enumeration(Hot.openingAndDiscarding),
    unsyncedAfter("ready", "transient")
  ],
  [
    "the destruction before the key goes",
    enumeration(Hot.openingAndDiscarding),
    { engine: { undestroyed: (path) => path === Layout.hotPath(layout, Hot.first) } }
  ]
]

describe("Catalog", () => {
  for (const [barrier, enumerate, weakness] of barriers)
    it.live(`Catalog without ${barrier} breaks an invariant`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(enumerate(weakness))
        assert.strictEqual(error._tag, "CrashViolation", error.message)
      })
    )
})
