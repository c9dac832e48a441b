import { assert, describe, it } from "@effect/vitest"
import { Geometry, Layout } from "@icecore/catalog"
import { Disk } from "@icecore/packfile"
import { Effect, Option } from "effect"
import { Hex } from "effect/encoding"
import * as Explanation from "../src/Explanation.ts"
import * as LogState from "../src/internal/LogState.ts"
import { withTiers } from "./support/TierHarness.ts"
import { outcomes, repeat, seqOf, spread, tagOf } from "./support/TierReads.ts"

describe("ReadView", () => {
  it.effect("finds each key in index, run and hot database, and no stranger", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        for (let seq = 0; seq < 14; seq++) {
          assert.strictEqual(yield* seqOf(tiers, `key ${seq}`), seq)
          const found = Option.getOrThrow(yield* tiers.reads.find(tiers.keyOf(`key ${seq}`)))
          assert.deepStrictEqual(found.bytes, tiers.entryAt(seq))
        }
        for (const name of ["key 14", "key", ""]) assert.strictEqual(yield* seqOf(tiers, name), undefined)
        yield* tiers.append
        assert.strictEqual(yield* seqOf(tiers, "key 14"), 14)
      })
    )
  )

  it.effect("finds an entry by each of its keys", () =>
    withTiers({ keysAt: (seq) => [`a ${seq}`, `b ${seq}`, `a ${seq}`] }, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        for (let seq = 0; seq < 14; seq++)
          assert.deepStrictEqual([yield* seqOf(tiers, `a ${seq}`), yield* seqOf(tiers, `b ${seq}`)], [seq, seq])
      })
    )
  )

  it.effect("says which tiers were asked, in their order, and what each answered", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const explainKey = (name: string) => tiers.reads.explain({ key: tiers.keyOf(name) })
        assert.deepStrictEqual(outcomes(yield* explainKey("key 13")), [
          "hot chunk 3: candidate 13",
          "hot chunk 3: answered 13"
        ])
        assert.deepStrictEqual(outcomes(yield* explainKey("key 9")), [
          "hot chunk 3: no candidate",
          "key run of chunk 2: candidate 9",
          "pack of chunk 2: answered 9"
        ])
        const cold = yield* explainKey("key 5")
        assert.deepStrictEqual(outcomes(cold), [
          "hot chunk 3: no candidate",
          "key run of chunk 2: no candidate",
          "key index of window 0, chunks 0 to 1: candidate 5",
          "pack of chunk 1: answered 5"
        ])
        assert.deepStrictEqual(
          cold.steps.map(({ path }) => Option.getOrNull(path)),
          [
            "/store/hot/00000003",
            "/store/keys/run/00000/00000002.bin",
            "/store/keys/index/00000000/00000000-00000001.idx",
            "/store/entries/00000/00000001.pack"
          ]
        )
        assert.deepStrictEqual(
          cold.steps.map(({ readCount }) => readCount),
          [1, 0, 0, 1]
        )
        assert.deepStrictEqual(
          [Explanation.readCountOf(cold), Explanation.falsePositiveCountOf(cold), cold.floor, cold.latest],
          [2, 0, 0, 13]
        )
        const json = Explanation.toJson(cold, { paths: false })
        assert.notInclude(JSON.stringify(json), "/store")
        assert.include(
          Explanation.toText(json),
          "3. key index of window 0, chunks 0 to 1: candidate (entry 5); it covers"
        )
        assert.deepInclude(json, { request: { key: Hex.encode(tiers.keyOf("key 5")) }, readCount: 2 })

        const bySeq = (seq: number) => Effect.map(tiers.reads.explain({ seq }), outcomes)
        assert.deepStrictEqual(yield* bySeq(5), ["pack of chunk 1: answered 5"])
        assert.deepStrictEqual(yield* bySeq(13), ["hot chunk 3: answered 13"])
        assert.deepStrictEqual(yield* bySeq(14), ["served range: not served yet 14"])
        yield* tiers.prune(1)
        assert.deepStrictEqual(yield* bySeq(3), ["served range: below floor 3"])
        assert.deepStrictEqual(outcomes(yield* explainKey("key 3")).slice(-2), [
          "key index of window 0, chunks 0 to 1: candidate 3",
          "served range: below floor 3"
        ])
        assert.strictEqual(yield* seqOf(tiers, "key 3"), undefined)
      })
    )
  )

  it.effect("counts false positives of the index, and never takes one for an answer", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* repeat(tiers.append, 16)
        for (const chunk of [0, 1, 2, 3]) yield* tiers.freeze(chunk)
        yield* tiers.index(0, 3)
        for (const chunk of [0, 1, 2, 3]) yield* tiers.discard(chunk)
        let falsePositives = 0
        const count = 4_000
        for (let stranger = 0; stranger < count; stranger++) {
          const explained = yield* tiers.reads.explain({ key: tiers.keyOf(`stranger ${stranger}`) })
          assert.isTrue(Option.isNone(explained.answer))
          falsePositives += Explanation.falsePositiveCountOf(explained)
        }
        // One of 256 passes: 15.6 of 4,000.
        assert.isAbove(falsePositives, 2)
        assert.isBelow(falsePositives, 45)
      })
    )
  )

  it.effect("refuses keys that are not 32 bytes long", () =>
    withTiers({}, ({ reads }) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(reads.find(new Uint8Array(31)))
        assert.strictEqual(error.message, "Cannot read history: key is 31, expected 32 bytes")
        assert.strictEqual(yield* tagOf(reads.explain({ key: new Uint8Array(0) })), "HistoryRequestInvalid")
      })
    )
  )

  for (const duplicates of ["first", "last"] as const)
    it.effect(`finds the ${duplicates} entry of those that share a key, wherever they are`, () =>
      withTiers({ duplicates, keysAt: (seq) => [`own ${seq}`, `shared ${seq % 3}`] }, (tiers) =>
        Effect.gen(function* () {
          const check = (nextSeq: number) =>
            Effect.forEach([0, 1, 2], (rest) =>
              Effect.gen(function* () {
                const last = nextSeq - 1 - ((nextSeq - 1 - rest) % 3)
                const expected = nextSeq <= rest ? undefined : duplicates === "first" ? rest : last
                assert.strictEqual(yield* seqOf(tiers, `shared ${rest}`), expected, `${rest} of ${nextSeq}`)
              })
            )
          for (let seq = 0; seq < 19; seq++) {
            yield* tiers.append
            yield* check(seq + 1)
          }
          for (const chunk of [1, 0, 3, 2]) {
            yield* tiers.freeze(chunk)
            yield* check(19)
            yield* tiers.discard(chunk)
            yield* check(19)
          }
          yield* tiers.index(0, 2)
          yield* check(19)
          yield* tiers.index(0, 3)
          yield* check(19)
        })
      )
    )

  it.effect("finds the first entry that is served when an index or a hot database names one that is no longer", () =>
    withTiers({ duplicates: "first", keysAt: (seq) => [`shared ${seq % 3}`] }, (tiers) =>
      Effect.gen(function* () {
        for (let seq = 0; seq < 14; seq++) yield* tiers.append
        for (const chunk of [0, 1]) yield* tiers.freeze(chunk)
        yield* tiers.index(0, 1)
        for (const chunk of [0, 1]) yield* tiers.discard(chunk)
        const found = Effect.forEach([0, 1, 2], (rest) => seqOf(tiers, `shared ${rest}`))
        assert.deepStrictEqual(yield* found, [0, 1, 2])
        yield* tiers.prune(1)
        assert.deepStrictEqual(yield* found, [6, 4, 5])
        LogState.moveFloor(tiers.state, 6)
        assert.deepStrictEqual(yield* found, [6, 7, 8])
        LogState.moveFloor(tiers.state, 10)
        assert.deepStrictEqual(yield* found, [12, 10, 11])
        LogState.moveFloor(tiers.state, 13)
        assert.deepStrictEqual(yield* found, [undefined, 13, undefined])
      })
    )
  )

  it.effect("still finds the last served entry of a key while a later one is being committed", () =>
    withTiers({ duplicates: "last", keysAt: () => ["shared"] }, (tiers) =>
      Effect.gen(function* () {
        yield* repeat(tiers.append, 3)
        // As between the commit of entry 2 and its acknowledgement.
        tiers.state.nextSeq = 2
        assert.strictEqual(yield* seqOf(tiers, "shared"), 1)
        const explained = yield* tiers.reads.explain({ key: tiers.keyOf("shared") })
        assert.deepStrictEqual(outcomes(explained), [
          "hot chunk 0: candidate 2",
          "served range: not served yet 2",
          "hot chunk 0: answered 1"
        ])
      })
    )
  )

  it.effect("tells ingestion which keys are taken, and by which entry", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const names = ["key 0", "new", "key 7", "key 9", "other", "key 13", "key 14"]
        const taken = tiers.reads.occupied(names.map(tiers.keyOf))
        assert.deepStrictEqual(yield* taken, [0, -1, 7, 9, -1, 13, -1])
        const alike = Uint8Array.from(tiers.keyOf("key 7"), (byte, at) => (at < 16 ? byte : 0))
        assert.deepStrictEqual(yield* tiers.reads.occupied([alike]), [7])
        assert.isTrue(Option.isNone(yield* tiers.reads.find(alike)))
        // Entry 0 lies below the floor, in its chunk, or in one that a start with another retention would serve.
        for (const floor of [2, 5]) {
          LogState.moveFloor(tiers.state, floor)
          assert.deepStrictEqual(yield* taken, [0, -1, 7, 9, -1, 13, -1])
          assert.deepStrictEqual(yield* tiers.reads.occupant(0), Option.some(tiers.entryAt(0)))
        }
        yield* tiers.prune(1)
        assert.deepStrictEqual(yield* taken, [-1, -1, 7, 9, -1, 13, -1])
        assert.deepStrictEqual(yield* tiers.reads.occupant(0), Option.none())
      })
    )
  )

  it.effect("looks keys up in files when nothing may be held in memory", () =>
    withTiers({ residentBytes: 0 }, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        for (let seq = 0; seq < 14; seq++) assert.strictEqual(yield* seqOf(tiers, `key ${seq}`), seq)
        assert.deepStrictEqual(yield* tiers.reads.occupied(["key 1", "x", "key 10"].map(tiers.keyOf)), [1, -1, 10])
        const { steps } = yield* tiers.reads.explain({ key: tiers.keyOf("x") })
        assert.strictEqual(steps[1]?.readCount, 1)
      })
    )
  )

  it.effect("fails, and does not say that there is no such key, when the keys of a chunk are nowhere", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        yield* tiers.catalog.demote([{ _tag: "Chunk", chunk: 2 as never, kind: "keys" }])
        assert.strictEqual(yield* seqOf(tiers, "key 13"), 13)
        const error = yield* Effect.flip(tiers.reads.find(tiers.keyOf("key 5")))
        assert.strictEqual(
          error.message,
          "Cannot look up keys of chunk 2: no hot database, key run or key index has them; entries 0 to 13 are served"
        )
        assert.strictEqual(yield* tagOf(tiers.reads.occupied([tiers.keyOf("x")])), "KeysAbsent")
      })
    )
  )

  it.effect("looks into an index as soon as it is frozen", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const explained = Effect.map(tiers.reads.explain({ key: tiers.keyOf("key 9") }), outcomes)
        assert.strictEqual((yield* explained)[1], "key run of chunk 2: candidate 9")
        yield* tiers.index(0, 2)
        assert.strictEqual((yield* explained)[1], "key index of window 0, chunks 0 to 2: candidate 9")
      })
    )
  )

  it.effect("serves chunks that were frozen without a hot database, and passes over an empty one", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* seqOf(tiers, "key 0"), undefined)
        // As a backfill does it: chunk 0 has an empty hot database, chunk 1 has none.
        for (const chunk of [0, 1]) yield* tiers.freeze(chunk)
        tiers.state.nextSeq = 8
        for (let seq = 0; seq < 8; seq++) {
          assert.deepStrictEqual(yield* tiers.reads.get(seq), tiers.entryAt(seq))
          assert.strictEqual(yield* seqOf(tiers, `key ${seq}`), seq)
        }
      })
    )
  )

  /** Changes a file of a store that no read has opened yet. */
  const damage = (path: string, change: (bytes: Uint8Array) => Uint8Array) =>
    Effect.scoped(
      Effect.gen(function* () {
        const disk = yield* Disk
        const file = yield* disk.open(path, "readWrite")
        const bytes = new Uint8Array(yield* file.size)
        yield* file.readAt(bytes, 0)
        const changed = change(bytes)
        yield* file.truncate(changed.length)
        yield* file.writeAt(changed, 0)
      })
    )

  const bytesOf = (path: string) =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* (yield* Disk).open(path, "read")
        const bytes = new Uint8Array(yield* file.size)
        yield* file.readAt(bytes, 0)
        return bytes
      })
    )

  const files = { run: "/store/keys/run/00000/00000002.bin", index: "/store/keys/index/00000000/00000000-00000001.idx" }

  for (const [kind, path] of Object.entries(files))
    for (const [what, change] of [
      [
        "has a flipped bit",
        (bytes: Uint8Array) => bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 1 : byte))
      ],
      ["is cut off", (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 20)],
      ["is empty", () => new Uint8Array(0)]
    ] as const)
      it.effect(`names a ${kind} that ${what}, and does not say that there is no such key`, () =>
        withTiers({}, (tiers) =>
          Effect.gen(function* () {
            yield* spread(tiers)
            yield* damage(path, change)
            const error = yield* Effect.flip(tiers.reads.find(tiers.keyOf("key 5")))
            assert.include(error.message, path)
            assert.strictEqual(error._tag, kind === "run" ? "KeyRunCorrupt" : "KeyIndexCorrupt")
            assert.include((yield* Effect.flip(tiers.reads.occupied([tiers.keyOf("x")]))).message, path)
            assert.strictEqual(yield* seqOf(tiers, "key 13"), 13)
          })
        )
      )

  it.effect("does not take the run or the index of other chunks for the right one", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* repeat(tiers.append, 26)
        for (const chunk of [0, 1, 2, 3, 4, 5]) yield* tiers.freeze(chunk)
        yield* tiers.index(0, 1)
        yield* tiers.index(4, 4)
        for (const chunk of [0, 1, 2, 3, 4, 5]) yield* tiers.discard(chunk)
        const { layout } = tiers.catalog
        const run = (chunk: number) => Layout.keyRunPath(layout, Geometry.ChunkId(chunk))
        const index = (window: number, lo: number, hi: number) =>
          Layout.keyIndexPath(layout, {
            window: Geometry.WindowId(window),
            lo: Geometry.ChunkId(lo),
            hi: Geometry.ChunkId(hi)
          })
        const [rightRun, otherRun] = [yield* bytesOf(run(5)), yield* bytesOf(run(3))]
        yield* damage(run(5), () => otherRun)
        assert.strictEqual(yield* tagOf(tiers.reads.find(tiers.keyOf("key 1"))), "KeyRunCorrupt")
        yield* damage(run(5), () => rightRun)
        const otherIndex = yield* bytesOf(index(1, 4, 4))
        yield* damage(index(0, 0, 1), () => otherIndex)
        const wrongIndex = yield* Effect.flip(tiers.reads.find(tiers.keyOf("key 1")))
        assert.include(wrongIndex.message, "it covers chunks 4 to 4 of window 1: it is the file of another index")
      })
    )
  )
})
