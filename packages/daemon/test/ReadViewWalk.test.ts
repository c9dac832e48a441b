import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as FastCheck from "fast-check"
import { geometry, withTiers } from "./support/TierHarness.ts"
import { seqOf, seqsOf, tagOf } from "./support/TierReads.ts"

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
