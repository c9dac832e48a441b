/**
 * The log that a walk writes: every entry is computed from its seq, so that whatever a crash lost is written again the same, and
 * what a store holds can be told wrong without having been remembered.
 *
 * Entries are of different lengths, some over a block of the disk and without anything to compress. They have no key, one or
 * several, one of them twice; some are no JSON. A quarter of the keys share their first 12 bytes. Where the log has duplicates a
 * quarter of the entries take their first key from one of the twelve entries before them.
 */
import { SurvivorChoice } from "@icecore/packfile/testing"
import { Hex } from "effect/encoding"
import type { DuplicatePolicy } from "../../src/Domain.ts"

/** How far back an entry may take a key from. */
const reach = 12

const { mix } = SurvivorChoice

export interface LogContent {
  /** The bytes of the entry at `seq`. */
  readonly bytesAt: (seq: number) => Uint8Array
  /** The distinct keys of the entry at `seq`, as hex. */
  readonly keysAt: (seq: number) => ReadonlyArray<string>
  /** The seqs of `from` to `to`, both inclusive, that have the key of the entry at `seq`, ascending. */
  readonly holders: (options: {
    readonly key: string
    readonly seq: number
    readonly from: number
    readonly to: number
  }) => ReadonlyArray<number>
  /** An entry with this key and bytes of its own, which is not the entry at any seq. */
  readonly intruder: (key: string, number: number) => Uint8Array
  /** The key of no entry, as hex. */
  readonly strangeKey: (number: number) => string
}

export interface LogContentOptions {
  readonly seed: number
  readonly firstSeq: number
  /** Duplicates are there only where the policy allows them. */
  readonly duplicates: DuplicatePolicy
}

const encoder = new TextEncoder()

/** Where the numbers of strange keys and of intruders begin: behind those of all keys. */
const strangers = 2 ** 30

export const make = ({ seed, firstSeq, duplicates }: LogContentOptions): LogContent => {
  const cache = new Map<number, { readonly bytes: Uint8Array; readonly keys: ReadonlyArray<string> }>()

  const keyBytes = (id: number): Uint8Array => {
    const next = SurvivorChoice.generator(mix(seed, id))
    const key = new Uint8Array(32)
    for (let index = 0; index < key.length; index++) key[index] = next() & 0xff
    if (id % 4 === 0) key.fill(0xab, 0, 12)
    return key
  }
  const keyOf = (id: number): string => Hex.encode(keyBytes(id))

  const entryAt = (seq: number) => {
    const known = cache.get(seq)
    if (known !== undefined) return known
    const made = makeEntry(seq)
    cache.set(seq, made)
    return made
  }

  const makeEntry = (seq: number) => {
    const hash = mix(seed + 1, seq)
    const shape = hash % 16
    const pad = padding(hash, (hash >>> 8) % 6 === 0 ? 3_000 + ((hash >>> 4) % 4_000) : (hash >>> 8) % 90)
    if (shape === 8) return { bytes: encoder.encode(`no JSON ${seq} ${pad}`), keys: [] }
    const own = duplicates !== "error" && (hash >>> 20) % 4 === 0 && seq - firstSeq > reach
    const first = keyOf(4 * (own ? seq - 1 - ((hash >>> 24) % reach) : seq))
    const keys =
      shape === 0 ? [] : shape < 11 ? [first] : shape < 14 ? [first, keyOf(4 * seq + 1)] : [first, keyOf(4 * seq + 2)]
    const repeated = shape === 15 ? [...keys, first] : keys
    const k = repeated.length === 1 ? repeated[0] : repeated
    return { bytes: encoder.encode(JSON.stringify({ n: seq, ...(keys.length === 0 ? {} : { k }), pad })), keys }
  }

  return {
    bytesAt: (seq) => entryAt(seq).bytes,
    keysAt: (seq) => entryAt(seq).keys,
    holders: ({ key, seq, from, to }) => {
      const found: Array<number> = []
      for (let at = Math.max(from, seq - 2 * reach, firstSeq); at <= Math.min(to, seq + 2 * reach); at++)
        if (entryAt(at).keys.includes(key)) found.push(at)
      return found
    },
    intruder: (key, number) => encoder.encode(JSON.stringify({ intruder: number, k: key })),
    strangeKey: (number) => keyOf(strangers + number)
  }
}

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

const padding = (hash: number, length: number): string => {
  const next = SurvivorChoice.generator(hash)
  let text = ""
  for (let index = 0; index < length; index++) text += alphabet[next() & 63]
  return text
}

/** The bytes of a key that {@link LogContent.keysAt} gave. */
export const bytesOfKey = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"))
