/** The process of one mutant: takes walks until one finds it, and writes what found it as JSON. */
import { Effect, Option } from "effect"
import { portMutants } from "./PortMutants.ts"
import { mutantVariable, sourceMutants } from "./SourceMutants.ts"
import * as WalkDriver from "./WalkDriver.ts"
import * as WalkPlan from "./WalkPlan.ts"
import { formatReplay } from "./WalkViolation.ts"

/** How a mutant was found. */
export interface Caught {
  readonly replay: string
  readonly step: number
  readonly problem: string
}

const name = process.env[mutantVariable]
const port = portMutants.find((mutant) => mutant.name === name)
const mutant = port ?? sourceMutants.find((candidate) => candidate.name === name)
if (mutant === undefined) throw new Error(`there is no mutant "${name}"`)

const hunt: Effect.Effect<Option.Option<Caught>> = Effect.gen(function* () {
  for (const { subject, ...walk } of WalkPlan.hunt(mutant.walk)) {
    const mutation = port === undefined ? {} : { mutation: port.make() }
    const { violation } = yield* WalkDriver.walk({ subject, ...walk, ...mutation })
    if (Option.isNone(violation)) continue
    const { step, problem } = violation.value
    const steps = walk.steps.filter((index) => index <= step)
    return Option.some({ replay: formatReplay({ subject, seed: walk.seed, steps }), step, problem })
  }
  return Option.none()
})

const caught = await Effect.runPromise(hunt)
console.log(JSON.stringify(Option.getOrNull(caught)))
process.exit()
