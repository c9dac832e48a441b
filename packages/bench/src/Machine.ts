/**
 * Where a run ran: figures of different machines are not to be compared.
 */
import { availableParallelism } from "node:os"
import { Schema } from "effect"

export interface Machine {
  readonly platform: string
  readonly architecture: string
  readonly processors: number
  readonly runtime: string
}

export const Machine: Schema.Codec<Machine> = Schema.Struct({
  platform: Schema.String,
  architecture: Schema.String,
  processors: Schema.Finite,
  runtime: Schema.String
})

/** The machine and runtime of this process. */
export const thisMachine = (): Machine => ({
  platform: process.platform,
  architecture: process.arch,
  processors: availableParallelism(),
  runtime: process.versions.bun === undefined ? `Node ${process.versions.node}` : `Bun ${process.versions.bun}`
})
