/**
 * Which entries may be appended, and by which keys they will be found.
 *
 * In order: the size and the domain's word on each entry; its keys; whether an entry before it in the same append has one of them;
 * whether any entry of the history has. Of several faults the one of the earliest entry counts.
 */
import { maxValueSizeBytes } from "@icecore/engine"
import { Effect, Option, Result } from "effect"
import { Hex } from "effect/encoding"
import type { Domain, DuplicatePolicy } from "../Domain.ts"
import { keyPrefixOf } from "../format/HotFormat.ts"
import { DuplicateKey, EntryRefused, EntryTooLarge, type HistoryReadError, KeyCollision } from "../History.ts"

/** Why an entry may not be appended. */
export type AppendFault = EntryRefused | EntryTooLarge | DuplicateKey | KeyCollision

/** What must be known of the history. */
export interface KnownKeys {
  /**
   * For each key the seq of some entry that has a key with the same first 16 bytes, −1 when there is none. Every entry below the
   * end of the log must be seen whose key a key index may hold, and each one that is given must have such a key.
   */
  readonly occupied: (keys: ReadonlyArray<Uint8Array>) => Effect.Effect<ReadonlyArray<number>, HistoryReadError>
  /** The bytes of such an entry; none when it is kept no more. */
  readonly occupant: (seq: number) => Effect.Effect<Option.Option<Uint8Array>, HistoryReadError>
}

export interface Checked {
  /** Entries that may be appended, from the first on. */
  readonly count: number
  /** The keys of each of them; undefined when the domain has none. */
  readonly keys: ReadonlyArray<ReadonlyArray<Uint8Array>> | undefined
  /** Why the entry behind them may not. */
  readonly fault: AppendFault | undefined
}

export type AppendCheck = (
  firstSeq: number,
  entries: ReadonlyArray<Uint8Array>
) => Effect.Effect<Checked, HistoryReadError>

/** Entries whose keys are looked up at once; other fibers run in between. */
const groupLength = 256

/** Bytes of entries in a group, beyond its first. */
const groupSizeBytes = 512 * 1024

export const make = (domain: Domain, known: KnownKeys): AppendCheck => {
  if (Option.isNone(domain.keys))
    return (firstSeq, entries) =>
      Effect.sync(() => {
        for (let index = 0; index < entries.length; index++) {
          const fault = refuse(domain, firstSeq + index, entries[index]!)
          if (fault !== undefined) return { count: index, keys: undefined, fault }
        }
        return { count: entries.length, keys: undefined, fault: undefined }
      })

  const { duplicates, of: keysOf } = domain.keys.value

  /** Takes the keys of the entries from `start` to before `end`, up to the first fault. */
  const collect = (pass: Pass, start: number, end: number): AppendFault | undefined => {
    for (let index = start; index < end; index++) {
      const seq = pass.firstSeq + index
      const entry = pass.entries[index]!
      const fault = refuse(domain, seq, entry)
      if (fault !== undefined) return fault
      const keys = keysOf(entry)
      if (Result.isFailure(keys)) return new EntryRefused({ seq, reason: keys.failure })
      // One key in one entry needs no comparison, and is what most appends are.
      if (pass.entries.length > 1 || keys.success.length > 1) {
        const repeated = repeatedKey(pass, duplicates, seq, keys.success)
        if (repeated !== undefined) return repeated
      }
      pass.keys.push(keys.success)
    }
    return undefined
  }

  /** The key of an entry that begins as `key`; none when the entry is kept no more. */
  const keyLike = (seq: number, key: Uint8Array): Effect.Effect<Option.Option<Uint8Array>, HistoryReadError> =>
    Effect.map(
      known.occupant(seq),
      Option.map((entry) => {
        // What was committed had its keys taken, so it gives them again.
        const found = Result.getOrThrow(keysOf(entry)).find((other) => isPrefixOf(keyPrefixOf(key), other))
        return Option.getOrThrow(Option.fromUndefinedOr(found))
      })
    )

  /** The first of the entries from `start` on whose keys are taken that has a key of the history. */
  const older = Effect.fnUntraced(function* (pass: Pass, start: number) {
    const taken = pass.keys.slice(start)
    const keys = taken.flat()
    if (keys.length === 0) return undefined
    const seqs = yield* known.occupied(keys)
    let at = 0
    for (const [offset, { length }] of taken.entries()) {
      const secondSeq = pass.firstSeq + start + offset
      for (const end = at + length; at < end; at++) {
        const seq = seqs[at]!
        if (seq < 0) continue
        const other = yield* keyLike(seq, keys[at]!)
        if (Option.isNone(other)) continue
        const fault = faultOf(duplicates, secondSeq, keys[at]!, { seq, key: other.value })
        if (fault !== undefined) return { count: start + offset, fault }
      }
    }
    return undefined
  })

  return Effect.fnUntraced(function* (firstSeq: number, entries: ReadonlyArray<Uint8Array>) {
    const pass: Pass = { firstSeq, entries, keys: [], seen: new Map() }
    let start = 0
    while (start < entries.length) {
      const end = groupEnd(entries, start)
      const fault = collect(pass, start, end)
      const found = yield* older(pass, start)
      if (found !== undefined) return { ...found, keys: pass.keys }
      if (fault !== undefined) return { count: pass.keys.length, keys: pass.keys, fault }
      start = end
      if (start < entries.length) yield* Effect.yieldNow
    }
    return { count: entries.length, keys: pass.keys, fault: undefined }
  })
}

