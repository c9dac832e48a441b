import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option, Scope, Stream } from "effect"
import { Hex } from "effect/encoding"
import { TestClock } from "effect/testing"
import * as FastCheck from "fast-check"
import * as Explanation from "../src/Explanation.ts"
import type { ReadView } from "../src/ReadView.ts"
import { geometry, type Tiers, withTiers } from "./support/TierHarness.ts"

const tagOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => error._tag)

const repeat = <A, E, R>(effect: Effect.Effect<A, E, R>, times: number) =>
  Effect.forEach(Array.from({ length: times }), () => effect, { discard: true })

const seqsOf = (reads: ReadView, options: Parameters<ReadView["range"]>[0] = {}) =>
  Effect.map(Stream.runCollect(reads.range(options)), (batches) => batches.flat().map(({ seq }) => seq))

const seqOf = ({ reads, keyOf }: Tiers, name: string) =>
  Effect.map(reads.find(keyOf(name)), (found) => Option.getOrUndefined(Option.map(found, ({ seq }) => seq)))

const outcomes = ({ steps }: Explanation.Explanation) =>
  steps.map(({ name, outcome, seq }) => `${name}: ${outcome}${Option.isSome(seq) ? ` ${seq.value}` : ""}`)

/** Chunks 0 and 1 in an index, 2 a run, 3 hot, with its run frozen or not; window 1 begins with chunk 4. */
const spread = ({ append, freeze, index, discard }: Tiers, entryCount = 14) =>
  Effect.gen(function* () {
    yield* repeat(append, entryCount)
    for (const chunk of [0, 1, 2]) yield* freeze(chunk)
    yield* index(0, 1)
    for (const chunk of [0, 1, 2]) yield* discard(chunk)
  })

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
          [1, 0, 1, 1]
        )
        assert.deepStrictEqual(
          [Explanation.readCountOf(cold), Explanation.falsePositiveCountOf(cold), cold.floor, cold.latest],
          [3, 0, 0, 13]
        )
        const json = Explanation.toJson(cold, { paths: false })
        assert.notInclude(JSON.stringify(json), "/store")
        assert.include(
          Explanation.toText(json),
          "3. key index of window 0, chunks 0 to 1: candidate (entry 5); it covers"
        )
        assert.deepInclude(json, { request: { key: Hex.encode(tiers.keyOf("key 5")) }, readCount: 3 })

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
        yield* tiers.prune(1)
        assert.deepStrictEqual(yield* taken, [-1, -1, 7, 9, -1, 13, -1])
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
          "Cannot read entry 8: chunk 2 should hold it: no hot database, key run or key index has its keys; entries 0 to 13 are served"
        )
        assert.strictEqual(yield* tagOf(tiers.reads.occupied([tiers.keyOf("x")])), "EntryAbsent")
      })
    )
  )
})

