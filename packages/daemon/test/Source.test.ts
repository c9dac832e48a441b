import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import * as FastCheck from "fast-check"
import { endOf, type Source, withoutLast } from "../src/Source.ts"
import * as DemoSource from "../src/source/DemoSource.ts"

const text = (value: number): Uint8Array => new TextEncoder().encode(String(value))

/** Entries 0, 1, … in batches of the sizes, each with its own seq for bytes and for the position behind it. */
const sourceOf = (sizes: ReadonlyArray<number>): Source => {
  let next = 0
  const batches = sizes.map((size) => {
    const firstSeq = next
    next += size
    return {
      firstSeq,
      entries: Array.from({ length: size }, (_, index) => text(firstSeq + index)),
      positionAfter: (count: number) => text(firstSeq + count - 1)
    }
  })
  return { ...DemoSource.make({ count: next }), entries: () => Stream.fromIterable(batches) }
}

describe("Source.withoutLast", () => {
  it.effect("gives every entry but the last, each with the position behind it, whatever the batches", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(FastCheck.array(FastCheck.integer({ min: 1, max: 4 }), { maxLength: 8 }), (sizes) =>
          Effect.runPromise(
            Effect.gen(function* () {
              const source = withoutLast(sourceOf(sizes))
              let next = 0
              for (const batch of yield* Stream.runCollect(source.entries({ from: 0 }))) {
                assert.strictEqual(batch.firstSeq, next)
                for (const [index, bytes] of batch.entries.entries()) {
                  assert.deepStrictEqual(bytes, text(next))
                  assert.deepStrictEqual(batch.positionAfter(index + 1), text(next))
                  next++
                }
              }
              const count = sizes.reduce((sum, size) => sum + size, 0)
              assert.strictEqual(next, Math.max(0, count - 1))
              assert.deepStrictEqual(yield* source.tip, count > 1 ? Option.some(count - 2) : Option.none())
            })
          )
        )
      )
    )
  )
})

describe("Source.endOf", () => {
  it.effect("counts a bounded source, takes the tip of another, and refuses one that can be read only once", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* endOf(sourceOf([2, 3]), 0), 5)
      assert.strictEqual(yield* endOf(DemoSource.make({ firstSeq: 7 }), 7), 7)
      const error = yield* Effect.flip(endOf({ ...sourceOf([1]), isRepeatable: false }, 0))
      assert.strictEqual(error.message, "Cannot read demo: it can be read only once, so its end is not known")
    })
  )
})
