import { assert, describe, it } from "@effect/vitest"
import * as PackRowsFormat from "../src/format/PackRowsFormat.ts"
import * as GroupCache from "../src/internal/archive/GroupCache.ts"

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"))
const text = (word: string): Uint8Array => new TextEncoder().encode(word)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** The group and the fences of the format's example. */
const goldenGroup = bytesOf("01 61 02 01 02 02 61 62 00")
const goldenFences = bytesOf("01 00 01 61")

const parse = (group: Uint8Array, first = "a", bound?: string) =>
  PackRowsFormat.parseGroup(group, text(first), bound === undefined ? undefined : text(bound))

describe("PackRowsFormat", () => {
  it("PackRowsFormat.addRow gives the golden group and fences, which are read as they were", () => {
    const builder = PackRowsFormat.makeBuilder()
    assert.isFalse(PackRowsFormat.addRow(builder, text("a"), Uint8Array.of(1, 2)))
    assert.isFalse(PackRowsFormat.addRow(builder, text("ab"), new Uint8Array(0)))
    assert.strictEqual(hex(PackRowsFormat.takeGroup(builder)), hex(goldenGroup))
    assert.strictEqual(hex(PackRowsFormat.encodeFences(builder)), hex(goldenFences))
    const group = parse(goldenGroup)
    assert(group.kind === "group")
    assert.deepStrictEqual(
      [0, 1].map((row) => [hex(PackRowsFormat.keyOf(group, row)), hex(PackRowsFormat.valueOf(group, row))]),
      [
        ["61", "0102"],
        ["6162", ""]
      ]
    )
    const fences = PackRowsFormat.decodeFences(goldenFences, 1, 100)
    assert(fences.kind === "fences")
    assert.strictEqual(hex(PackRowsFormat.fenceOf(fences, 0)), "61")
  })

  it("PackRowsFormat.parseGroup refuses rows out of order, before the first key or behind the next fence", () => {
    const wrong: ReadonlyArray<readonly [group: string, first: string, bound?: string]> = [
      ["", "a"],
      ["01 61 00", "b"],
      ["01 61 00", "A"],
      ["01 61 00 01 61 00", "a"],
      ["01 62 00 01 61 00", "b"],
      ["01 61 00", "a", "a"],
      ["01 61 00 01 63 00", "a", "b"],
      ["00 00", "a"],
      ["01 61", "a"],
      ["01 61 01", "a"],
      ["05 61 00", "a"],
      ["ff ff ff ff ff 61 00", "a"],
      ["01 61 ff ff ff ff 7f", "a"]
    ]
    for (const [group, first, bound] of wrong) {
      assert.strictEqual(parse(bytesOf(group), first, bound).kind, "fault", `${group} from ${first} to ${bound}`)
    }
    assert.strictEqual(parse(bytesOf("01 61 00"), "a", "b").kind, "group")
  })

  it("PackRowsFormat.decodeFences refuses what is not ascending, whole and of the right count, before it allocates", () => {
    const wrong: ReadonlyArray<readonly [fences: string, count: number]> = [
      ["", 0],
      ["01 00 01 61", 2],
      ["02 00 01 61", 2],
      ["01 00 01 61 00", 1],
      ["02 00 01 61 00 01 61", 2],
      ["02 00 01 62 00 01 61", 2],
      ["02 00 01 61 02 01 62", 2],
      ["01 01 01 61", 1],
      ["01 00 00", 1],
      ["01 00 05 61", 1],
      ["ff ff ff ff 0f 00 01 61", 0xffff_ffff]
    ]
    for (const [fences, count] of wrong) {
      assert.strictEqual(PackRowsFormat.decodeFences(bytesOf(fences), count, 1000).kind, "fault", fences)
    }
    const sound = bytesOf("02 00 02 61 62 01 01 63")
    assert.strictEqual(PackRowsFormat.decodeFences(sound, 2, 4).kind, "fences")
    assert.strictEqual(PackRowsFormat.decodeFences(sound, 2, 3).kind, "fault")
  })

  it("GroupCache.put does not give up the groups that it has for one that is larger than all it keeps", () => {
    const group = (size: number): PackRowsFormat.Group => {
      const parsed = PackRowsFormat.parseGroup(
        new Uint8Array([1, 0x61, size & 0x7f, ...new Uint8Array(size & 0x7f)]),
        text("a"),
        undefined
      )
      assert(parsed.kind === "group")
      return parsed
    }
    const cache = GroupCache.make(100)
    cache.put("meta", 1, group(10))
    cache.put("meta", 2, group(120))
    assert.deepStrictEqual([cache.get("meta", 1) !== undefined, cache.get("meta", 2) !== undefined], [true, false])
    // The one that was used longest ago goes first.
    cache.put("meta", 3, group(20))
    cache.get("meta", 1)
    cache.put("meta", 4, group(30))
    assert.deepStrictEqual(
      [1, 3, 4].map((index) => cache.get("meta", index) !== undefined),
      [true, false, true]
    )
  })
})
