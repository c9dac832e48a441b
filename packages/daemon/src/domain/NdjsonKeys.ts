/**
 * The keys of lines of JSON: what {@link import("./JsonPointer.ts")} finds, as keys of 32 bytes.
 *
 * An entry that is no JSON, or no UTF-8, has no keys, and neither has JSON that nests deeper than {@link maxDepth}. The whole
 * entry is parsed, which takes some forty times its size in memory for a moment.
 */
import { createHash } from "node:crypto"
import { Option, Result } from "effect"
import { type DomainKeys, type DuplicatePolicy, keySizeBytes } from "../Domain.ts"
import { isDeeperThan } from "../kernel/JsonDepth.ts"
import * as JsonPointer from "./JsonPointer.ts"

/** Levels that JSON with keys nests at most. Deeper JSON counts as none, as RFC 8259, section 9, lets a parser do. */
export const maxDepth = 1_000

/** Keys that an entry has at most. */
export const maxKeysPerEntry = 10_000

/** What the text that a pointer finds is to the key: its digits, or hashed. */
export type KeyFormat = "hex" | "text"

export interface NdjsonKeysOptions {
  /** One or more. */
  readonly pointers: ReadonlyArray<JsonPointer.JsonPointer>
  readonly keyFormat: KeyFormat
  readonly duplicates: DuplicatePolicy
}

export const make = ({ pointers, keyFormat, duplicates }: NdjsonKeysOptions): DomainKeys => {
  const keyOf = keyFormat === "hex" ? hexKey : textKey
  const expected = keyFormat === "hex" ? "64 hex digits" : "text, a boolean, or a number that is exact"

  const of = (entry: Uint8Array): Result.Result<ReadonlyArray<Uint8Array>, string> => {
    const document = parseJson(entry)
    if (document === undefined) return noKeys
    const keys: Array<Uint8Array> = []
    for (const pointer of pointers) {
      const found = JsonPointer.resolve(pointer, document)
      const values = Array.isArray(found) ? found : [found]
      for (const value of values) {
        if (value === undefined || value === null) continue
        const key = keyOf(value)
        if (key === undefined)
          return Result.fail(`its value at "${pointer.text}" is ${describe(value)}, expected ${expected}`)
        if (keys.push(key) > maxKeysPerEntry) return Result.fail(`it has more than ${maxKeysPerEntry} keys`)
      }
    }
    return Result.succeed(keys.length > 1 ? distinct(keys) : keys)
  }

  return { of, duplicates, parse: (text) => Option.fromUndefinedOr(keyOf(text)) }
}

const noKeys: Result.Result<ReadonlyArray<Uint8Array>> = Result.succeed([])

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The document; undefined when the bytes are none. */
const parseJson = (entry: Uint8Array): unknown => {
  if (isDeeperThan(entry, maxDepth)) return undefined
  try {
    return JSON.parse(utf8.decode(entry))
  } catch {
    return undefined
  }
}

const textKey = (value: unknown): Uint8Array | undefined => {
  switch (typeof value) {
    case "string":
      // Half a surrogate pair has no UTF-8, and would be hashed as another text.
      return value.isWellFormed() ? sha256(value) : undefined
    case "boolean":
      return sha256(String(value))
    case "number":
      // A larger integer, or one with a fraction that does not fit, may stand for another number in the text.
      return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : finite(value)
    default:
      return undefined
  }
}

const finite = (value: number): Uint8Array | undefined =>
  Number.isFinite(value) ? sha256(JSON.stringify(value)) : undefined

const sha256 = (text: string): Uint8Array => new Uint8Array(createHash("sha256").update(text, "utf8").digest())

const hexKey = (value: unknown): Uint8Array | undefined => {
  if (typeof value !== "string") return undefined
  const start = value.length === 2 * keySizeBytes + 2 && value.startsWith("0x") ? 2 : 0
  if (value.length !== start + 2 * keySizeBytes) return undefined
  const key = new Uint8Array(keySizeBytes)
  for (let index = 0; index < keySizeBytes; index++) {
    const high = digitOf(value.charCodeAt(start + 2 * index))
    const low = digitOf(value.charCodeAt(start + 2 * index + 1))
    if (high < 0 || low < 0) return undefined
    key[index] = (high << 4) | low
  }
  return key
}

/** The value of a hex digit; −1 when it is none. */
const digitOf = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

const distinct = (keys: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
  const seen = new Set<string>()
  return keys.filter((key) => seen.size < seen.add(textOf(key)).size)
}

/** Each byte as one character: the cheapest text that tells keys apart. */
const textOf = (key: Uint8Array): string => String.fromCharCode(...key)

const describe = (value: unknown): string => {
  if (typeof value === "number") return String(value)
  if (typeof value === "object") return Array.isArray(value) ? "an array in an array" : "an object"
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
