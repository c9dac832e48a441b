import { assert, describe, it } from "@effect/vitest"
import * as AccessData from "../src/fixtures/AccessData.ts"
import { make as makeItems } from "../src/fixtures/JsonItems.ts"
import * as KeyedLines from "../src/fixtures/KeyedLines.ts"
import { make as makeRows, randomIndexes } from "../src/fixtures/KeyedRows.ts"
import { make as makeLines } from "../src/fixtures/Lines.ts"
import * as OverlappingGrants from "../src/fixtures/OverlappingGrants.ts"

const compare = (left: Uint8Array, right: Uint8Array): number => Buffer.compare(left, right)

describe("Fixtures", () => {
  it("KeyedRows have distinct keys in the order that was asked for", () => {
    const shape = { count: 5_000, keySizeBytes: 12, valueSizeBytes: 3 }
    const ascending = makeRows({ ...shape, order: "ascending" }).keys
    assert.deepStrictEqual(ascending, ascending.toSorted(compare))
    const random = makeRows({ ...shape, order: "random" }).keys
    assert.notDeepEqual(random, random.toSorted(compare))
    assert.strictEqual(new Set(random.map((key) => key.join())).size, random.length)
  })

  it("randomIndexes stay below their bound", () => {
    assert.isTrue(randomIndexes(1_000, 7).every((index) => index < 7))
    assert.strictEqual(new Set(randomIndexes(1_000, 7)).size, 7)
  })

  it("KeyedLines are JSON of one length, each with its own key, wherever they begin", () => {
    const { lines, keys } = KeyedLines.make(1_000)
    for (const [seq, line] of lines.entries()) {
      assert.strictEqual(line.length, KeyedLines.lineSizeBytes)
      assert.strictEqual(
        JSON.parse(new TextDecoder().decode(line)).key,
        Buffer.from(KeyedLines.keyAt(seq)).toString("hex")
      )
    }
    assert.strictEqual(new Set(keys.map((key) => key.join())).size, keys.length)
    assert.deepStrictEqual(KeyedLines.make(1, 700).keys, keys.slice(700, 701))
  })

  it("JsonItems and Lines fill every item, and no line holds a line feed", () => {
    const { bytes, items } = makeItems(1_000, 400)
    assert.strictEqual(items.length * 400, bytes.length)
    assert.isTrue(items.every((item) => item.length === 400 && item.indexOf(0) < 0))
    assert.isTrue(makeLines(100, 200).every((line) => line.length === 200 && line.indexOf(0x0a) < 0))
  })

  it("AccessData gives as many grants as asked for in pages, by entitlement, with principals in no order, each its own", () => {
    const shape = AccessData.shapeOf(12_345)
    const pages = [...AccessData.grantPages(shape)]
    assert.deepStrictEqual(
      pages.map(({ length }) => length),
      [...Array.from({ length: 12 }, () => 1_000), 345]
    )
    const grants = pages.flat()
    assert.strictEqual(new Set(grants.map(({ external_id }) => external_id)).size, grants.length)
    const entitlements = [...AccessData.entitlementPages(shape)].flat().map(({ external_id }) => external_id)
    const principals = [...AccessData.principalPages(shape)].flat().map(({ resource_id }) => resource_id)
    assert.strictEqual(new Set(entitlements).size, shape.entitlementCount)
    assert.strictEqual(new Set(principals).size, shape.principalCount)
    const listed = grants.map(({ entitlement_id }) => entitlement_id)
    assert.deepStrictEqual([...new Set(listed)], entitlements)
    const changes = listed.filter((id, at) => at > 0 && id !== listed[at - 1])
    assert.strictEqual(changes.length, shape.entitlementCount - 1)
    const known = new Set(principals)
    const first = grants.slice(0, 500).map(({ principal_resource_id }) => principal_resource_id)
    assert.isTrue(first.every((id) => known.has(id)))
    assert.notDeepEqual(first, first.toSorted())
    assert.notDeepEqual(first, principals.slice(0, 500))
  })

  it("AccessData is the same for a seed, another for the next, and does not depend on what was asked for before", () => {
    const shape = AccessData.shapeOf(2_000)
    const all = [...AccessData.grantPages(shape)].flat()
    assert.deepStrictEqual([...AccessData.grantPages(shape, 77)].flat(), all)
    const other = [...AccessData.grantPages({ ...shape, seed: 2 })].flat()
    assert.notStrictEqual(other[0]!.external_id, all[0]!.external_id)
    assert.isTrue(all.some(({ expansion, needs_expansion }) => needs_expansion && expansion !== undefined))
    assert.isTrue(all.some(({ annotations }) => annotations.length === 1 && annotations[0]!.value.length === 24))
    assert.isTrue(all.some(({ sources }) => Object.keys(sources).length === 1))
  })

  it("OverlappingGrants gives each source as many grants as asked for, of which others know half, and see them at other times", () => {
    const sources = { sourceCount: 4, grantsPerSource: 1_500, overlap: "heavy" } as const
    const seen = Array.from({ length: 4 }, (_, source) => [...OverlappingGrants.pagesOf(sources, source)].flat())
    const ids = seen.map((grants) => new Set(grants.map(({ external_id }) => external_id)))
    assert.deepStrictEqual(
      ids.map(({ size }) => size),
      [1_500, 1_500, 1_500, 1_500]
    )
    const shared = [...ids[0]!].filter((id) => ids[1]!.has(id))
    assert.isTrue(shared.length > 600 && shared.length < 900, `${shared.length}`)
    const known = new Set(ids.flatMap((each) => [...each])).size
    assert.strictEqual(OverlappingGrants.knownCount(sources), known)
    assert.isAtMost(known, OverlappingGrants.poolCount(sources))
    const [first, second] = seen.slice(0, 2).map((all) => new Map(all.map((grant) => [grant.external_id, grant])))
    const later = shared.filter((id) => second!.get(id)!.discovered_at > first!.get(id)!.discovered_at)
    assert.isTrue(later.length > shared.length / 2 && later.length < shared.length)
  })

  it("OverlappingGrants without overlap tells every grant to one source", () => {
    const sources = { sourceCount: 3, grantsPerSource: 700, overlap: "none" } as const
    const ids = [0, 1, 2].flatMap((source) =>
      [...OverlappingGrants.pagesOf(sources, source)].flat().map(({ external_id }) => external_id)
    )
    assert.strictEqual(new Set(ids).size, 2_100)
    assert.deepStrictEqual([ids.length, OverlappingGrants.knownCount(sources)], [2_100, 2_100])
  })
})
