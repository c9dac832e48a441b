/**
 * The settings on the command line: `--config FILE`, and every setting as a flag by its dotted key.
 */
import { Effect, FileSystem, Option, Record } from "effect"
import { Flag } from "effect/cli"
import * as Config from "../config/Config.ts"
import type { ConfigError } from "../config/ConfigError.ts"
import * as ConfigFile from "../config/ConfigFile.ts"

/** Config file that is used when none is named and it exists. */
export const defaultFile = "icecore.toml"

/** What the flags of a command parse to. */
export interface ConfigInput {
  readonly config: Option.Option<string>
  readonly settings: Readonly<Record<string, Option.Option<string>>>
}

const settingFlag = (info: Config.SettingInfo): Flag.Flag<Option.Option<string>> => {
  const description = info.default === "" ? info.doc : `${info.doc} (default ${info.default})`
  const flag = info.isBoolean ? Flag.map(Flag.Boolean(info.key), String) : Flag.String(info.key)
  return flag.pipe(Flag.withDescription(description), Flag.optional)
}

/** The flags that a command which needs the configuration has. */
export const configFlags: {
  readonly config: Flag.Flag<Option.Option<string>>
  readonly settings: Readonly<Record<string, Flag.Flag<Option.Option<string>>>>
} = {
  config: Flag.String("config").pipe(
    Flag.withDescription(`Config file (default ${defaultFile}, when it exists)`),
    Flag.optional
  ),
  settings: Record.fromEntries(Config.settingInfos.map((info) => [info.key, settingFlag(info)] as const))
}

/** A configuration and the file it came from. */
export interface LoadedConfig {
  readonly config: Config.Config
  readonly file: Option.Option<string>
}

/** Reads the file that is named, or {@link defaultFile} when it exists, and lays the flags over it. */
export const loadConfig: (input: ConfigInput) => Effect.Effect<LoadedConfig, ConfigError, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (input: ConfigInput) {
    const fileSystem = yield* FileSystem.FileSystem
    const hasDefault = yield* Effect.orElseSucceed(fileSystem.exists(defaultFile), () => false)
    const file = Option.orElse(input.config, () => (hasDefault ? Option.some(defaultFile) : Option.none()))
    const flags = Record.getSomes(input.settings)
    const document = yield* Effect.forEach(Option.toArray(file), ConfigFile.read)
    const config = yield* Config.load({ ...(document[0] === undefined ? {} : { document: document[0] }), flags })
    return { config, file }
  })