describe("Views", () => {
  it.effect("let a read end what was frozen, indexed, discarded, pruned and swept meanwhile", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const pull = yield* Stream.toPull(Stream.flattenIterable(tiers.reads.range()))
        const first = yield* pull
        const seen = [...first].map(({ seq }) => seq)
        yield* repeat(tiers.append, 4)
        yield* tiers.freeze(3)
        yield* tiers.index(0, 3)
        yield* tiers.discard(3)
        yield* tiers.prune(3)
        assert.isAbove(yield* tiers.sweep, 0)
        for (;;) {
          const more = yield* Effect.exit(pull)
          if (Exit.isFailure(more)) break
          seen.push(...[...more.value].map(({ seq }) => seq))
        }
        assert.deepStrictEqual(
          seen,
          Array.from({ length: 14 }, (_, seq) => seq)
        )
      })
    )
  )

  it.effect("keep what they reach until they close, and no longer", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const scope = yield* Scope.make()
        const view = yield* Scope.provide(tiers.views.open, scope)
        yield* TestClock.adjust("1 minute")
        yield* tiers.prune(2)
        assert.strictEqual(view.floor, 0)
        assert.strictEqual(yield* tagOf(tiers.reads.get(5)), "EntryBelowFloor")
        assert.isAbove(yield* tiers.sweep, 0)
        assert.strictEqual((yield* view.route(1 as never))._tag, "Cold")
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* tiers.sweep, 0)
      })
    )
  )

  it.effect("do not keep anything once they have expired", () =>
    withTiers({ views: { maxAgeMillis: 300_000 } }, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const pull = yield* Stream.toPull(tiers.reads.range({ from: 4 }))
        yield* pull
        yield* tiers.prune(1)
        yield* TestClock.adjust("300 seconds")
        assert.isAbove(yield* tiers.sweep, 0)
        yield* pull
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* tiers.sweep, 0)
        const error = yield* Effect.flip(pull)
        assert.strictEqual(
          (error as { readonly message?: string }).message,
          "Cannot read history on: the read began 300001 ms ago, allowed are 300000 ms"
        )
      })
    )
  )

  it.effect("are bounded in number, but not for the store's own work", () =>
    withTiers({ views: { maxCount: 2 } }, (tiers) =>
      Effect.gen(function* () {
        yield* spread(tiers)
        const scope = yield* Scope.make()
        yield* Scope.provide(Effect.andThen(tiers.views.open, tiers.views.open), scope)
        assert.strictEqual(tiers.views.count(), 2)
        assert.strictEqual(yield* tagOf(tiers.reads.get(1)), "ViewsExhausted")
        assert.strictEqual(yield* tagOf(tiers.reads.find(tiers.keyOf("key 1"))), "ViewsExhausted")
        assert.strictEqual(yield* tagOf(seqsOf(tiers.reads)), "ViewsExhausted")
        assert.deepStrictEqual(yield* tiers.reads.occupied([tiers.keyOf("key 1")]), [1])
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* tiers.reads.get(1), tiers.entryAt(1))
        assert.strictEqual(tiers.views.count(), 0)
      })
    )
  )

  it.effect("do not hold a hot database that is to be closed and that nobody reads", () =>
    withTiers({}, (tiers) =>
      Effect.gen(function* () {
        yield* repeat(tiers.append, 6)
        yield* tiers.reads.get(1)
        yield* tiers.freeze(0)
        yield* tiers.reads.get(2)
        yield* tiers.discard(0)
        yield* Effect.yieldNow
        const state = yield* Effect.scoped(
          Effect.flatMap(tiers.catalog.snapshot, (snapshot) => snapshot.hotState(0 as never))
        )
        assert.deepStrictEqual(state, Option.none())
      })
    )
  )
})

/** Steps of a walk, with what they do in the model. */
type Step =
  | { readonly tag: "append" | "freeze" | "index" | "discard" | "prune" | "sweep"; readonly pick: number }
  | { readonly tag: "open" | "close"; readonly pick: number }

const stepArbitrary: FastCheck.Arbitrary<Step> = FastCheck.record({
  tag: FastCheck.constantFrom<Step["tag"]>(
    "append",
    "append",
    "append",
    "append",
    "freeze",
    "freeze",
    "index",
    "discard",
    "prune",
    "sweep",
    "open",
    "close"
  ),
  pick: FastCheck.nat(1_000)
})

describe("ReadView, in any order of freezing, indexing, discarding, pruning and sweeping", () => {
  it.effect("gives each served entry by seq, range and key, and nothing else", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(FastCheck.array(stepArbitrary, { minLength: 20, maxLength: 60 }), (steps) =>
          Effect.runPromise(Effect.provide(walk(steps), TestClock.layer()))
        ),
        { numRuns: Number(process.env.ICECORE_VIEW_WALKS ?? 12) }
      )
    )
  )
})

