import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as StrictZstd from "../src/internal/StrictZstd.ts"
import { fromHex } from "./Vectors.ts"

/** The frame of one zero byte, which no library is asked about here. */
const sound = fromHex("28b52ffd240109000000682705db")

/** A library that gives these bytes for everything, and counts how often it is asked. */
const lying = (bytes: Uint8Array) => {
  const asked = { count: 0 }
  const give = () => {
    asked.count++
    return bytes
  }
  const zstd = StrictZstd.make({
    implementation: "native",
    compressSync: give,
    compress: () => Effect.sync(give),
    decompressSync: give,
    decompress: () => Effect.sync(give),
    checksum: () => 0
  })
  return { zstd, asked }
}

describe("StrictZstd", () => {
  it.effect("StrictZstd.decompress refuses what a library gives for a whole frame when its size is another", () =>
    Effect.gen(function* () {
      for (const size of [0, 2]) {
        const { zstd } = lying(new Uint8Array(size))
        const results = [zstd.decompressSync(sound), yield* Effect.result(zstd.decompress(sound))]
        for (const result of results) assert(Result.isFailure(result) && result.failure.fault === "size")
      }
    })
  )

  it.effect("StrictZstd.compress refuses what a library gives when it is not one frame of the content", () =>
    Effect.gen(function* () {
      const [content, longer] = [new Uint8Array(1), new Uint8Array(2)]
      const wrong: ReadonlyArray<readonly [frame: Uint8Array, content: Uint8Array]> = [
        [new Uint8Array(0), content],
        [sound.slice(0, -1), content],
        [new Uint8Array([...sound, 0]), content],
        [sound, longer]
      ]
      for (const [frame, bytes] of wrong) {
        const { zstd } = lying(frame)
        const results = [zstd.compressSync(bytes), yield* Effect.result(zstd.compress(bytes))]
        for (const result of results) assert(Result.isFailure(result) && result.failure._tag === "ZstdCompressFailed")
      }
    })
  )

  for (const [name, hex, fault] of [
    ["needs a dictionary", "28b52ffd25070109000000682705db", "header"],
    ["has a block of the reserved type", "28b52ffd24010f000000682705db", "content"],
    ["has a block larger than its window", "28b52ffd240111000000000000000000", "content"],
    ["has a repeated block of 2 MiB", "28b52ffda400000200fbffff6100000000", "content"]
  ] as const)
    it(`StrictZstd.decompress asks no library about a frame that ${name}`, () => {
      const { zstd, asked } = lying(new Uint8Array(1))
      const result = zstd.decompressSync(fromHex(hex))
      assert(Result.isFailure(result))
      assert.deepStrictEqual([result.failure.fault, asked.count], [fault, 0])
    })

  it("StrictZstd.decompress takes a cap that is no number for one that nothing is under", () => {
    const { zstd, asked } = lying(new Uint8Array(1))
    const result = zstd.decompressSync(sound, { maxSizeBytes: Number.NaN })
    assert(Result.isFailure(result))
    assert.deepStrictEqual([result.failure.fault, asked.count], ["cap", 0])
  })
})
