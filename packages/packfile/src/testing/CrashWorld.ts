/**
 * One simulated machine that can lose power: the shared clock of everything in a test that keeps state on "disk".
 *
 * A participant (the simulated disk, the memory engine's medium) calls {@link CrashWorld.step} immediately before every
 * operation that changes what a crash can leave. The recorder takes the participants' states at each step: cheap, because a
 * state is an immutable value that shares structure with the one before.
 */

/**
 * What a power cut leaves of all that was not synced.
 *
 * - `lost`: nothing.
 * - `kept`: everything.
 * - `zeros`: names and lengths, but of the bytes only those that were synced; the rest reads as zeros.
 * - `nameless`: bytes and lengths, but no creation, rename or unlink.
 * - `sizeless`: bytes and names, but the synced lengths.
 * - `last`: everything but the last operation.
 * - `prefix`: everything up to an operation, and nothing after it.
 * - `torn`: names and lengths, and of every 512 byte sector one of its versions.
 * - `random`: of every block, length and name one of its versions; some blocks torn.
 */
export type SurvivorPolicy = "lost" | "kept" | "zeros" | "nameless" | "sizeless" | "last" | "prefix" | "torn" | "random"

/**
 * One survivor choice: a policy, and deterministic numbers from a 32-bit generator with its own seed.
 *
 * A participant that has no use for the policy can take the numbers alone, if it reads the smallest as "lost" and the largest
 * as "kept": under those two policies the numbers are all smallest or all largest.
 */
export interface SurvivorRandom {
  readonly policy: SurvivorPolicy
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
  /**
   * Equal for two states in which a reader sees the same. With it the enumerator skips survivors that it has seen, and can
   * tell whether a second recovery changed anything; without it, it does neither for this participant.
   */
  readonly fingerprint?: (state: State) => string
}

export interface CrashWorld {
  /** Registers a participant. Called once by its constructor. */
  readonly join: <State>(participant: CrashParticipant<State>) => void
  /** A mutating operation is about to happen; `label` says which, for the report of a violation. */
  readonly step: (label: string) => void
}
