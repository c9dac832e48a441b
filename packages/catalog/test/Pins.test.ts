import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import * as Pins from "../src/format/Pins.ts"

const golden: Pins.Pins = {
  geometry: { firstSeq: 2, entriesPerChunk: 10_000, chunksPerWindow: 1_000 },
  earliestSeq: 7,
  domain: { name: "ndjson", version: 1, options: "keys=/hash" }
}
const texts = (): Map<string, string> => new Map(Object.entries(Pins.encode(golden)))

const arbitrary: fc.Arbitrary<Pins.Pins> = fc
  .record({
    geometry: fc.record({
      firstSeq: fc.maxSafeNat(),
      entriesPerChunk: fc.integer({ min: 1, max: 0xffff_ffff }),
      chunksPerWindow: fc.integer({ min: 1, max: 100_000_000 })
    }),
    above: fc.nat(1_000),
    domain: fc.record({
      name: fc.stringMatching(/^[a-z][a-z0-9._-]{0,63}$/),
      version: fc.maxSafeNat(),
      options: fc.string().map(Pins.optionsText)
    })
  })
  .map(({ geometry, above, domain }) => ({
    geometry,
    domain,
    earliestSeq: Math.min(geometry.firstSeq + above, Number.MAX_SAFE_INTEGER)
  }))

describe("Pins", () => {
  it("Pins.encode writes the documented texts", () => {
    assert.deepStrictEqual(Pins.encode(golden), {
      catalog_version: "2",
      first_seq: "2",
      entries_per_chunk: "10000",
      chunks_per_window: "1000",
      earliest_seq: "7",
      domain_name: "ndjson",
      domain_version: "1",
      domain_options: "keys=/hash"
    })
  })

  it("Pins.decode is the inverse of Pins.encode", () => {
    fc.assert(
      fc.property(arbitrary, (pins) => {
        assert.deepStrictEqual(Pins.decode(new Map(Object.entries(Pins.encode(pins)))), Result.succeed(pins))
      })
    )
  })

  it("Pins.decode reads version 1, which has no options, as if they were nothing", () => {
    const map = texts().set("catalog_version", "1")
    map.delete("domain_options")
    assert.deepStrictEqual(
      Pins.decode(map),
      Result.succeed({ ...golden, domain: { name: "ndjson", version: 1, options: "" } })
    )
  })

  it("Pins.optionsText keeps short printable text and hashes what is longer, is not ASCII or looks like a hash", () => {
    assert.strictEqual(Pins.optionsText(""), "")
    assert.strictEqual(Pins.optionsText("~".repeat(200)), "~".repeat(200))
    assert.strictEqual(Pins.optionsText("é"), "sha256:4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c")
    const hashed = ["~".repeat(201), "a\nb", "\u007f", Pins.optionsText("é")].map(Pins.optionsText)
    for (const text of hashed) assert.match(text, /^sha256:[0-9a-f]{64}$/)
    assert.strictEqual(new Set(hashed).size, 4)
    assert.notStrictEqual(hashed[3], Pins.optionsText("é"))
  })

  for (const name of Pins.pinNames)
    it(`Pins.decode names ${name} when it is missing`, () => {
      const map = texts()
      map.delete(name)
      const result = Pins.decode(map)
      assert.isTrue(Result.isFailure(result) && result.failure.name === name)
    })

  const wrong: ReadonlyArray<readonly [Pins.PinName, string]> = [
    ["first_seq", "01"],
    ["first_seq", "-1"],
    ["first_seq", ""],
    ["first_seq", "9007199254740992"],
    ["entries_per_chunk", "0"],
    ["entries_per_chunk", "4294967296"],
    ["chunks_per_window", "0"],
    ["earliest_seq", "1"],
    ["earliest_seq", "1e3"],
    ["domain_name", "Ndjson"],
    ["domain_name", ""],
    ["domain_version", "1.0"],
    ["domain_options", "naïve"],
    ["domain_options", "x".repeat(201)]
  ]
  for (const [name, text] of wrong)
    it(`Pins.decode refuses ${name} = "${text}"`, () => {
      const result = Pins.decode(texts().set(name, text))
      assert.isTrue(Result.isFailure(result) && result.failure.name === name)
    })
})
