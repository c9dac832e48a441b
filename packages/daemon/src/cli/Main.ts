/**
 * Runs a command line to its exit status: 0 done, 1 failed with one line on standard error, 2 wrong usage.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { CatalogPinMismatch } from "@icecore/catalog"
import { Cause, Effect, Exit, Predicate, type Runtime, type Stdio } from "effect"
import { CliConfig, CliError, Command, GlobalFlag } from "effect/cli"
import { ConfigInvalidValue, ConfigSyntax, ConfigUnknownKey, ConfigUnreadable } from "../config/ConfigError.ts"
import { EarliestBeyondEnd } from "../Store.ts"
import { version } from "../Version.ts"
import { GetArgumentInvalid } from "./commands/GetCommand.ts"
import * as DisplayText from "./DisplayText.ts"
import { icecore } from "./Icecore.ts"
import * as Output from "./Output.ts"
import { RecordArgumentInvalid } from "./records/RecordArguments.ts"
import * as StopStatus from "./StopStatus.ts"

const exitFailed = 1
const exitUsage = 2

const isUsageError = (error: unknown): boolean =>
  CliError.isCliError(error) ||
  error instanceof GetArgumentInvalid ||
  error instanceof RecordArgumentInvalid ||
  error instanceof ConfigUnreadable ||
  error instanceof ConfigSyntax ||
  error instanceof ConfigUnknownKey ||
  error instanceof ConfigInvalidValue ||
  error instanceof EarliestBeyondEnd ||
  (error instanceof CatalogPinMismatch && isSetting(error.pin))

/** Whether a pin comes from the configuration. The others say which program made the store. */
const isSetting = (pin: string): boolean =>
  pin !== "catalog_version" && pin !== "domain_name" && pin !== "domain_version"

/** The reader of our output has gone, as `head` does: there is nobody left to tell. */
const isClosedPipe = (error: unknown): boolean =>
  Predicate.hasProperty(error, "reason") &&
  Predicate.hasProperty(error.reason, "cause") &&
  Predicate.hasProperty(error.reason.cause, "code") &&
  error.reason.cause.code === "EPIPE"

/** What of this process's own streams could not be used, and why: the error itself names neither. */
const streamFailure = (error: unknown): string | undefined => {
  if (!Predicate.hasProperty(error, "reason") || !Predicate.hasProperty(error.reason, "module")) return undefined
  if (error.reason.module !== "Stdio" || !Predicate.hasProperty(error.reason, "cause")) return undefined
  const { cause } = error.reason
  return `Cannot use standard input or output: ${cause instanceof Error ? cause.message : String(cause)}`
}

const stopStatus = StopStatus.make()

const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(0)
  if (Cause.hasInterruptsOnly(exit.cause)) return onExit(stopStatus.current)
  const error = Cause.squash(exit.cause)
  if (CliError.isCliError(error) && error._tag === "ShowHelp" && error.errors.length === 0) return onExit(0)
  if (isClosedPipe(error)) return onExit(0)
  return onExit(isUsageError(error) ? exitUsage : exitFailed)
}

/** One line for an error that was foreseen; the whole story for a defect, which is a bug of ours. */
const report = (cause: Cause.Cause<unknown>): Effect.Effect<void, never, Stdio.Stdio> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.squash(cause)
  if (CliError.isCliError(error) || isClosedPipe(error)) return Effect.void
  const message =
    streamFailure(error) ?? (Predicate.hasProperty(error, "message") ? String(error.message) : String(error))
  // What is named comes from files of anybody.
  const line = Cause.hasDies(cause)
    ? `internal error: ${Cause.pretty(cause)}`
    : DisplayText.visible(message.replaceAll("\n", " "))
  return Effect.ignore(Output.writeError(`icecore: ${line}\n`))
}

/** Runs the arguments of this process. */
export const main = (): void =>
  icecore.pipe(
    Command.run({ version }),
    Effect.tapCause(report),
    Effect.provideService(CliConfig.CliConfig, {
      builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]
    }),
    Effect.provideService(StopStatus.StopStatus, stopStatus),
    Effect.provide(NodeServices.layer),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown })
  )