/** A key that an entry has. */
interface KeyOccupant {
  readonly seq: number
  readonly key: Uint8Array
}

interface Pass {
  readonly firstSeq: number
  readonly entries: ReadonlyArray<Uint8Array>
  /** Of each entry that was taken. */
  readonly keys: Array<ReadonlyArray<Uint8Array>>
  /** By prefix, the first entry of the append with such a key. */
  readonly seen: Map<string, KeyOccupant>
}

const refuse = (domain: Domain, seq: number, entry: Uint8Array): EntryTooLarge | EntryRefused | undefined => {
  // The compiler does not watch every caller, and what an engine makes of anything else could not be read again.
  if (!(entry instanceof Uint8Array)) return new EntryRefused({ seq, reason: "it is no Uint8Array" })
  if (entry.length > maxValueSizeBytes)
    return new EntryTooLarge({ seq, actual: entry.length, limit: maxValueSizeBytes })
  const refusal = domain.refusal(entry)
  return Option.isSome(refusal) ? new EntryRefused({ seq, reason: refusal.value }) : undefined
}

const repeatedKey = (
  { seen }: Pass,
  duplicates: DuplicatePolicy,
  seq: number,
  keys: ReadonlyArray<Uint8Array>
): AppendFault | undefined => {
  for (const key of keys) {
    const prefix = String.fromCharCode(...keyPrefixOf(key))
    const occupant = seen.get(prefix)
    if (occupant === undefined) seen.set(prefix, { seq, key })
    else {
      const fault = faultOf(duplicates, seq, key, occupant)
      if (fault !== undefined) return fault
    }
  }
  return undefined
}

const faultOf = (
  duplicates: DuplicatePolicy,
  secondSeq: number,
  key: Uint8Array,
  { seq: firstSeq, key: otherKey }: KeyOccupant
): DuplicateKey | KeyCollision | undefined => {
  if (!isPrefixOf(key, otherKey))
    return new KeyCollision({ key: Hex.encode(key), otherKey: Hex.encode(otherKey), firstSeq, secondSeq })
  return duplicates === "error" ? new DuplicateKey({ key: Hex.encode(key), firstSeq, secondSeq }) : undefined
}

const isPrefixOf = (prefix: Uint8Array, key: Uint8Array): boolean => {
  for (let index = 0; index < prefix.length; index++) if (prefix[index] !== key[index]) return false
  return true
}

const groupEnd = (entries: ReadonlyArray<Uint8Array>, start: number): number => {
  let sizeBytes = 0
  let end = start + 1
  while (end < entries.length && end - start < groupLength) {
    // What is no entry is refused when its turn comes.
    sizeBytes += entries[end]?.length ?? 0
    if (sizeBytes > groupSizeBytes) break
    end++
  }
  return end
}
