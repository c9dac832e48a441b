/**
 * One simulated machine that can lose power: the shared clock of everything in a test that keeps state on "disk".
 *
 * A participant (the simulated disk, the memory engine's medium) calls {@link CrashWorld.step} immediately before every
 * operation that changes what a crash can leave. The recorder takes the participants' states at each step: cheap, because a
 * state is an immutable value that shares structure with the one before.
 */

/** Deterministic numbers for survivor choices: a 32-bit generator with its own seed. */
export interface SurvivorRandom {
  /** Uniform in [0, bound). `bound` is 1 to 2^31. */
  readonly nextInt: (bound: number) => number
}

/** Something whose state a crash can damage. */
export interface CrashParticipant<State = unknown> {
  readonly name: string
  /** The state now. Immutable: later operations make new values. */
  readonly capture: () => State
  /** Makes `state` the current one, with nothing open and nothing locked. */
  readonly restore: (state: State) => void
  /** What is left of `state` after a power cut: all that is synced, and of the rest whatever `random` chooses. */
  readonly survive: (state: State, random: SurvivorRandom) => State
}

export interface CrashWorld {
  /** Registers a participant. Called once by its constructor. */
  readonly join: <State>(participant: CrashParticipant<State>) => void
  /** A mutating operation is about to happen; `label` says which, for the report of a violation. */
  readonly step: (label: string) => void
}
