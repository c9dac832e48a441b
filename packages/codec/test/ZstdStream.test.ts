import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { ZstdLive, ZstdStreamLive } from "../src/index.ts"
import * as StrictZstdStream from "../src/internal/StrictZstdStream.ts"
import * as XxHash64 from "../src/kernel/XxHash64.ts"
import { cases, contentOf } from "./ZstdStreamSuite.ts"

const live = Layer.merge(ZstdLive.layer, ZstdStreamLive.layer)

describe("ZstdStream", () => {
  for (const [name, run] of Object.entries(cases)) {
    it.effect(`ZstdStream: ${name}`, () => Effect.provide(run, live), 120_000)
  }

  /** A library that gives these chunks for the end of a frame and what it is given for the rest. */
  const lying = (chunks: ReadonlyArray<Uint8Array>) =>
    StrictZstdStream.make({
      encoder: () => Effect.succeed({ write: () => Effect.succeed([]), finish: Effect.succeed(chunks) }),
      decoder: Effect.succeed({ write: () => Effect.succeed(chunks), finish: Effect.succeed([]) }),
      verifiesChecksum: false
    })

  it.effect("ZstdStream.compress refuses what a library gives when it is not one whole frame with checksum", () =>
    Effect.gen(function* () {
      const sound = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x24, 1, 9, 0, 0, 0, 0x68, 0x27, 0x05, 0xdb)
      const unchecked = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, 0)
      const compress = (chunks: ReadonlyArray<Uint8Array>) =>
        Effect.result(Stream.runDrain(lying(chunks).compress(Stream.make(new Uint8Array(1)))))
      assert.strictEqual((yield* compress([sound]))._tag, "Success")
      for (const chunks of [[], [sound.slice(0, 9)], [sound, sound], [unchecked], [new Uint8Array(20)]]) {
        assert.strictEqual((yield* compress(chunks))._tag, "Failure")
      }
    })
  )

  it.effect("ZstdStream.decompress holds the content against the checksum itself where the library does not", () =>
    Effect.gen(function* () {
      const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x24, 1, 9, 0, 0, 0, 0x68, 0x27, 0x05, 0xdb)
      // It gives a byte for the header and none for the rest: a wrong one here, a right one there.
      const giving = (byte: number) => {
        let isGiven = false
        return StrictZstdStream.make({
          encoder: () => Effect.fail("none"),
          decoder: Effect.succeed({
            write: () => {
              const chunks = isGiven ? [] : [Uint8Array.of(byte)]
              isGiven = true
              return Effect.succeed(chunks)
            },
            finish: Effect.succeed([])
          }),
          verifiesChecksum: false
        })
      }
      const run = (byte: number) => Effect.result(Stream.runDrain(giving(byte).decompress(Stream.make(frame))))
      assert.strictEqual((yield* run(0))._tag, "Success")
      assert.strictEqual((yield* run(1))._tag, "Failure")
    })
  )

  it("XxHash64.update gives the same checksum however the bytes are cut", () => {
    const bytes = contentOf(1000)
    for (const size of [0, 1, 31, 32, 33, 64, 999, 1000]) {
      const expected = XxHash64.checksum(bytes.subarray(0, size))
      for (const step of [1, 3, 31, 32, 33, 500]) {
        const state = XxHash64.make()
        for (let at = 0; at < size; at += step) XxHash64.update(state, bytes.subarray(at, Math.min(at + step, size)))
        assert.strictEqual(XxHash64.digest(state), expected)
      }
    }
  })
})

const commands = fileURLToPath(new URL("../../../node_modules/.bin/", import.meta.url))
const program = fileURLToPath(new URL("./ZstdStreamMain.ts", import.meta.url))

describe("ZstdStream on other runtimes", () => {
  for (const [runtime, flags] of [
    // The condition leads to the sources, which Node runs as they are.
    ["node", ["--conditions=bun"]],
    ["deno", ["run", "--allow-all", "--quiet"]]
  ] as const) {
    it.skipIf(!existsSync(`${commands}${runtime}`))(
      `ZstdStream passes its suite on ${runtime}`,
      () => {
        const result = spawnSync(`${commands}${runtime}`, [...flags, program], { encoding: "utf8", timeout: 300_000 })
        assert.strictEqual(result.stdout.trim(), `${Object.keys(cases).length} passed`, result.stdout + result.stderr)
      },
      300_000
    )
  }
})
