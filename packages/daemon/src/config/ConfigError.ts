/**
 * Why a configuration is refused. Every error names the key as it is written in the file or on the command line, and the
 * place it was read from.
 */
import { Data } from "effect"

/** Where a setting came from. `line` counts from 1. */
export type ConfigPlace =
  | { readonly kind: "file"; readonly path: string; readonly line: number }
  | { readonly kind: "flag" }

const describePlace = (place: ConfigPlace, key: string): string =>
  place.kind === "file" ? `${place.path}, line ${place.line}: ${key}` : `--${key}`

/** The file cannot be read. */
export class ConfigUnreadable extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "ConfigUnreadable"
  override readonly name = "ConfigUnreadable"
  override get message(): string {
    return `Cannot read config ${this.path}: ${this.detail}`
  }
}

/** The file is not TOML. `line` and `column` count from 1. */
export class ConfigSyntax extends Data.Error<{
  readonly path: string
  readonly line: number
  readonly column: number
  readonly detail: string
}> {
  readonly _tag = "ConfigSyntax"
  override readonly name = "ConfigSyntax"
  override get message(): string {
    return `Cannot read config ${this.path}, line ${this.line}, column ${this.column}: ${this.detail}`
  }
}

/** A key that no setting has. `nearest` is the known key that is spelled most like it. */
export class ConfigUnknownKey extends Data.Error<{
  readonly place: ConfigPlace
  readonly key: string
  readonly nearest: string
}> {
  readonly _tag = "ConfigUnknownKey"
  override readonly name = "ConfigUnknownKey"
  override get message(): string {
    return `Cannot use config ${describePlace(this.place, this.key)} is not a setting; did you mean ${this.nearest}?`
  }
}

/** A value of the wrong type, or one that cannot work. */
export class ConfigInvalidValue extends Data.Error<{
  readonly place: ConfigPlace
  readonly key: string
  readonly expected: string
  readonly actual: string
}> {
  readonly _tag = "ConfigInvalidValue"
  override readonly name = "ConfigInvalidValue"
  override get message(): string {
    return `Cannot use config ${describePlace(this.place, this.key)} is ${this.actual}, expected ${this.expected}`
  }
}

export type ConfigError = ConfigUnreadable | ConfigSyntax | ConfigUnknownKey | ConfigInvalidValue
