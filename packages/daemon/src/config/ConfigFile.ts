/**
 * Reading `icecore.toml`: TOML 1.0 through a library, plus the line that a key stands on, which no parser tells.
 */
import { parse, TomlError } from "@std/toml"
import { Effect, FileSystem } from "effect"
import { type ConfigError, ConfigSyntax, ConfigUnreadable } from "./ConfigError.ts"

/** Largest config file in bytes. */
export const maxFileSizeBytes: number = 64 * 1024

/** Most lines of a config file. */
export const maxFileLineCount = 1_000

/** A parsed file. */
export interface ConfigDocument {
  readonly path: string
  readonly table: Readonly<Record<string, unknown>>
  /** Line, from 1, on which the key's definition begins. */
  readonly lineOf: (key: ReadonlyArray<string>) => number
}

/** Reads and parses a file. */
export const read: (path: string) => Effect.Effect<ConfigDocument, ConfigError, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (path: string) {
    const fileSystem = yield* FileSystem.FileSystem
    const bytes = yield* Effect.mapError(
      fileSystem.readFile(path),
      (error) =>
        new ConfigUnreadable({ path, detail: error.reason._tag === "NotFound" ? "it does not exist" : error.message })
    )
    if (bytes.length > maxFileSizeBytes)
      return yield* new ConfigUnreadable({
        path,
        detail: `it has ${bytes.length} bytes, allowed are at most ${maxFileSizeBytes}`
      })
    const text = yield* Effect.try({
      try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      catch: () => new ConfigUnreadable({ path, detail: "it is not UTF-8" })
    })
    const lineCount = text.split("\n").length
    if (lineCount > maxFileLineCount)
      return yield* new ConfigUnreadable({
        path,
        detail: `it has ${lineCount} lines, allowed are at most ${maxFileLineCount}`
      })
    return yield* parseText(path, text)
  })

/** Parses the text of a file. */
export const parseText = (path: string, text: string): Effect.Effect<ConfigDocument, ConfigSyntax> =>
  Effect.map(
    Effect.try({ try: () => parseToml(text), catch: (cause) => syntaxError(path, cause) }),
    (table): ConfigDocument => ({ path, table, lineOf: (key) => lineOf(text, key) })
  )

const parseToml = (text: string): Record<string, unknown> =>
  parse(text, { integersAsBigInt: "asNeeded", maxDepth: 16, unsafeKeyBehaviour: "throw" })

const syntaxError = (path: string, cause: unknown): ConfigSyntax =>
  cause instanceof TomlError
    ? new ConfigSyntax({ path, line: cause.line, column: cause.column, detail: firstLine(cause.message) })
    : new ConfigSyntax({ path, line: 1, column: 1, detail: firstLine(String(cause)) })

const firstLine = (message: string): string => message.split("\n", 1)[0]!

/**
 * A definition ends on the first line at which the text so far is TOML and holds the key, and begins behind the last line
 * at which the text so far was TOML: this is right for values over several lines without a parser of our own.
 */
const lineOf = (text: string, key: ReadonlyArray<string>): number => {
  const lines = text.split("\n")
  let begin = 1
  for (let count = 1; count <= lines.length; count++) {
    const table = tryParse(lines.slice(0, count).join("\n"))
    if (table === undefined) continue
    if (holds(table, key)) return begin
    begin = count + 1
  }
  return lines.length
}

const tryParse = (text: string): Record<string, unknown> | undefined => {
  try {
    return parseToml(text)
  } catch {
    return undefined
  }
}

const holds = (table: unknown, key: ReadonlyArray<string>): boolean => {
  let value = table
  for (const name of key) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return false
    value = (value as Record<string, unknown>)[name]
  }
  return true
}
