/**
 * Tries the ways in which a machine can lose power while it does something, and checks what is promised after each.
 *
 * 1. The scenario runs once. Before every operation that changes what a crash can leave, the state of the whole world is noted.
 * 2. Each of these crash points is crashed with one survivor choice after the other: first one of each kind (see
 *    {@link SurvivorChoice.choiceAt}), then random ones, in rounds over all points, until the wanted number of states is
 *    reached. A state that looks like one seen before, with as many acknowledgements, is counted apart and not run again.
 * 3. In each state: recovery runs and succeeds; the check holds; a second recovery changes nothing.
 * 4. Recovery is crashed too, at one of its own points and with a choice of its own; it runs again and the check holds again.
 *
 * The first state that fails any of this ends the enumeration as a {@link CrashViolation}, which names the state and the
 * command that runs only it. `ICECORE_CRASH_STATES` overrides the number of states of every enumeration.
 */
import { Cause, Config, Data, Effect, Layer, Option, type Scope } from "effect"
import * as CrashRecorder from "./CrashRecorder.ts"
import { type CrashLocation, type CrashReplay, CrashViolation, parseReplay, replayVariable } from "./CrashViolation.ts"
import type { CrashWorld } from "./CrashWorld.ts"
import { choiceAt, mix, type SurvivorChoice, survivorRandom } from "./SurvivorChoice.ts"

/** What is enumerated. Every effect gets a scope of its own and ends it; what it opens does not outlive it. */
export interface CrashScenario<R, Acknowledgement = never> {
  /** Names the scenario in reports and replays: unique within a package. */
  readonly name: string
  /** Default 1. */
  readonly seed?: number
  /**
   * The services of the world, whose participants join it. Built once: a service that keeps anything in memory besides its
   * participants must be made inside the effects instead.
   */
  readonly layer: (world: CrashWorld) => Layer.Layer<R, unknown>
  /** Runs before the scenario and is not crashed. It has to sync what the scenario builds on. */
  readonly prepare?: Effect.Effect<unknown, unknown, R | Scope.Scope>
  /** What is interrupted by the crash. It calls `acknowledge` with whatever it would promise to a caller at that moment. */
  readonly scenario: (
    acknowledge: (value: Acknowledgement) => Effect.Effect<void>
  ) => Effect.Effect<unknown, unknown, R | Scope.Scope>
  /** What a restart does. */
  readonly recover: Effect.Effect<unknown, unknown, R | Scope.Scope>
  /** Fails or dies when a promise is broken; gets what had been acknowledged before the crash, in order. */
  readonly check: (acknowledged: ReadonlyArray<Acknowledgement>) => Effect.Effect<unknown, unknown, R | Scope.Scope>
  /** States to run: at least one round of `survivorsPerStep` is run whatever the number. Default 0. */
  readonly states?: number
  /** Choices that every crash point gets at least. Default and minimum 14. */
  readonly survivorsPerStep?: number
  /** Crashes recovery too, once for each first crash. Default true. */
  readonly secondCrash?: boolean
}

/** What an enumeration without a violation did. */
export interface CrashReport {
  readonly scenario: string
  /** Operations of the scenario before which it was crashed; the point after the last one comes on top. */
  readonly stepCount: number
  /** States that were restored, recovered from and checked; no two alike. */
  readonly stateCount: number
  /** How many of them were second crashes. */
  readonly secondCrashCount: number
  /** Survivors that looked like ones seen before. */
  readonly duplicateCount: number
  /** The number that was asked for; 0 in a replay. Fewer were run only if no more could be told apart. */
  readonly wantedCount: number
  /** Participants for which neither duplicates nor the effect of a second recovery could be told. */
  readonly incomparable: ReadonlyArray<string>
  /** One line for the log of a test run. */
  readonly summary: string
}

/** The scenario, what prepares it, or its layer failed without any crash. */
export class CrashScenarioFailed extends Data.Error<{ readonly scenario: string; readonly problem: string }> {
  readonly _tag = "CrashScenarioFailed"
  override readonly name = "CrashScenarioFailed"
  override get message(): string {
    return `Cannot enumerate crashes of scenario "${this.scenario}": ${this.problem}`
  }
}

