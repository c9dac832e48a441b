/**
 * Runs a scenario again and again, each time with one more operation that fails, until a run meets no fault.
 *
 * For every {@link Fault}, once with only that operation failing and once with all later ones failing too. Each run has a disk
 * of its own, simulated, so that a failed sync loses what it should.
 */
import { Cause, Data, Effect, type Exit, type Scope } from "effect"
import { Disk } from "../Disk.ts"
import * as CrashRecorder from "./CrashRecorder.ts"
import * as FaultyDisk from "./FaultyDisk.ts"
import * as SimulatedDisk from "./SimulatedDisk.ts"

/** What is run with faults. */
export interface FaultScenario<A, E> {
  readonly name: string
  /** Default: all. */
  readonly faults?: ReadonlyArray<FaultyDisk.Fault>
  /** Runs first, on the sound disk. */
  readonly prepare?: Effect.Effect<unknown, unknown, Disk | Scope.Scope>
  /** Runs on the faulty disk, in a scope of its own. */
  readonly scenario: Effect.Effect<A, E, Disk | Scope.Scope>
  /**
   * Looks at what the scenario came to and, on the sound disk again, at what it left. The fault is undefined for the clean run
   * that ends each series.
   */
  readonly check: (
    outcome: Exit.Exit<A, E>,
    fault: FaultyDisk.InjectedFault | undefined
  ) => Effect.Effect<unknown, unknown, Disk | Scope.Scope>
}

/** What was run, if every check held. */
export interface FaultReport {
  readonly scenario: string
  readonly runCount: number
  readonly summary: string
}

/** With this fault the check does not hold. */
export class FaultViolation extends Data.Error<{
  readonly scenario: string
  readonly plan: FaultyDisk.FaultPlan
  readonly injected: FaultyDisk.InjectedFault | undefined
  readonly problem: string
}> {
  readonly _tag = "FaultViolation"
  override readonly name = "FaultViolation"
  override get message(): string {
    const { fault, at, isPersistent } = this.plan
    const where = this.injected === undefined ? "no operation" : `${this.injected.operation} ${this.injected.path}`
    return `Scenario "${this.scenario}" does not survive ${fault} at ${at}${isPersistent ? " and after" : ""} (${where}): ${this.problem}`
  }
}

/** Fails with the first violation. */
export const enumerateFaults: <A, E>(options: FaultScenario<A, E>) => Effect.Effect<FaultReport, FaultViolation> =
  Effect.fnUntraced(function* <A, E>(options: FaultScenario<A, E>) {
    let runCount = 0
    for (const fault of options.faults ?? FaultyDisk.allFaults) {
      for (const isPersistent of [false, true]) {
        for (let at = 0; ; at++) {
          runCount++
          if (!(yield* runWith(options, { fault, at, isPersistent }))) break
        }
      }
    }
    const { name } = options
    return { scenario: name, runCount, summary: `fault enumeration "${name}": ${runCount} runs` }
  })

/** One run; false when nothing was there to fail. */
const runWith = Effect.fnUntraced(function* <A, E>(
  options: FaultScenario<A, E>,
  plan: FaultyDisk.FaultPlan
): Effect.fn.Return<boolean, FaultViolation> {
  const sound = SimulatedDisk.make(CrashRecorder.make())
  const faulty = FaultyDisk.make(sound.disk, { ...plan, onFailedSync: sound.loseUnsynced })
  const orViolation = <B>(effect: Effect.Effect<B, unknown, Disk | Scope.Scope>): Effect.Effect<B, FaultViolation> =>
    Effect.scoped(Effect.provideService(effect, Disk, sound.disk)).pipe(
      Effect.catchCause((cause) =>
        Effect.fail(
          new FaultViolation({
            scenario: options.name,
            plan,
            injected: faulty.injected(),
            problem: Cause.pretty(cause)
          })
        )
      )
    )
  if (options.prepare !== undefined) yield* orViolation(options.prepare)
  const outcome = yield* Effect.exit(Effect.scoped(Effect.provideService(options.scenario, Disk, faulty.disk)))
  const injected = faulty.injected()
  yield* orViolation(options.check(outcome, injected))
  return injected !== undefined
})
