import { assert, describe, it } from "@effect/vitest"
import { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect } from "effect"
import * as Artifact from "./crash/ArtifactScenarios.ts"
import * as Hot from "./crash/HotScenarios.ts"

const enumerate = <R, A>(scenario: CrashEnumerator.CrashScenario<R, A>, states: number) =>
  Effect.gen(function* () {
    const report = yield* CrashEnumerator.enumerate({ ...scenario, states })
    yield* Effect.sync(() => console.log(report.summary))
    assert.isAbove(report.stateCount, 0)
    assert.deepStrictEqual(report.incomparable, [])
  })

describe("Catalog", () => {
  it.live(
    "Catalog.make pins all or nothing, whenever the power goes",
    () => enumerate(Artifact.firstStart(), 2_000),
    300_000
  )
  it.live(
    "Catalog.writeChunk keeps its invariants, whenever the power goes",
    () => enumerate(Artifact.freezing(), 25_000),
    300_000
  )
  it.live(
    "Catalog.writeChunk writes again what a crash left, whenever the power goes",
    () => enumerate(Artifact.refreezing(), 4_000),
    300_000
  )
  it.live(
    "Catalog.writeChunk trusts no directory that it has not synced, whenever the power goes",
    () => enumerate(Artifact.freezingAfterKill(), 2_000),
    300_000
  )
  it.live(
    "Catalog.writeIndex keeps one coverage, whenever the power goes",
    () => enumerate(Artifact.rolling(), 6_000),
    300_000
  )
  it.live(
    "Catalog.make pins another earliest seq or leaves the one before, whenever the power goes",
    () => enumerate(Artifact.repinning(), 2_000),
    300_000
  )
  it.live(
    "Catalog.writeIndex keeps one coverage while its ends move, whenever the power goes",
    () => enumerate(Artifact.moving(), 4_500),
    300_000
  )
  it.live(
    "Catalog.prune takes what is below the floor and nothing else, whenever the power goes",
    () => enumerate(Artifact.pruning(), 10_000),
    300_000
  )
  it.live(
    "Catalog.sweep keeps its invariants, whenever the power goes",
    () => enumerate(Artifact.sweeping(), 8_000),
    300_000
  )
  it.live(
    "Catalog.openHot and Catalog.discardHot keep their invariants, whenever the power goes",
    () => enumerate(Hot.openingAndDiscarding(), 3_000),
    300_000
  )
  it.live(
    "Catalog.openHot starts anew after a crash in it, whenever the power goes",
    () => enumerate(Hot.reopening(), 3_000),
    300_000
  )
})
