import { gzipSync, zstdCompressSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as fc from "fast-check"
import type { SourceError } from "../../src/Source.ts"
import type { ByteInput } from "../../src/source/ByteInput.ts"
import * as Decompression from "../../src/source/live/Decompression.ts"

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const inputOf = (bytes: Uint8Array, chunkBytes: number): ByteInput => {
  let at = 0
  return {
    path: "test",
    read: Effect.sync(() => {
      if (at >= bytes.length) return Option.none()
      const chunk = bytes.slice(at, at + chunkBytes)
      at += chunk.length
      return Option.some(chunk)
    })
  }
}

const decodeAll = (bytes: Uint8Array, chunkBytes = 1024 * 1024): Effect.Effect<Uint8Array, SourceError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const input = yield* Decompression.decodeDetected(inputOf(bytes, chunkBytes))
      const parts: Array<Uint8Array> = []
      for (;;) {
        const part = yield* input.read
        if (Option.isNone(part)) return concat(...parts)
        parts.push(part.value)
      }
    })
  )

const gzip = (value: Uint8Array): Uint8Array => new Uint8Array(gzipSync(value))
const zstd = (value: Uint8Array): Uint8Array => new Uint8Array(zstdCompressSync(value))
const skippable: Uint8Array = Uint8Array.from([0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
// "a\n" in a frame by hand: no size in the header, no checksum, one raw block.
const goldenFrame: Uint8Array = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x11, 0, 0, 0x61, 0x0a])

const first = text("first line\n".repeat(50))
const second = text("second line\n".repeat(50))

describe("Decompression", () => {
  for (const [format, compress] of [
    ["gzip", gzip],
    ["zstd", zstd]
  ] as const) {
    const both = concat(compress(first), compress(second))

    it.effect(`decode reads ${format} of several parts, wherever the chunks end`, () =>
      Effect.gen(function* () {
        for (const chunkBytes of [1, 2, 3, 7, compress(first).length, 1_000_000])
          assert.deepStrictEqual(yield* decodeAll(both, chunkBytes), concat(first, second))
      })
    )

    it.effect(`decode fails for ${format} that ends at any byte but the end of a part`, () =>
      Effect.gen(function* () {
        const firstBytes = compress(first).length
        for (let length = 4; length < both.length; length++) {
          if (length === firstBytes) continue
          for (const chunkBytes of [5, 1_000_000]) {
            const error = yield* Effect.flip(decodeAll(both.subarray(0, length), chunkBytes))
            assert.strictEqual(error._tag, "SourceDamaged", `cut at ${length}`)
          }
        }
      })
    )

    it.effect(`decode fails for ${format} with anything behind it`, () =>
      Effect.gen(function* () {
        const tails = [
          text("junk and more"),
          text("x"),
          new Uint8Array(20),
          concat(new Uint8Array(10), compress(second))
        ]
        for (const tail of tails)
          for (const chunkBytes of [1, 9, compress(first).length, 1_000_000]) {
            const error = yield* Effect.flip(decodeAll(concat(compress(first), tail), chunkBytes))
            assert.strictEqual(error._tag, "SourceDamaged")
          }
      })
    )

    it.effect(`decode yields much output from little ${format} in small pieces`, () =>
      Effect.gen(function* () {
        const bomb = compress(new Uint8Array(30_000_000))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const input = yield* Decompression.decodeDetected(inputOf(bomb, 1_000_000))
            let sizeBytes = 0
            for (;;) {
              const part = yield* input.read
              if (Option.isNone(part)) break
              assert.isAtMost(part.value.length, 1024 * 1024)
              sizeBytes += part.value.length
            }
            assert.strictEqual(sizeBytes, 30_000_000)
          })
        )
      })
    )
  }

  it.effect("decode passes over skippable zstd frames and reads frames without a size", () =>
    Effect.gen(function* () {
      const bytes = concat(skippable, zstd(first), skippable, skippable, goldenFrame, zstd(new Uint8Array(0)))
      for (const chunkBytes of [1, 6, 1_000_000])
        assert.deepStrictEqual(yield* decodeAll(bytes, chunkBytes), concat(first, text("a\n")))
    })
  )

  it.effect("decode gives the right bytes or a typed error for zstd and gzip with a flipped bit", () =>
    Effect.gen(function* () {
      const checked = concat(gzip(first))
      for (let bit = 32; bit < checked.length * 8; bit++) {
        const flipped = checked.slice()
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        const result = yield* Effect.result(decodeAll(flipped))
        if (result._tag === "Success") assert.deepStrictEqual(result.success, first)
        else assert.strictEqual(result.failure._tag, "SourceDamaged")
      }
    })
  )

  it("detect tells compressed from plain bytes by the first four", () => {
    assert.strictEqual(Decompression.detect(gzip(first)), "gzip")
    assert.strictEqual(Decompression.detect(zstd(first)), "zstd")
    assert.strictEqual(Decompression.detect(skippable), "zstd")
    for (const plain of ["{}\n", "P\n", "(x", "\n", "\u001f\n"])
      assert.strictEqual(Decompression.detect(text(plain)), "none", JSON.stringify(plain))
    for (const part of [gzip(first).subarray(0, 2), zstd(first).subarray(0, 3), skippable.subarray(0, 1)])
      assert.strictEqual(Decompression.detect(part), "undetermined")
  })

  it.effect("decodeDetected gives plain bytes as they are", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ maxLength: 50 }),
          fc.integer({ min: 1, max: 5 }),
          async (bytes, chunkBytes) => {
            fc.pre(Decompression.detect(bytes) === "none" || Decompression.detect(bytes) === "undetermined")
            assert.deepStrictEqual(await Effect.runPromise(decodeAll(bytes, chunkBytes)), bytes)
          }
        )
      )
    )
  )
})
