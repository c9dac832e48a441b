/**
 * Parts of keys as text, as the command line has them: text as it is, bytes as base64, times in ISO 8601.
 */
import type { RecordType } from "@icecore/engine"
import { Result } from "effect"
import { Base64 } from "effect/encoding"

/** Splits at commas; `\,` is a comma of a part, `\\` a backslash. */
export const split = (text: string): ReadonlyArray<string> => {
  const parts = [""]
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    const isEscape = character === "\\" && (text[at + 1] === "," || text[at + 1] === "\\")
    if (character === ",") parts.push("")
    else parts[parts.length - 1] += isEscape ? text[++at]! : character
  }
  return parts
}

/** The value of a part; a failure says what was expected. */
export const parse = (kind: RecordType.KeyKind, text: string): Result.Result<unknown, string> => {
  switch (kind) {
    case "string":
    case "literal":
      return Result.succeed(text)
    case "int": {
      const value = Number(text)
      return /^-?\d+$/.test(text) && Number.isSafeInteger(value)
        ? Result.succeed(value)
        : Result.fail("a whole number of at most ±(2^53 − 1)")
    }
    case "bigint": {
      const value = /^-?\d+$/.test(text) ? BigInt(text) : undefined
      return value !== undefined && BigInt.asIntN(64, value) === value
        ? Result.succeed(value)
        : Result.fail("a whole number of 64 bits")
    }
    case "boolean":
      return text === "true" || text === "false" ? Result.succeed(text === "true") : Result.fail("true or false")
    case "bytes":
      return Result.mapError(Base64.decode(text), () => "base64")
    case "date": {
      const value = new Date(text)
      return /^\d{4}-\d\d/.test(text) && !Number.isNaN(value.getTime())
        ? Result.succeed(value)
        : Result.fail("a time in ISO 8601, such as 2024-05-01T12:00:00Z")
    }
  }
}

/** A part as {@link parse} takes it. */
export const format = (value: unknown): string =>
  value instanceof Uint8Array ? Base64.encode(value) : value instanceof Date ? value.toISOString() : String(value)

/** The parts of a record's key, or of an object with just those fields. */
export const partsOf = (type: RecordType.Any, record: object): ReadonlyArray<string> =>
  type.keyParts.map(({ path }) =>
    format(path.reduce<unknown>((value, name) => (value as Readonly<Record<string, unknown>>)[name], record))
  )
