/**
 * The `icecore` command.
 */
import { Command } from "effect/cli"
import type { CliCommand } from "./CliServices.ts"
import { configCommand } from "./commands/ConfigCommand.ts"

export const icecore: CliCommand<"icecore"> = Command.make("icecore").pipe(
  Command.withDescription("Keep the full history of a sequenced log and answer for any part of it"),
  Command.withSubcommands([configCommand])
)
