/**
 * What a walk runs on: a machine that outlives the stores opened on it.
 *
 * Two machines are simulated. Both have the simulated disk, and lose power together with it; they differ in what a crash may take of
 * commits that an engine has not synced:
 *
 * - `sqlite`: any number of them from the last one backwards, as of a write-ahead log whose end was never synced;
 * - `lmdb`: the last one at most, because each commit syncs the pages of those before it.
 *
 * Two are real: files in a new directory under SQLite and LMDB. They do not lose power, so where a walk crashes they restart.
 */
import type { Engine } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import type { Disk } from "@icecore/packfile"
import { CrashRecorder, type CrashWorld, SimulatedDisk, type SurvivorRandom } from "@icecore/packfile/testing"
import { type Context, Effect, Layer, Option, type Scope } from "effect"
import { Domain } from "../../src/Domain.ts"
import type * as Store from "../../src/Store.ts"
import * as LiveStore from "../support/LiveStore.ts"
import * as StoreHarness from "../support/StoreHarness.ts"

export type SubjectName = "simulated-sqlite" | "simulated-lmdb" | "sqlite" | "lmdb"

export const subjectNames: ReadonlyArray<SubjectName> = ["simulated-sqlite", "simulated-lmdb", "sqlite", "lmdb"]

/** What a mutant puts in the place of a port. */
export interface PortMutation {
  readonly disk?: (disk: Disk) => Disk
  readonly engine?: (engine: Engine) => Engine
}

export interface Subject {
  readonly dataDir: string
  readonly services: Context.Context<Store.StoreServices>
  /** What crashes it; none for a real one. */
  readonly recorder: Option.Option<CrashRecorder.CrashRecorder>
}

export interface SubjectOptions {
  readonly name: SubjectName
  readonly domain: Domain
  readonly mutation?: PortMutation
}

/** A new machine without a store, for the scope. */
export const make = (options: SubjectOptions): Effect.Effect<Subject, never, Scope.Scope> =>
  options.name === "sqlite" || options.name === "lmdb" ? real(options.name, options.domain) : simulated(options)

const simulated = Effect.fnUntraced(function* ({ name, domain, mutation = {} }: SubjectOptions) {
  const recorder = CrashRecorder.make()
  const world = name === "simulated-lmdb" ? losingOneCommit(recorder) : recorder
  const disk = SimulatedDisk.make(world).disk
  const engine = MemoryEngine.make(MemoryEngine.makeMedium(world))
  const services = yield* Layer.build(
    StoreHarness.services(
      mutation.disk?.(disk) ?? disk,
      mutation.engine?.(engine) ?? engine,
      Layer.succeed(Domain, domain)
    )
  )
  return { dataDir: "/store", services, recorder: Option.some(recorder) }
})

const real = Effect.fnUntraced(function* (name: LiveStore.EngineName, domain: Domain) {
  const dataDir = yield* LiveStore.directory
  const services = yield* Layer.build(LiveStore.services(name, Layer.succeed(Domain, domain)))
  return { dataDir, services, recorder: Option.none<CrashRecorder.CrashRecorder>() }
})

/** The world, in which the memory engine loses one unsynced commit of a database at most. */
const losingOneCommit = (world: CrashWorld): CrashWorld => ({
  ...world,
  join: (participant) =>
    world.join(
      participant.name === "memory engine"
        ? { ...participant, survive: (state, random) => participant.survive(state, lastOrAll(random)) }
        : participant
    )
})

/** Of the numbers up to the bound only the highest two. */
const lastOrAll = ({ policy, nextInt }: SurvivorRandom): SurvivorRandom => ({
  policy,
  nextInt: (bound) => Math.max(0, bound - 1 - (nextInt(2) === 0 ? 1 : 0))
})
