/**
 * The suite that every adapter of the engine port passes: each contract of `Engine.ts` as a case.
 *
 * It knows no test runner. A case is an effect that fails or dies when the contract is broken:
 *
 * ```ts
 * for (const { name, run } of engineConformance({ directory })) {
 *   it.effect(name, () => Effect.scoped(Effect.provide(run, layer)))
 * }
 * ```
 *
 * A second writer from another process, kills and power cuts need a process or a disk of their own: they are the adapter's tests.
 */
import { Effect, type Scope } from "effect"
import { Engine } from "../Engine.ts"
import { faultCases } from "./conformance/FaultCases.ts"
import { openCases } from "./conformance/OpenCases.ts"
import { readCases } from "./conformance/ReadCases.ts"
import { replaceCases } from "./conformance/ReplaceCases.ts"
import { scanCases } from "./conformance/ScanCases.ts"
import { type EngineFaults, makeSubject } from "./conformance/Subject.ts"
import { viewCases } from "./conformance/ViewCases.ts"
import { writeCases } from "./conformance/WriteCases.ts"

export interface ConformanceOptions {
  /** An absolute path that belongs to this run alone; below it nothing exists yet. The caller removes it. */
  readonly directory: string
  /** Adds the cases of failed syncs. Default: none. */
  readonly faults?: EngineFaults
}

export interface ConformanceCase {
  /** A sentence, unique in the suite. */
  readonly name: string
  /** Can run once in a directory, in any order and beside other cases. */
  readonly run: Effect.Effect<void, unknown, Engine | Scope.Scope>
}

/** All cases, each with databases of its own below the directory. */
export const engineConformance = ({ directory, faults }: ConformanceOptions): ReadonlyArray<ConformanceCase> =>
  [
    ...openCases,
    ...readCases,
    ...scanCases,
    ...writeCases,
    ...viewCases,
    ...replaceCases,
    ...(faults === undefined ? [] : faultCases(faults))
  ].map(({ name, run }, index) => ({
    name,
    run: Effect.flatMap(Engine, (engine) => run(makeSubject(engine, `${directory}/case${index}`)))
  }))
