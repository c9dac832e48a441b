/** What every zstd layer must do. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Result } from "effect"
import * as fc from "fast-check"
import { Zstd, type ZstdFrameInvalid, ZstdLive } from "../src/index.ts"
import { fromHex, toHex } from "./Vectors.ts"

const text = new TextEncoder().encode(
  "the quick brown fox jumps over the lazy dog, and the dog sleeps on and on. ".repeat(3)
)

const faultOf = (result: Result.Result<Uint8Array, ZstdFrameInvalid>): string =>
  Result.isFailure(result) ? result.failure.fault : "none"

/** A frame header that declares `size` bytes in 8, then one empty last raw block. */
const declaring = (size: bigint): Uint8Array => {
  const bytes = new Uint8Array(4 + 1 + 8 + 3 + 4)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0xfd2f_b528, true)
  view.setUint8(4, 0xe4)
  view.setBigUint64(5, size, true)
  view.setUint8(13, 1)
  return bytes
}

export const suite = <E>(name: string, layer: Layer.Layer<Zstd, E>): void => {
  describe(name, () => {
    it.effect(`${name}.compress declares size and checksum, for no bytes and for many, and its forms agree`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        for (const size of [0, 1, 255, 256, 65_535, 65_792, 300_000]) {
          const bytes = new Uint8Array(size).map((_, at) => (at * at) >>> 5)
          const frames = [yield* zstd.compress(bytes), Result.getOrThrow(zstd.compressSync(bytes))]
          for (const frame of frames) {
            assert.strictEqual(frame[4]! & 0x04, 0x04)
            assert.deepStrictEqual(new Uint8Array(yield* zstd.decompress(frame, { expectedSizeBytes: size })), bytes)
            assert.deepStrictEqual(new Uint8Array(Result.getOrThrow(zstd.decompressSync(frame))), bytes)
          }
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name} round trips any bytes at any level`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        fc.assert(
          fc.property(fc.uint8Array({ maxLength: 2000 }), fc.integer({ min: 1, max: 9 }), (bytes, level) => {
            const frame = Result.getOrThrow(zstd.compressSync(bytes, { level }))
            assert.strictEqual(toHex(Result.getOrThrow(zstd.decompressSync(frame))), toHex(bytes))
          }),
          { numRuns: 60 }
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.decompress takes the golden frame of one zero byte`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        const bytes = yield* zstd.decompress(fromHex("28b52ffd240109000000682705db"))
        assert.strictEqual(toHex(bytes), "00")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.decompress refuses every truncation and every flipped bit`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        const frames = [text, new Uint8Array(3), new Uint8Array(0), text.subarray(0, 30)].map((bytes) =>
          Result.getOrThrow(zstd.compressSync(bytes))
        )
        for (const frame of frames) {
          for (let size = 0; size < frame.length; size++) {
            assert.strictEqual(faultOf(zstd.decompressSync(frame.subarray(0, size))), "truncated")
          }
          const sound = toHex(Result.getOrThrow(zstd.decompressSync(frame)))
          for (let bit = 0; bit < frame.length * 8; bit++) {
            const bad = frame.slice()
            bad[bit >>> 3]! ^= 1 << (bit & 7)
            const result = zstd.decompressSync(bad)
            if (Result.isSuccess(result)) assert.strictEqual(toHex(result.success), sound)
            const asynchronous = yield* Effect.result(zstd.decompress(bad))
            assert.strictEqual(faultOf(asynchronous), faultOf(result))
          }
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.decompress refuses a header whose reserved or unused bit is set`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        for (const bit of [0x08, 0x10]) {
          const frame = Result.getOrThrow(zstd.compressSync(text))
          frame[4]! |= bit
          assert.strictEqual(faultOf(zstd.decompressSync(frame)), "header")
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.decompress refuses what follows the frame, another frame too, and skippable frames`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        const frame = Result.getOrThrow(zstd.compressSync(text))
        assert.strictEqual(faultOf(zstd.decompressSync(new Uint8Array([...frame, 0]))), "trailing")
        assert.strictEqual(faultOf(zstd.decompressSync(new Uint8Array([...frame, ...frame]))), "trailing")
        const skippable = fromHex("502a4d180400000001020304")
        assert.strictEqual(faultOf(zstd.decompressSync(new Uint8Array([...frame, ...skippable]))), "trailing")
        assert.strictEqual(faultOf(zstd.decompressSync(new Uint8Array([...skippable, ...frame]))), "header")
        assert.strictEqual(faultOf(zstd.decompressSync(text)), "header")
        assert.strictEqual(faultOf(zstd.decompressSync(new Uint8Array(0))), "truncated")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.decompress holds the declared size against what is expected and against the cap`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        const frame = Result.getOrThrow(zstd.compressSync(text))
        const size = text.length
        assert.strictEqual(faultOf(zstd.decompressSync(frame, { expectedSizeBytes: size })), "none")
        assert.strictEqual(faultOf(zstd.decompressSync(frame, { expectedSizeBytes: size + 1 })), "size")
        assert.strictEqual(faultOf(zstd.decompressSync(frame, { maxSizeBytes: size })), "none")
        assert.strictEqual(faultOf(zstd.decompressSync(frame, { maxSizeBytes: size - 1 })), "cap")
        const withoutSize = fromHex("28b52ffd0458090000 00682705db".replaceAll(" ", ""))
        assert.strictEqual(faultOf(zstd.decompressSync(withoutSize)), "size")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.decompress allocates nothing for a size that is only declared`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        for (const size of [2n ** 31n, 2n ** 40n, 2n ** 63n, 2n ** 64n - 1n]) {
          assert.strictEqual(faultOf(zstd.decompressSync(declaring(size))), "cap")
        }
        assert.strictEqual(faultOf(zstd.decompressSync(declaring(100n))), "content")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.decompress refuses a frame whose blocks hold more than it declares`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        // 16 blocks that each repeat one byte 128 KiB times, behind a header that declares 131,072 bytes.
        const header = fromHex("28b52ffda400000200")
        const block = (isLast: boolean) => [((131_072 << 3) | 2 | (isLast ? 1 : 0)) & 0xff, 0, 0x10, 0x61]
        const blocks = Array.from({ length: 16 }, (_, at) => block(at === 15)).flat()
        const bomb = new Uint8Array([...header, ...blocks, 1, 2, 3, 4])
        assert.strictEqual(faultOf(zstd.decompressSync(bomb, { expectedSizeBytes: 131_072 })), "content")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.decompress refuses a frame without checksum unless it is optional`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        const frame = fromHex("28b52ffd200109000000")
        assert.strictEqual(faultOf(zstd.decompressSync(frame)), "checksum")
        assert.strictEqual(faultOf(zstd.decompressSync(frame, { checksum: "optional" })), "none")
        const cut = frame.subarray(0, frame.length - 1)
        assert.strictEqual(faultOf(zstd.decompressSync(cut, { checksum: "optional" })), "truncated")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name}.compress refuses a level that zstd does not have`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        for (const level of [0, 23, 1.5, Number.NaN]) {
          assert.strictEqual((yield* Effect.flip(zstd.compress(text, { level })))._tag, "ZstdCompressFailed")
          assert(Result.isFailure(zstd.compressSync(text, { level })))
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect(`${name} takes frames of every other layer`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        for (const other of [ZstdLive.layerNative, ZstdLive.layerWasm]) {
          for (const bytes of [text, new Uint8Array(0), new Uint8Array(200_000).map((_, at) => at >>> 3)]) {
            const frame = yield* Effect.flatMap(Zstd, (made) => made.compress(bytes)).pipe(Effect.provide(other))
            assert.strictEqual(toHex(yield* zstd.decompress(frame)), toHex(bytes))
          }
        }
      }).pipe(Effect.provide(layer))
    )
  })
}
