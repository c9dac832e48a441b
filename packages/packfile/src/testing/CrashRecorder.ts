/** The {@link CrashWorld} that writes down the state of every participant before each of its steps. */
import { Effect } from "effect"
import type { CrashParticipant, CrashWorld, SurvivorRandom } from "./CrashWorld.ts"

/** The states of all participants, in the order in which they joined. */
export type WorldState = ReadonlyArray<unknown>

/** A moment in which the power may go: before the operation `label`, or after the last one. */
export interface CrashPoint {
  readonly label: string
  readonly state: WorldState
  /** What {@link CrashRecorder.record} was told to note, at that moment. */
  readonly note: number
}

export interface CrashRecorder extends CrashWorld {
  readonly capture: () => WorldState
  readonly restore: (state: WorldState) => void
  /** What a power cut leaves; `randomFor` gives each participant its choice, by its index. */
  readonly survive: (state: WorldState, randomFor: (index: number) => SurvivorRandom) => WorldState
  /** The same for two states that look the same to every participant that can tell. */
  readonly fingerprint: (state: WorldState) => string
  /** Names of the participants that have no fingerprint. */
  readonly incomparable: () => ReadonlyArray<string>
  /** Runs the effect and returns what it did: one point before each step and one, called `end`, after it. */
  readonly record: <E, R>(
    effect: Effect.Effect<unknown, E, R>,
    note?: () => number
  ) => Effect.Effect<ReadonlyArray<CrashPoint>, E, R>
}

/** A world without participants that records nothing until it is told to; for tests that need no more it is a world. */
export const make = (): CrashRecorder => {
  const participants: Array<CrashParticipant> = []
  let points: Array<CrashPoint> | undefined
  let noteNow: () => number = () => 0

  const capture = (): WorldState => participants.map((participant) => participant.capture())

  const point = (label: string): CrashPoint => ({ label, state: capture(), note: noteNow() })

  const record: CrashRecorder["record"] = (effect, note = () => 0) =>
    Effect.suspend(() => {
      const recorded: Array<CrashPoint> = []
      points = recorded
      noteNow = note
      return effect.pipe(
        Effect.map(() => [...recorded, point("end")]),
        Effect.ensuring(
          Effect.sync(() => {
            points = undefined
          })
        )
      )
    })

  return {
    join: (participant) => {
      participants.push(participant as CrashParticipant)
    },
    step: (label) => {
      points?.push(point(label))
    },
    capture,
    restore: (state) => {
      for (const [index, participant] of participants.entries()) participant.restore(state[index])
    },
    survive: (state, randomFor) =>
      participants.map((participant, index) => participant.survive(state[index], randomFor(index))),
    fingerprint: (state) =>
      participants.map((participant, index) => participant.fingerprint?.(state[index]) ?? "").join("\0"),
    incomparable: () =>
      participants
        .filter((participant) => participant.fingerprint === undefined)
        .map((participant) => participant.name),
    record
  }
}
