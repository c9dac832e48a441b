import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import * as fc from "fast-check"
import * as CatalogKey from "../src/format/CatalogKey.ts"
import { ChunkId, maxChunkId, WindowId } from "../src/Geometry.ts"
import { storageKeys } from "./Generators.ts"

const golden: ReadonlyArray<readonly [CatalogKey.StorageKey, string]> = [
  [CatalogKey.chunkKey(ChunkId(7), "entries"), "chunk:00000007:entries"],
  [CatalogKey.chunkKey(ChunkId(0), "events"), "chunk:00000000:events"],
  [CatalogKey.chunkKey(ChunkId(maxChunkId), "keys"), "chunk:99999999:keys"],
  [CatalogKey.indexKey(WindowId(3), ChunkId(3_000), ChunkId(3_999)), "index:00000003:00003000:00003999"],
  [CatalogKey.hotKey(ChunkId(12_345_678)), "hot:12345678"]
]

describe("CatalogKey", () => {
  for (const [key, text] of golden)
    it(`CatalogKey.encodeKey and CatalogKey.decodeKey agree on ${text}`, () => {
      assert.strictEqual(CatalogKey.encodeKey(key), text)
      assert.deepStrictEqual(CatalogKey.decodeKey(text), Option.some(key))
    })

  it("CatalogKey.decodeKey is the inverse of CatalogKey.encodeKey", () => {
    fc.assert(
      fc.property(storageKeys, (key) => {
        assert.deepStrictEqual(CatalogKey.decodeKey(CatalogKey.encodeKey(key)), Option.some(key))
      })
    )
  })

  it("CatalogKey.encodeKey orders chunks by number", () => {
    fc.assert(
      fc.property(fc.nat(maxChunkId), fc.nat(maxChunkId), (left, right) => {
        const text = (chunk: number): string => CatalogKey.encodeKey(CatalogKey.hotKey(ChunkId(chunk)))
        assert.strictEqual(text(left) < text(right), left < right)
      })
    )
  })

  for (const text of [
    "",
    "chunk:7:entries",
    "chunk:000000007:entries",
    "chunk:00000007:Entries",
    "chunk:00000007:entries ",
    "chunk:00000007:entries\n",
    "chunk:-0000001:entries",
    "hot:0000001",
    "hot:00000001:x",
    "index:00000000:00000002:00000001",
    "index:00000000:00000001",
    "config:first_seq"
  ])
    it(`CatalogKey.decodeKey knows no key ${JSON.stringify(text)}`, () => {
      assert.isTrue(Option.isNone(CatalogKey.decodeKey(text)))
    })

  it("CatalogKey.decodeKey accepts nothing but what CatalogKey.encodeKey makes", () => {
    fc.assert(
      fc.property(storageKeys, fc.nat(), fc.constantFrom(..."0:9fzx \n"), (key, at, character) => {
        const text = CatalogKey.encodeKey(key)
        const index = at % text.length
        const changed = text.slice(0, index) + character + text.slice(index + 1)
        const decoded = CatalogKey.decodeKey(changed)
        if (Option.isSome(decoded)) assert.strictEqual(CatalogKey.encodeKey(decoded.value), changed)
      }),
      { numRuns: 2_000 }
    )
  })

  for (const chunk of [-1, maxChunkId + 1, 0.5, Number.NaN])
    it(`CatalogKey.padNumber refuses ${chunk}`, () => {
      assert.throws(() => CatalogKey.padNumber(chunk), RangeError)
    })

  it("CatalogKey.fromBytes takes printable ASCII of at most 256 bytes only", () => {
    assert.deepStrictEqual(CatalogKey.fromBytes(CatalogKey.toBytes("a~ ")), Option.some("a~ "))
    for (const byte of [0, 0x1f, 0x7f, 0x80, 0xff])
      assert.isTrue(Option.isNone(CatalogKey.fromBytes(Uint8Array.of(0x61, byte))))
    assert.isTrue(Option.isSome(CatalogKey.fromBytes(new Uint8Array(256).fill(0x61))))
    assert.isTrue(Option.isNone(CatalogKey.fromBytes(new Uint8Array(257).fill(0x61))))
  })
})
