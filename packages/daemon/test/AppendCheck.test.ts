import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Hex } from "effect/encoding"
import * as FastCheck from "fast-check"
import type { DuplicatePolicy } from "../src/Domain.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as AppendCheck from "../src/internal/AppendCheck.ts"

/** The key of two bytes: one of its prefix, one behind it. Keys with one prefix and another rest collide. */
const keyText = (prefix: number, rest = 0): string =>
  `${prefix.toString(16).padStart(2, "0").repeat(16)}${rest.toString(16).padStart(2, "0").repeat(16)}`

const entryOf = (...keys: ReadonlyArray<string>): Uint8Array => new TextEncoder().encode(JSON.stringify({ id: keys }))

const startsWith = (key: Uint8Array, text: string): boolean => Hex.encode(key).slice(0, 32) === text.slice(0, 32)

/** A history of entries that are lists of keys, and how often it was asked. */
const historyOf = (entries: ReadonlyArray<ReadonlyArray<string>>) => {
  const asked = { occupied: 0, keys: 0, occupant: 0 }
  const known: AppendCheck.KnownKeys = {
    occupied: (keys) =>
      Effect.sync(() => {
        asked.occupied++
        asked.keys += keys.length
        return keys.map((key) => entries.findIndex((texts) => texts.some((text) => startsWith(key, text))))
      }),
    occupant: (seq) =>
      Effect.sync(() => {
        asked.occupant++
        return Option.some(entryOf(...entries[seq]!))
      })
  }
  return { known, asked, nextSeq: entries.length }
}

const domainOf = (duplicates: DuplicatePolicy) => NdjsonDomain.make({ keys: ["/id"], duplicates })

const checkOf = (duplicates: DuplicatePolicy, known: AppendCheck.KnownKeys) =>
  AppendCheck.make(domainOf(duplicates), known)

const policies: ReadonlyArray<DuplicatePolicy> = ["error", "first", "last"]

/** The naive check of an entry behind others. */
const isFaulty = (
  duplicates: DuplicatePolicy,
  before: ReadonlyArray<ReadonlyArray<string>>,
  keys: ReadonlyArray<string>
): boolean =>
  keys.some((one, at) =>
    [...before.flat(), ...keys.slice(0, at)].some(
      (other) => other.slice(0, 32) === one.slice(0, 32) && (duplicates === "error" || other !== one)
    )
  )