const walk = (steps: ReadonlyArray<Step>) =>
  withTiers({}, (tiers) =>
    Effect.gen(function* () {
      const frozen = new Set<number>()
      const hot = new Set<number>([0])
      const covered = new Map<number, readonly [number, number]>()
      const open: Array<{
        readonly scope: Scope.Closeable
        readonly fiber: Effect.Effect<ReadonlyArray<number>, unknown>
        readonly expected: ReadonlyArray<number>
      }> = []
      let floorChunk = 0
      const served = () => {
        const first = floorChunk * geometry.entriesPerChunk
        return Array.from({ length: Math.max(0, tiers.state.nextSeq - first) }, (_, index) => first + index)
      }
      const complete = () => Math.floor(tiers.state.nextSeq / geometry.entriesPerChunk)
      const pickOf = (chunks: ReadonlyArray<number>, pick: number) => chunks[pick % Math.max(1, chunks.length)]

      const take = Effect.fnUntraced(function* ({ tag, pick }: Step) {
        switch (tag) {
          case "append": {
            yield* tiers.append
            hot.add(complete())
            return
          }
          case "freeze": {
            const chunk = pickOf(
              [...hot].filter((id) => id < complete() && id >= floorChunk && !frozen.has(id)),
              pick
            )
            if (chunk === undefined) return
            yield* tiers.freeze(chunk)
            frozen.add(chunk)
            return
          }
          case "index": {
            const window = pickOf([0, 1, 2, 3, 4], pick)!
            const [lo, known] = covered.get(window) ?? [Math.max(window * 4, floorChunk), -1]
            let hi = Math.max(lo - 1, known)
            while (hi + 1 < (window + 1) * 4 && frozen.has(hi + 1)) hi++
            if (hi < lo || hi === known || lo < floorChunk || Math.floor(lo / 4) !== window) return
            yield* tiers.index(lo, hi)
            covered.set(window, [lo, hi])
            return
          }
          case "discard": {
            const chunk = pickOf(
              [...hot].filter((id) => frozen.has(id)),
              pick
            )
            if (chunk === undefined) return
            yield* tiers.discard(chunk)
            hot.delete(chunk)
            return
          }
          case "prune": {
            // What is hot below the floor goes first, as the lifecycle sees to it.
            const to = Math.min(floorChunk + 1, complete())
            if ([...hot].some((id) => id < to)) return
            floorChunk = to
            yield* tiers.prune(floorChunk)
            for (const id of frozen) if (id < floorChunk) frozen.delete(id)
            return
          }
          case "sweep":
            yield* tiers.sweep
            return
          case "open": {
            if (open.length >= 3) return
            const scope = yield* Scope.make()
            const pull = yield* Scope.provide(Stream.toPull(tiers.reads.range()), scope)
            const expected = served()
            const seen: Array<number> = []
            const head = yield* Effect.exit(pull)
            if (Exit.isSuccess(head)) seen.push(...head.value.flat().map(({ seq }) => seq))
            const rest = Effect.gen(function* () {
              for (;;) {
                const more = yield* Effect.exit(pull)
                if (Exit.isFailure(more)) return seen
                seen.push(...more.value.flat().map(({ seq }) => seq))
              }
            })
            open.push({ scope, fiber: rest, expected })
            return
          }
          case "close": {
            const one = open.shift()
            if (one === undefined) return
            assert.deepStrictEqual(yield* one.fiber, one.expected)
            yield* Scope.close(one.scope, Exit.void)
          }
        }
      })

      for (const step of steps) {
        yield* take(step)
        yield* TestClock.adjust("1 second")
        const seqs = served()
        assert.deepStrictEqual(yield* seqsOf(tiers.reads), seqs)
        for (const seq of seqs) {
          assert.deepStrictEqual(yield* tiers.reads.get(seq), tiers.entryAt(seq))
          assert.strictEqual(yield* seqOf(tiers, `key ${seq}`), seq)
        }
        assert.strictEqual(yield* seqOf(tiers, `key ${tiers.state.nextSeq}`), undefined)
        const below = floorChunk * geometry.entriesPerChunk - 1
        if (below >= 0) {
          assert.strictEqual(yield* seqOf(tiers, `key ${below}`), undefined)
          assert.strictEqual(yield* tagOf(tiers.reads.get(below)), "EntryBelowFloor")
        }
      }
      for (const one of open) {
        assert.deepStrictEqual(yield* one.fiber, one.expected)
        yield* Scope.close(one.scope, Exit.void)
      }
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* tiers.sweep, 0)
    })
  )
