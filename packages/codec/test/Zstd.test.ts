import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { Zstd, ZstdLive } from "../src/index.ts"
import * as XxHash64 from "../src/kernel/XxHash64.ts"
import { suite } from "./ZstdSuite.ts"

suite("ZstdLive.layerNative", ZstdLive.layerNative)
suite("ZstdLive.layerWasm", ZstdLive.layerWasm)

it.effect("ZstdLive.layer is native where the runtime has zstd", () =>
  Effect.gen(function* () {
    assert.strictEqual((yield* Zstd).implementation, "native")
  }).pipe(Effect.provide(ZstdLive.layer))
)

it("XxHash64.checksum is the low half of XXH64", () => {
  assert.strictEqual(XxHash64.checksum(new Uint8Array(0)), 0x51d8_e999)
  assert.strictEqual(XxHash64.checksum(new Uint8Array(1)), 0xdb05_2768)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.strictEqual(XxHash64.checksum(bytes), Number(BigInt.asUintN(32, Bun.hash.xxHash64(bytes))))
    })
  )
})
