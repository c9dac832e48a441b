/** Turns what callers give as keys and prefixes into bytes, checked: they come from outside, records do not. */
import { Tuple } from "@icecore/codec"
import { Result } from "effect"
import { maxKeySizeBytes } from "../../../Engine.ts"
import { appendPart, headerSizeBytes, separator, valueAt } from "../../../format/RecordLayout.ts"
import type { KeyKind, KeyPart } from "../../../RecordType.ts"

/** As large as the longest tuple of a key. */
const scratch = new Uint8Array(maxKeySizeBytes - headerSizeBytes)

/** A checked prefix or key. */
export interface KeyBytes {
  /** Without the header. Ends in the separator unless it is whole. */
  readonly bytes: Uint8Array
  /** Has a value for each part that a key has. */
  readonly isWhole: boolean
}

/** Undefined: it is longer than any stored key, so nothing has it. */
export type KeyQuery = Result.Result<KeyBytes | undefined, string>

/** The tuple of a primary key, from an object with its fields. Fails with what is wrong. */
export const keyOf = (parts: ReadonlyArray<KeyPart>, key: unknown): KeyQuery => {
  const values: Array<unknown> = []
  for (const part of parts) values.push(valueAt(key, part.path))
  return encode(parts, values, true)
}

/**
 * The prefix of all keys with the given values, an object by dotted path that names a beginning of `parts`. `lasts` says that
 * nothing follows `parts` in a key. Fails with what is wrong.
 */
export const prefixOf = (
  parts: ReadonlyArray<KeyPart>,
  prefix: Readonly<Record<string, unknown>>,
  lasts: boolean
): KeyQuery => {
  const given = new Map(Object.entries(prefix).filter(([, value]) => value !== undefined))
  const values: Array<unknown> = []
  for (const part of parts) {
    const path = part.path.join(".")
    if (!given.has(path)) break
    values.push(given.get(path))
  }
  if (values.length < given.size) {
    const allowed = parts.map((part) => part.path.join(".")).join(", ")
    return Result.fail(`the prefix has ${[...given.keys()].join(", ")}, expected a beginning of ${allowed}`)
  }
  return encode(parts, values, lasts && values.length === parts.length)
}

const encode = (parts: ReadonlyArray<KeyPart>, values: ReadonlyArray<unknown>, isWhole: boolean): KeyQuery => {
  let end = 0
  try {
    for (const [index, value] of values.entries()) {
      const { kind, path } = parts[index]!
      if (!isOfKind(kind, value)) return Result.fail(`${path.join(".")} is ${shown(value)}, expected ${expected(kind)}`)
      end = appendPart(scratch, end, kind, value)
      if (isWhole && index === values.length - 1) break
      if (end === scratch.length) return Result.succeed(undefined)
      scratch[end++] = separator
    }
  } catch (cause) {
    if (cause instanceof Tuple.TupleOverflow) return Result.succeed(undefined)
    if (cause instanceof Tuple.TupleValueInvalid) return Result.fail(cause.message)
    throw cause
  }
  return Result.succeed({ bytes: scratch.slice(0, end), isWhole })
}

const isOfKind = (kind: KeyKind, value: unknown): boolean => {
  switch (kind) {
    case "string":
    case "literal":
      return typeof value === "string"
    case "bytes":
      return value instanceof Uint8Array
    case "int":
      return Number.isSafeInteger(value)
    case "bigint":
      return typeof value === "bigint"
    case "boolean":
      return typeof value === "boolean"
    case "date":
      return value instanceof Date && !Number.isNaN(value.getTime())
  }
}

const expected = (kind: KeyKind): string => {
  switch (kind) {
    case "string":
    case "literal":
      return "a string"
    case "bytes":
      return "bytes"
    case "int":
      return "a safe integer"
    case "bigint":
      return "a bigint"
    case "boolean":
      return "true or false"
    case "date":
      return "a Date"
  }
}

const shown = (value: unknown): string => {
  if (value === undefined || value === null) return "absent"
  return typeof value === "object" ? "an object" : `${typeof value} ${String(value)}`
}