/** Number of states that replaces {@link CrashScenario.states} everywhere. */
const statesVariable = "ICECORE_CRASH_STATES"

const leastSurvivorsPerStep = 14

/** Choices in a row without a new state after which a crash point is taken to have no more. */
const barrenChoices = 32

/** Runs the enumeration; the report is of one in which every state was good. */
export const enumerate = <R, Acknowledgement = never>(
  options: CrashScenario<R, Acknowledgement>
): Effect.Effect<CrashReport, CrashViolation | CrashScenarioFailed> => Effect.scoped(enumerateScoped(options))

const enumerateScoped = Effect.fnUntraced(function* <R, Acknowledgement>(options: CrashScenario<R, Acknowledgement>) {
  const { name, seed = 1 } = options
  const recorder = CrashRecorder.make()
  const orFailed = <A, E, R2>(effect: Effect.Effect<A, E, R2>): Effect.Effect<A, CrashScenarioFailed, R2> =>
    Effect.catchCause(effect, (cause) =>
      Effect.fail(new CrashScenarioFailed({ scenario: name, problem: Cause.pretty(cause) }))
    )
  const settings = yield* orFailed(settingsFor(name))
  const context = yield* orFailed(Layer.build(options.layer(recorder)))
  const alone = <A, E>(effect: Effect.Effect<A, E, R | Scope.Scope>): Effect.Effect<A, E> =>
    Effect.provideContext(Effect.scoped(effect), context)

  if (options.prepare !== undefined) yield* orFailed(alone(options.prepare))
  const acknowledged: Array<Acknowledgement> = []
  const acknowledge = (value: Acknowledgement): Effect.Effect<void> => Effect.sync(() => void acknowledged.push(value))
  const points = yield* orFailed(recorder.record(alone(options.scenario(acknowledge)), () => acknowledged.length))

  const recover = alone(options.recover)
  const secondCrash = options.secondCrash ?? true
  const seen = new Set<string>()
  let stateCount = 0
  let secondCrashCount = 0
  let duplicateCount = 0

  const survive = (point: CrashRecorder.CrashPoint, choice: SurvivorChoice): CrashRecorder.WorldState => {
    const { kind, seed } = choice
    return kind === "killed"
      ? point.state
      : recorder.survive(point.state, (index) => survivorRandom(kind, mix(seed, index)))
  }

  /** False for a state that was seen; where nothing can be told of a participant every state is new. */
  const isNew = (state: CrashRecorder.WorldState, choice: SurvivorChoice, acknowledgedCount: number): boolean => {
    if (recorder.incomparable().length > 0) return true
    // A killed process leaves what looks like a power cut that kept all, but is not synced: each of them is its own.
    if (choice.kind === "killed") return true
    const key = `${acknowledgedCount} ${digest(recorder.fingerprint(state))}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  }

  /** Restores one survivor, recovers and checks. Returns the crash points of the recovery. */
  const run = Effect.fnUntraced(function* (
    state: CrashRecorder.WorldState,
    acknowledgedCount: number,
    first: CrashLocation,
    second: CrashLocation | undefined
  ) {
    const orViolation = <A, E>(what: string, effect: Effect.Effect<A, E>): Effect.Effect<A, CrashViolation> =>
      Effect.catchCause(effect, (cause) => Effect.fail(violation(`${what}: ${Cause.pretty(cause)}`)))
    const violation = (problem: string): CrashViolation =>
      new CrashViolation({ scenario: name, seed, first, second, acknowledgedCount, problem })

    stateCount++
    recorder.restore(state)
    const recovery = yield* orViolation("recovery fails", recorder.record(recover))
    yield* orViolation("a check fails", alone(options.check(acknowledged.slice(0, acknowledgedCount))))
    const recovered = recorder.fingerprint(recorder.capture())
    yield* orViolation("a second recovery fails", recover)
    if (recorder.fingerprint(recorder.capture()) !== recovered) {
      return yield* violation("a second recovery changes what the first one left")
    }
    return recovery
  })

  const crash = Effect.fnUntraced(function* (step: number, choice: SurvivorChoice) {
    const point = points[step]!
    const first = { step, label: point.label, choice }
    const state = survive(point, choice)
    if (!isNew(state, choice, point.note)) {
      duplicateCount++
      return false
    }
    const recovery = yield* run(state, point.note, first, undefined)
    if (!secondCrash) return true
    const secondStep = mix(choice.seed, 1) % recovery.length
    const secondChoice = choiceAt(choice.seed, mix(choice.seed, 2) % leastSurvivorsPerStep)
    yield* crashAgain(recovery, point.note, first, { step: secondStep, choice: secondChoice })
    return true
  })

  const crashAgain = Effect.fnUntraced(function* (
    recovery: ReadonlyArray<CrashRecorder.CrashPoint>,
    acknowledgedCount: number,
    first: CrashLocation,
    { step, choice }: Omit<CrashLocation, "label">
  ) {
    const point = recovery[step]!
    // Killed twice with nothing done in between is killed once.
    if (choice.kind === "killed" && step === 0) return
    const state = survive(point, choice)
    if (!isNew(state, choice, acknowledgedCount)) {
      duplicateCount++
      return
    }
    secondCrashCount++
    yield* run(state, acknowledgedCount, first, { step, label: point.label, choice })
  })

  const replay = Effect.fnUntraced(function* ({ first, second }: CrashReplay) {
    const point = points[first.step]
    if (point === undefined) {
      return yield* new CrashScenarioFailed({ scenario: name, problem: `it has no step ${first.step} to replay` })
    }
    const location = { ...first, label: point.label }
    const recovery = yield* run(survive(point, first.choice), point.note, location, undefined)
    if (second === undefined) return
    if (recovery[second.step] === undefined) {
      return yield* new CrashScenarioFailed({
        scenario: name,
        problem: `its recovery has no step ${second.step} to replay`
      })
    }
    yield* crashAgain(recovery, point.note, location, second)
  })

  const wantedCount = settings.isReplay ? 0 : Option.getOrElse(settings.states, () => options.states ?? 0)
  if (Option.isSome(settings.replay)) {
    yield* replay(settings.replay.value)
  } else if (!settings.isReplay) {
    const leastRounds = Math.max(leastSurvivorsPerStep, options.survivorsPerStep ?? leastSurvivorsPerStep)
    const barren = new Map<number, number>(points.map((_, step) => [step, 0]))
    for (let round = 0; round < leastRounds || (stateCount < wantedCount && barren.size > 0); round++) {
      for (const [step, choices] of [...barren]) {
        if (round >= leastRounds && stateCount >= wantedCount) break
        const isFresh = yield* crash(step, choiceAt(mix(seed, step), round))
        if (isFresh) barren.set(step, 0)
        else if (round >= leastRounds && choices >= barrenChoices) barren.delete(step)
        else barren.set(step, choices + 1)
      }
    }
  }

  const stepCount = points.length - 1
  const report: CrashReport = {
    scenario: name,
    stepCount,
    stateCount,
    secondCrashCount,
    duplicateCount,
    wantedCount,
    incomparable: recorder.incomparable(),
    summary:
      `crash enumeration "${name}": ${stepCount} steps, ${stateCount} states (${secondCrashCount} of them second crashes), ` +
      `${duplicateCount} duplicates skipped`
  }
  return report
})

interface Settings {
  readonly states: Option.Option<number>
  /** The state to replay, if one of this scenario is asked for. */
  readonly replay: Option.Option<CrashReplay>
  /** Some state of some scenario is asked for, so that nothing else runs. */
  readonly isReplay: boolean
}

const settingsFor = Effect.fnUntraced(function* (name: string) {
  const states = yield* Config.option(Config.Int(statesVariable))
  const text = yield* Config.option(Config.NonEmptyString(replayVariable))
  const replay = Option.flatMap(text, (value) => Option.fromUndefinedOr(parseReplay(value, name)))
  const settings: Settings = { states, replay, isReplay: Option.isSome(text) }
  return settings
})

/** A long string as a short key: two sums of 32 bits. */
const digest = (text: string): string => {
  let first = 0x811c9dc5
  let second = 0x9747b28c
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    first = Math.imul(first ^ unit, 0x01000193)
    second = Math.imul(second ^ unit, 0x5bd1e995)
    second ^= second >>> 13
  }
  return `${(first >>> 0).toString(36)}.${(second >>> 0).toString(36)}.${text.length}`
}
