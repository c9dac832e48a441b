/** A promise that does not hold, and the way back to it. */

/** What a check finds wrong, without where. */
export class Broken extends Error {
  override readonly name = "Broken"
}

/** Fails the walk unless the condition holds. */
export const require = (holds: boolean, detail: () => string): void => {
  if (!holds) throw new Broken(detail())
}

/** A walk that found something wrong. */
export interface WalkViolation {
  readonly problem: string
  /** The step at which it showed; infinite when it was the settling after the last one. */
  readonly step: number
  /** What each step did, in order. */
  readonly trace: ReadonlyArray<string>
}

/** Variable that makes the walks run one walk only. */
export const replayVariable = "ICECORE_WALK_REPLAY"

/** A walk by its name: `simulated-lmdb/7`, its steps and a mutant behind it where they are not all and none. */
export const formatReplay = (walk: {
  readonly subject: string
  readonly seed: number
  readonly steps: ReadonlyArray<number>
}): string => `${walk.subject}/${walk.seed}/${formatSteps(walk.steps)}`

/** The inverse of {@link formatReplay}; undefined for anything else. */
export const parseReplay = (
  text: string
): { readonly subject: string; readonly seed: number; readonly steps: ReadonlyArray<number> } | undefined => {
  const match = /^([a-z-]+)\/(\d+)\/([\d,-]+)$/.exec(text)
  if (match === null) return undefined
  const steps = match[3]!.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number)
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index)
  })
  return { subject: match[1]!, seed: Number(match[2]), steps }
}

/** `0-7,9,12-13`. */
const formatSteps = (steps: ReadonlyArray<number>): string => {
  const parts: Array<string> = []
  for (let index = 0; index < steps.length; ) {
    let end = index
    while (steps[end + 1] === steps[end]! + 1) end++
    parts.push(end === index ? `${steps[index]}` : `${steps[index]}-${steps[end]}`)
    index = end + 1
  }
  return parts.join(",")
}

/** The whole story, and the command that tells it again. */
export const describe = (
  walk: { readonly subject: string; readonly seed: number; readonly steps: ReadonlyArray<number> },
  violation: WalkViolation
): string => {
  const at = Number.isFinite(violation.step) ? `step ${violation.step}` : "its end"
  return [
    `Walk ${walk.subject}, seed ${walk.seed}, breaks a promise at ${at}: ${violation.problem}`,
    ...violation.trace.map((line) => `  ${line}`),
    `  replay: ${replayVariable}='${formatReplay(walk)}' bun --bun vitest run test/walk/Walk.test.ts`
  ].join("\n")
}
