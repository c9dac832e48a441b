import { assert, describe, it } from "@effect/vitest"
import { Geometry } from "@icecore/catalog"
import * as MemoryEngine from "@icecore/engine/memory"
import { Effect, Option } from "effect"
import * as FastCheck from "fast-check"
import type { DuplicatePolicy } from "../src/Domain.ts"
import { encodeSeq, hotKeyspaces, keyPrefixOf, keysKeyspace } from "../src/format/HotFormat.ts"
import * as HotChunk from "../src/HotChunk.ts"

const firstSeq = 100

const openHot = Effect.gen(function* () {
  const geometry = yield* Geometry.make({ firstSeq: 0, entriesPerChunk: 100, chunksPerWindow: 10 })
  const engine = MemoryEngine.make(MemoryEngine.makeMedium())
  const database = yield* engine.open({ path: "/hot", keyspaces: hotKeyspaces })
  return HotChunk.make({ geometry, chunk: Geometry.ChunkId(1), database })
})

/** The key that a small number stands for. Different numbers have different prefixes. */
const keyOf = (number: number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, index) => (index < 16 ? number : index))

/** An entry is its keys, a byte each. */
const keysOf = (entry: Uint8Array): ReadonlyArray<Uint8Array> => [...new Set(entry)].map(keyOf)

const committing = (seq: number, entries: ReadonlyArray<ReadonlyArray<number>>, duplicates: DuplicatePolicy) => {
  const bytes = entries.map((numbers) => Uint8Array.from(numbers))
  return { firstSeq: seq, entries: bytes, keys: bytes.map(keysOf), duplicates }
}

const keyCount = 6

/** The seq that each key finds, −1 for none. */
const foundSeqs = (hot: HotChunk.HotChunk) =>
  Effect.map(
    HotChunk.findKeys(
      hot,
      Array.from({ length: keyCount }, (_, number) => keyPrefixOf(keyOf(number)))
    ),
    (found) => found.map(Option.match({ onNone: () => -1, onSome: ({ seq }) => seq }))
  )

/** The same from the list of all entries. */
const expectedSeqs = (entries: ReadonlyArray<ReadonlyArray<number>>, duplicates: DuplicatePolicy) =>
  Array.from({ length: keyCount }, (_, number) => {
    const has = (entry: ReadonlyArray<number>) => entry.includes(number)
    const index = duplicates === "first" ? entries.findIndex(has) : entries.findLastIndex(has)
    return index < 0 ? -1 : firstSeq + index
  })

const policies: ReadonlyArray<DuplicatePolicy> = ["error", "first", "last"]

const rollBackTo = (hot: HotChunk.HotChunk, seq: number) =>
  HotChunk.rollBack(hot, { seq, position: Option.none(), keysOf })

describe("HotChunk", () => {
  it.effect("findKeys gives the rest of a key and its entry, in the order asked for, and none for strangers", () =>
    Effect.gen(function* () {
      const hot = yield* openHot
      yield* HotChunk.commit(hot, committing(firstSeq, [[1, 2], [], [3]], "error"))
      const prefixes = [3, 9, 1].map((number) => keyPrefixOf(keyOf(number)))
      const rest = keyOf(1).slice(16)
      assert.deepStrictEqual(yield* HotChunk.findKeys(hot, prefixes), [
        Option.some({ rest, seq: firstSeq + 2 }),
        Option.none(),
        Option.some({ rest, seq: firstSeq })
      ])
      assert.deepStrictEqual(yield* HotChunk.findKeys(hot, []), [])
    })
  )

  it.effect("commit and rollBack leave the keys of exactly the entries that stay, whatever the policy", () =>
    Effect.gen(function* () {
      const entry = FastCheck.array(FastCheck.nat({ max: keyCount - 1 }), { maxLength: 3 })
      const commits = FastCheck.array(FastCheck.array(entry, { minLength: 1, maxLength: 4 }), { maxLength: 5 })
      const samples = FastCheck.sample(
        FastCheck.tuple(FastCheck.constantFrom(...policies.slice(1)), commits, FastCheck.nat()),
        {
          numRuns: 300,
          seed: 11
        }
      )
      for (const [duplicates, pieces, cut] of samples) {
        const hot = yield* openHot
        let all: ReadonlyArray<ReadonlyArray<number>> = []
        for (const piece of pieces) {
          yield* HotChunk.commit(hot, committing(firstSeq + all.length, piece, duplicates))
          all = [...all, ...piece]
          assert.deepStrictEqual(yield* foundSeqs(hot), expectedSeqs(all, duplicates))
        }
        // What fails is the last commit, so only under `last` can a key of it stand in the place of an older one.
        const kept = duplicates === "first" ? all.length - (pieces.at(-1)?.length ?? 0) : cut % (all.length + 1)
        yield* rollBackTo(hot, firstSeq + kept - 1)
        assert.deepStrictEqual(yield* foundSeqs(hot), expectedSeqs(all.slice(0, kept), duplicates))
        const highest = Option.getOrElse(yield* HotChunk.highestSeq(hot), () => firstSeq - 1)
        assert.strictEqual(highest, firstSeq + kept - 1)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("rollBack takes the keys of unique entries away and leaves those of the others", () =>
    Effect.gen(function* () {
      const hot = yield* openHot
      yield* HotChunk.commit(hot, committing(firstSeq, [[0], [1]], "error"))
      yield* HotChunk.commit(hot, committing(firstSeq + 2, [[2, 3], [4]], "error"))
      yield* rollBackTo(hot, firstSeq + 1)
      assert.deepStrictEqual(yield* foundSeqs(hot), [firstSeq, firstSeq + 1, -1, -1, -1, -1])
      yield* rollBackTo(hot, firstSeq - 1)
      assert.deepStrictEqual(yield* foundSeqs(hot), [-1, -1, -1, -1, -1, -1])
    })
  )

  it.effect("findKeys refuses a value that is none, and an entry of another chunk", () =>
    Effect.gen(function* () {
      const hot = yield* openHot
      const prefix = keyPrefixOf(keyOf(1))
      const values = [new Uint8Array(3), new Uint8Array([...keyOf(1).slice(16), ...encodeSeq(firstSeq - 1)])]
      for (const value of values) {
        yield* hot.database.write((batch) => batch.put(keysKeyspace, prefix, value))
        const error = yield* Effect.flip(HotChunk.findKeys(hot, [prefix]))
        assert.strictEqual(error.message, "Cannot read hot chunk 1 at /hot: a key names no entry of this chunk")
      }
    })
  )

  it.effect("findKeys finds nothing in a database that was made before there were keys", () =>
    Effect.gen(function* () {
      const geometry = yield* Geometry.make({ firstSeq: 0, entriesPerChunk: 100, chunksPerWindow: 10 })
      const engine = MemoryEngine.make(MemoryEngine.makeMedium())
      const open = (keyspaces: ReadonlyArray<string>) =>
        Effect.map(engine.open({ path: "/hot", keyspaces }), (database) =>
          HotChunk.make({ geometry, chunk: Geometry.ChunkId(1), database })
        )
      const piece = { firstSeq, entries: [Uint8Array.of(1)] }
      yield* Effect.scoped(Effect.flatMap(open(["entries", "source"]), (hot) => HotChunk.commit(hot, piece)))
      const hot = yield* open(hotKeyspaces)
      assert.deepStrictEqual(yield* foundSeqs(hot), [-1, -1, -1, -1, -1, -1])
      assert.deepStrictEqual(yield* HotChunk.highestSeq(hot), Option.some(firstSeq))
    })
  )
})