describe("AppendCheck", () => {
  it.effect("make names both entries when the history has the key, and gives the keys of those before", () =>
    Effect.gen(function* () {
      const { known } = historyOf([[keyText(1)], [keyText(2), keyText(3)]])
      const { count, keys, fault } = yield* checkOf("error", known)(2, [
        entryOf(keyText(4)),
        entryOf(keyText(5), keyText(3))
      ])
      assert.strictEqual(count, 1)
      assert.deepStrictEqual(
        keys?.slice(0, count).map((of) => of.map(Hex.encode)),
        [[keyText(4)]]
      )
      assert.strictEqual(fault?.message, `Cannot append entry 3: entry 1 has its key ${keyText(3)}`)
    })
  )

  it.effect("make finds a key that an earlier entry of the same append has", () =>
    Effect.gen(function* () {
      const { known } = historyOf([])
      const { count, fault } = yield* checkOf("error", known)(
        7,
        [1, 2, 1].map((number) => entryOf(keyText(number)))
      )
      assert.strictEqual(count, 2)
      assert.strictEqual(fault?.message, `Cannot append entry 9: entry 7 has its key ${keyText(1)}`)
    })
  )

  it.effect("make lets duplicates pass under first and last, but no two keys with one prefix", () =>
    Effect.gen(function* () {
      const { known } = historyOf([[keyText(1, 1)]])
      for (const duplicates of ["first", "last"] as const) {
        const check = checkOf(duplicates, known)
        const same = entryOf(keyText(1, 1))
        assert.deepInclude(yield* check(1, [same, same]), { count: 2, fault: undefined })
        const older = yield* check(1, [entryOf(keyText(1, 2))])
        assert.strictEqual(
          older.fault?.message,
          `Cannot append entry 1: its key ${keyText(1, 2)} begins as key ${keyText(1, 1)} of entry 0`
        )
        assert.strictEqual((yield* check(1, [entryOf(keyText(5, 1), keyText(5, 2))])).fault?._tag, "KeyCollision")
        const beside = yield* check(1, [entryOf(keyText(6, 1)), entryOf(keyText(6, 2))])
        assert.deepInclude(beside.fault, { _tag: "KeyCollision", firstSeq: 1, secondSeq: 2 })
      }
    })
  )

  it.effect("make counts the fault of the earliest entry, whatever it is", () =>
    Effect.gen(function* () {
      const { known } = historyOf([[keyText(1)]])
      const check = checkOf("error", known)
      const refused = entryOf("no key")
      const old = entryOf(keyText(1))
      assert.deepInclude((yield* check(1, [refused, old])).fault, { _tag: "EntryRefused", seq: 1 })
      assert.deepInclude((yield* check(1, [old, refused])).fault, { _tag: "DuplicateKey", secondSeq: 1 })
      const lineFeed = Uint8Array.of(10)
      assert.deepInclude((yield* check(1, [lineFeed, old])).fault, { _tag: "EntryRefused", seq: 1 })
    })
  )

  it.effect("make passes over an entry of the history that is kept no more", () =>
    Effect.gen(function* () {
      const known: AppendCheck.KnownKeys = {
        occupied: (keys) => Effect.succeed(keys.map(() => 3)),
        occupant: () => Effect.succeedNone
      }
      assert.deepInclude(yield* checkOf("error", known)(10, [entryOf(keyText(1))]), { count: 1, fault: undefined })
    })
  )

  it.effect("make asks nothing of the history for entries without keys, and once for a few entries with some", () =>
    Effect.gen(function* () {
      const { known, asked } = historyOf([])
      yield* checkOf("error", known)(0, [entryOf(), Uint8Array.of(1)])
      assert.deepStrictEqual(asked, { occupied: 0, keys: 0, occupant: 0 })
      yield* checkOf("error", known)(0, [entryOf(keyText(1), keyText(2)), entryOf(keyText(3))])
      assert.deepStrictEqual(asked, { occupied: 1, keys: 3, occupant: 0 })
      yield* AppendCheck.make(NdjsonDomain.make(), known)(0, [entryOf(keyText(1)), entryOf(keyText(1))])
      assert.strictEqual(asked.occupied, 1)
    })
  )

  it.effect("make agrees with a naive check of random histories and appends, over many groups", () =>
    Effect.gen(function* () {
      const key = FastCheck.tuple(FastCheck.nat({ max: 40 }), FastCheck.constantFrom(0, 0, 0, 1)).map(
        ([prefix, rest]) => keyText(prefix, rest)
      )
      const entries = FastCheck.array(FastCheck.uniqueArray(key, { maxLength: 2 }), { maxLength: 8 })
      const samples = FastCheck.sample(
        FastCheck.tuple(FastCheck.constantFrom(...policies), entries, entries, FastCheck.boolean()),
        { numRuns: 400, seed: 5 }
      )
      for (const [duplicates, tried, appended, isLong] of samples) {
        const before: Array<ReadonlyArray<string>> = []
        for (const keys of tried) if (!isFaulty(duplicates, before, keys)) before.push(keys)
        // Entries without keys in front make several groups.
        const list = isLong ? [...Array.from({ length: 300 }, (): ReadonlyArray<string> => []), ...appended] : appended
        const { known, nextSeq } = historyOf(before)
        const checked = yield* checkOf(duplicates, known)(
          nextSeq,
          list.map((keys) => entryOf(...keys))
        )
        const expected = list.findIndex((keys, index) =>
          isFaulty(duplicates, [...before, ...list.slice(0, index)], keys)
        )
        assert.strictEqual(checked.count, expected < 0 ? list.length : expected)
        assert.strictEqual(checked.fault === undefined, expected < 0)
        const keys = checked.keys?.slice(0, checked.count).map((of) => of.map(Hex.encode))
        assert.deepStrictEqual(
          keys,
          list.slice(0, checked.count).map((of) => [...of])
        )
      }
    })
  )
})
