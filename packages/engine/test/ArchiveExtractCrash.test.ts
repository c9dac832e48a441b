import { assert, describe, it } from "@effect/vitest"
import { Disk } from "@icecore/packfile"
import {
  CrashEnumerator,
  type CrashWorld,
  FaultEnumerator,
  SimulatedDisk,
  WithoutBarrier
} from "@icecore/packfile/testing"
import { Effect, Exit, Layer, Option, Random } from "effect"
import type { ArchiveEncoding } from "../src/Archive.ts"
import { contentOfDatabase, directory, extract, type Needs, prepare, save, sweep, zstd } from "./ArchiveWorld.ts"

const path = `${directory}/1.icearch`
const target = `${directory}/made`
const content = 1

const saved = (encoding: ArchiveEncoding): Effect.Effect<void, unknown, Needs> =>
  Effect.andThen(prepare, save({ path, content, encoding, overwrite: false }))

// The names of private directories are drawn: the same ones in every run.
const extracting = Random.withSeed(extract(path, target), 7)

/** The database is whole where it is. */
const check = (isPromised: boolean): Effect.Effect<void, unknown, Needs> =>
  Effect.gen(function* () {
    const disk = yield* Disk
    if (Option.isSome(yield* disk.stat(target))) assert.strictEqual(yield* contentOfDatabase(target), content)
    else assert.isFalse(isPromised, "it is gone")
  })

const scenario = (
  name: string,
  encoding: ArchiveEncoding,
  layer: (world: CrashWorld) => Layer.Layer<Disk>,
  states: number
): CrashEnumerator.CrashScenario<Needs, "extracted"> => ({
  name,
  layer: (world) => Layer.merge(layer(world), zstd),
  states,
  prepare: saved(encoding),
  scenario: (acknowledge) => Effect.andThen(extracting, acknowledge("extracted")),
  recover: sweep,
  check: (acknowledged) => check(acknowledged.length > 0)
})

describe("Archive.extract under crashes", () => {
  // A tar is taken as it is; the rows of a pack are loaded by the engine, whose own barriers are not tried here.
  for (const encoding of ["tar+zstd", "pack"] as const) {
    it.effect(
      `Archive.extract of ${encoding} makes the whole database or nothing, and the database once it returned`,
      () =>
        Effect.gen(function* () {
          const name = `extracting a ${encoding} archive`
          const report = yield* CrashEnumerator.enumerate(scenario(name, encoding, SimulatedDisk.layer, 300))
          console.log(report.summary)
          assert.isAtLeast(report.stateCount, 50)
        })
    )
  }

  // Those before are of the test: it saves the archive that is extracted.
  const barriers: ReadonlyArray<WithoutBarrier.Barrier> = [
    { kind: "sync", nth: 2 },
    { kind: "late write", nth: 4 },
    { kind: "sync directory", nth: 3 },
    { kind: "sync directory", nth: 4 }
  ]
  for (const barrier of barriers) {
    it.effect(`Archive.extract breaks its promise without ${barrier.kind} number ${barrier.nth}`, () =>
      Effect.gen(function* () {
        const name = `extracting an archive without ${barrier.kind} ${barrier.nth}`
        const { isRemoved, violation } = yield* WithoutBarrier.enumerate(barrier, (layer) =>
          scenario(name, "tar+zstd", layer, 1_000)
        )
        assert.isTrue(isRemoved)
        assert.isDefined(violation, "the enumerator finds nothing")
      })
    )
  }
})

describe("Archive.extract under faults", () => {
  for (const encoding of ["tar+zstd", "pack"] as const) {
    it.effect(`Archive.extract of ${encoding} makes the whole database or nothing, whatever fails`, () =>
      Effect.gen(function* () {
        const report = yield* FaultEnumerator.enumerateFaults({
          name: `extracting a ${encoding} archive`,
          prepare: Effect.provide(saved(encoding), zstd),
          scenario: Effect.provide(extracting, zstd),
          check: (outcome: Exit.Exit<void, unknown>) => Effect.provide(check(Exit.isSuccess(outcome)), zstd)
        })
        console.log(report.summary)
        assert.isAtLeast(report.runCount, 30)
      })
    )
  }
})
