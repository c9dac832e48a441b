#!/usr/bin/env bun
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Cause, Console, Effect, Layer, References } from "effect"
import { CliError, Command } from "effect/cli"
import { benchCommand } from "./BenchCommand.ts"
import * as LiveResidentMemory from "./live/LiveResidentMemory.ts"

/** One line for what was foreseen, the whole story for a defect; the command line reports its own errors. */
const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const error = Cause.squash(cause)
  if (CliError.isCliError(error) || Cause.hasInterruptsOnly(cause)) return Effect.void
  return Console.error(
    `icecore-bench: ${!Cause.hasDies(cause) && error instanceof Error ? error.message : Cause.pretty(cause)}`
  )
}

benchCommand.pipe(
  Command.run({ version: "0.1.0" }),
  // What stores log of their work would hide the table.
  Effect.provide([NodeServices.layer, LiveResidentMemory.layer, Layer.succeed(References.MinimumLogLevel, "Warn")]),
  Effect.tapCause(report),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
