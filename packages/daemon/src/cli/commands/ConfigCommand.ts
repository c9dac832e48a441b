/**
 * `icecore config check`: reads the configuration as every other command does and prints what comes of it.
 */
import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import * as Config from "../../config/Config.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Output from "../Output.ts"

const check = Command.make(
  "check",
  {
    ...configFlags,
    json: jsonFlag
  },
  Effect.fnUntraced(function* (input) {
    const { config, file } = yield* loadConfig(input)
    if (input.json) {
      yield* Output.writeJson({ file: Option.getOrNull(file), settings: Config.toRecord(config) })
      return
    }
    const origin = Option.match(file, { onNone: () => "no file", onSome: (path) => path })
    yield* Output.write(`# Valid. Read from ${origin}, flags and defaults.\n${Config.toToml(config)}`)
  })
).pipe(
  Command.withDescription("Check the configuration and print every setting as it will be used"),
  Command.withExamples([
    { command: "icecore config check", description: "Check icecore.toml" },
    { command: "icecore config check --config prod.toml --ingest.batch=100", description: "Check a file with a flag" }
  ])
)

export const configCommand: CliCommand<"config"> = Command.make("config").pipe(
  Command.withDescription("Work with the configuration"),
  Command.withSubcommands([check])
)
