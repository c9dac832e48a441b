/** A crash after which the promise does not hold, and the string that leads back to it. */
import { Data } from "effect"
import type { CrashKind, SurvivorChoice } from "./SurvivorChoice.ts"

/** Where the power went, and what survived. */
export interface CrashLocation {
  /** Index of the crash point: the crash comes before the step with this number. */
  readonly step: number
  /** The operation that was about to happen, or `end`. */
  readonly label: string
  readonly choice: SurvivorChoice
}

/** One state of an enumeration, as {@link formatReplay} writes it: without labels. */
export interface CrashReplay {
  readonly scenario: string
  readonly first: Omit<CrashLocation, "label">
  readonly second: Omit<CrashLocation, "label"> | undefined
}

/** Variable that makes an enumeration run only the state that it names. */
export const replayVariable = "ICECORE_CRASH_REPLAY"

/** After this crash recovery failed, or the check did, or a second recovery changed something. */
export class CrashViolation extends Data.Error<{
  readonly scenario: string
  readonly seed: number
  readonly first: CrashLocation
  /** A second crash, inside the recovery from the first. */
  readonly second: CrashLocation | undefined
  /** How many acknowledgements the scenario had given. */
  readonly acknowledgedCount: number
  readonly problem: string
}> {
  readonly _tag = "CrashViolation"
  override readonly name = "CrashViolation"
  override get message(): string {
    const lines = [
      `Scenario "${this.scenario}" does not survive a crash: ${this.problem}`,
      `  seed ${this.seed}, ${this.acknowledgedCount} acknowledged`,
      `  crash ${describe(this.first)}`
    ]
    if (this.second !== undefined) lines.push(`  second crash, in the recovery, ${describe(this.second)}`)
    const replay = formatReplay(this)
    lines.push(`  replay: ${replayVariable}='${replay.replaceAll("'", "'\\''")}' bun --bun vitest run`)
    return lines.join("\n")
  }
}

const describe = ({ step, label, choice }: CrashLocation): string =>
  `before step ${step} (${label}), survivors ${choice.kind}:${choice.seed}`

/** `scenario/12.random:3049`, and `/4.lost:77` behind it for a second crash. */
export const formatReplay = ({ scenario, first, second }: CrashReplay): string => {
  const part = ({ step, choice }: CrashReplay["first"]): string => `/${step}.${choice.kind}:${choice.seed}`
  return `${scenario}${part(first)}${second === undefined ? "" : part(second)}`
}

/** The inverse of {@link formatReplay} for a scenario of this name; undefined for anything else. */
export const parseReplay = (text: string, scenario: string): CrashReplay | undefined => {
  if (!text.startsWith(`${scenario}/`)) return undefined
  const match = /^(\d+)\.([a-z]+):(\d+)(?:\/(\d+)\.([a-z]+):(\d+))?$/.exec(text.slice(scenario.length + 1))
  if (match === null) return undefined
  const location = (at: number): CrashReplay["first"] => ({
    step: Number(match[at]),
    choice: { kind: match[at + 1] as CrashKind, seed: Number(match[at + 2]) }
  })
  return { scenario, first: location(1), second: match[4] === undefined ? undefined : location(4) }
}
