import { assert, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { Hex } from "effect/encoding"
import { Engine, type Row } from "../src/Engine.ts"
import { maxRowValueSizeBytes, targetSizeBytes, varintSize, writeVarint } from "../src/format/BlockFormat.ts"
import { headerSizeBytes } from "../src/format/RecordLayout.ts"
import * as BlockReads from "../src/internal/records/blocks/BlockReads.ts"
import * as BlockWrites from "../src/internal/records/blocks/BlockWrites.ts"
import { BlockDamage } from "../src/kernel/BlockCursor.ts"
import * as BlockMerge from "../src/kernel/BlockMerge.ts"
import * as ByteSort from "../src/kernel/ByteSort.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { arenaOf, byBytes, bytesOf, encodePlainly, headerOf, makeTold, rowsOfBlock, textOf } from "./BlockSubjects.ts"

const header = headerOf(2)
const keyspace = "records"

const mergeInto = (blocks: ReadonlyArray<Row>, changes: ReadonlyArray<readonly [string, string | undefined]>) => {
  const arena = arenaOf(changes.map(([key, value]) => ({ key: header + key, value })))
  const sorted = ByteSort.sort(arena)
  const told = makeTold(arena)
  const touched = { blocks, isAdjacent: true, isEnd: true }
  BlockMerge.merge({ arena, sorted, from: 0, to: sorted.count }, touched, told.sink)
  return told
}

it("BlockFormat is what it was: golden bytes of blocks", () => {
  const block = (...rows: ReadonlyArray<readonly [string, string]>) => {
    const { writes } = mergeInto([], rows)
    assert.strictEqual(writes.length, 1)
    assert.strictEqual(
      Hex.encode(writes[0]!.key),
      Hex.encode(bytesOf(header + rows.map(([key]) => key).sort(byBytes)[0]!))
    )
    return Hex.encode(writes[0]!.value!)
  }
  // The example of the format, its headers of 22 bytes included.
  assert.strictEqual(block(["ada", "\x01\x02"], ["adb", ""]), "02" + "020102" + "18" + "01" + "62" + "00")
  assert.strictEqual(block(["", ""]), "01" + "00")
  assert.strictEqual(block(["", ""], ["\x00", "\xff"]), "02" + "00" + "16" + "01" + "00" + "01" + "ff")
  const long = "y".repeat(200)
  assert.strictEqual(
    block([`${long}a`, "v".repeat(130)], [`${long}b`, "w"]),
    `02${"8201"}${"76".repeat(130)}${"de01"}01${"62"}01${"77"}`
  )
})

it("BlockFormat keeps its numbers", () => {
  assert.deepStrictEqual([targetSizeBytes, maxRowValueSizeBytes, headerSizeBytes], [4_060, 16_777_210, 22])
  for (const [value, bytes] of [
    [0, "00"],
    [127, "7f"],
    [128, "8001"],
    [16_383, "ff7f"],
    [16_384, "808001"],
    [2_097_152, "80808001"],
    [268_435_456, "8080808001"],
    [4_294_967_295, "ffffffff0f"]
  ] as const) {
    const target = new Uint8Array(8)
    const end = writeVarint(target, 1, value)
    assert.strictEqual(Hex.encode(target.subarray(1, end)), bytes)
    assert.strictEqual(varintSize(value), bytes.length / 2)
  }
})

it("merge leaves blocks alone in which nothing changes, and tells of puts of the same value", () => {
  const block = encodePlainly([
    [`${header}a`, "1"],
    [`${header}b`, "2"]
  ])
  const told = mergeInto(
    [block],
    [
      ["b", "2"],
      ["c", undefined]
    ]
  )
  assert.deepStrictEqual(told.writes, [])
  assert.deepStrictEqual(told.events, [["replace", `${header}b`, "2"]])
})

it("merge puts a block that keeps its first row over the old one, and deletes one whose first row goes", () => {
  const rows = ["a", "b", "c"].map((key) => [`${header}${key}`, key] as const)
  const block = encodePlainly(rows)
  const kept = mergeInto([block], [["b", undefined]])
  assert.deepStrictEqual(
    kept.writes.map(({ key, value }) => [textOf(key), value !== undefined]),
    [[`${header}a`, true]]
  )
  const moved = mergeInto([block], [["a", undefined]])
  assert.deepStrictEqual(
    moved.writes.map(({ key, value }) => [textOf(key), value !== undefined]),
    [
      [`${header}a`, false],
      [`${header}b`, true]
    ]
  )
  const emptied = mergeInto(
    [block],
    ["a", "b", "c"].map((key) => [key, undefined] as const)
  )
  assert.deepStrictEqual(
    emptied.writes.map(({ key, value }) => [textOf(key), value !== undefined]),
    [[`${header}a`, false]]
  )
})

it("merge fills blocks when rows are added at the end of a header, and halves them elsewhere", () => {
  const value = "v".repeat(50)
  const numbered = (number: number) => String(number).padStart(6, "0")
  const first = mergeInto(
    [],
    Array.from({ length: 1_000 }, (_, index) => [numbered(index * 2), value] as const)
  )
  const blocks = [...first.puts].map(([key, bytes]): Row => ({ key: bytesOf(key), value: bytes }))
  for (const block of blocks.slice(0, -1)) assert.isAbove(block.value.length, targetSizeBytes - 60)
  const between = mergeInto(blocks, [[numbered(1), value]])
  assert.strictEqual(between.puts.size, 2)
  for (const bytes of between.puts.values()) assert.isBelow(bytes.length, 0.6 * targetSizeBytes)
  const behind = mergeInto(
    blocks.slice(-1),
    Array.from({ length: 500 }, (_, index) => [`1${numbered(index)}`, value] as const)
  )
  assert.isBelow(behind.puts.size, 9)
})

it("merge joins a block that has become small with the one behind it", () => {
  const told = mergeInto(
    [],
    Array.from({ length: 300 }, (_, index) => [String(1_000 + index), "v".repeat(50)] as const)
  )
  const blocks = [...told.puts].map(([key, bytes]): Row => ({ key: bytesOf(key), value: bytes }))
  assert.isAbove(blocks.length, 3)
  const rows = blocks.map((block) => rowsOfBlock(block).map(([key]) => key.slice(header.length)))
  const after = mergeInto(
    blocks,
    rows[0]!.slice(1).map((key) => [key, undefined] as const)
  )
  const [put] = [...after.puts]
  assert.strictEqual(put![0], header + rows[0]![0]!)
  assert.include(
    after.writes.map(({ key, value }) => (value === undefined ? textOf(key) : "")),
    header + rows[1]![0]!
  )
})

it.effect("mergePart keeps a row of the largest value alone in its block, and reads it", () =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const database = yield* engine.open({ path: "/large", keyspaces: [keyspace] })
    const large = "L".repeat(maxRowValueSizeBytes)
    const changes = ["a", "b", "c"].map((key) => ({ key: header + key, value: key === "b" ? large : key }))
    const arena = arenaOf(changes)
    const sorted = ByteSort.sort(arena)
    const told = makeTold(arena)
    const options = { reader: database, keyspace, arena, sorted, sink: told.sink }
    assert.strictEqual(yield* BlockWrites.mergePart(options, 0), 3)
    yield* database.write((batch) => {
      for (const [key, value] of told.puts) batch.put(keyspace, bytesOf(key), value)
    })
    assert.strictEqual((yield* Stream.runCollect(database.scan(keyspace))).length, 3)
    const value = Option.getOrThrow(yield* BlockReads.get(database, keyspace, bytesOf(`${header}b`)))
    assert.strictEqual(value.length, maxRowValueSizeBytes)
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
)

/** Everything that a block's bytes say, or what is wrong with them; any other throw is a failure of the test. */
const outcomeOf = (
  block: Row
): { readonly rows: ReadonlyArray<readonly [string, string]> } | { readonly damage: string } => {
  try {
    return { rows: rowsOfBlock(block) }
  } catch (cause) {
    if (!(cause instanceof BlockDamage)) throw cause
    return { damage: cause.detail }
  }
}

const sample = encodePlainly([
  [`${header}group:a\x00user:1`, "first value"],
  [`${header}group:a\x00user:12`, ""],
  [`${header}group:a\x00user:2`, "x".repeat(130)],
  [`${header}group:b\x00user:1`, "last"]
])

it("BlockCursor refuses every truncation of a block and every byte more", () => {
  for (let size = 0; size < sample.value.length; size++) {
    assert.property(outcomeOf({ key: sample.key, value: sample.value.slice(0, size) }), "damage", `${size} bytes`)
  }
  assert.property(outcomeOf({ key: sample.key, value: Uint8Array.of(...sample.value, 0) }), "damage")
})

it("BlockCursor finds rows that ascend within the header, or damage, whatever bit of a block is flipped", () => {
  const intact = outcomeOf(sample)
  let damageCount = 0
  for (let bit = 0; bit < sample.value.length * 8; bit++) {
    const value = sample.value.slice()
    value[bit >> 3]! ^= 1 << (bit & 7)
    const outcome = outcomeOf({ key: sample.key, value })
    assert.notDeepEqual(outcome, intact)
    if ("damage" in outcome) {
      damageCount++
      continue
    }
    const { rows } = outcome
    for (const [at, [key]] of rows.entries()) {
      assert.isTrue(key.startsWith(header))
      assert.isTrue(at === 0 || byBytes(rows[at - 1]![0], key) < 0)
    }
    // There is one way to write rows down.
    assert.deepStrictEqual(encodePlainly(rows).value, value)
  }
  assert.isAbove(damageCount, 100)
})

it("merge ends in damage or in blocks, whatever bit of a block is flipped", () => {
  const changes = [
    ["group:a\x00user:11", "new"],
    ["group:a\x00user:2", undefined],
    ["group:b\x00user:0", "w".repeat(4_000)]
  ] as const
  for (let bit = 0; bit < sample.value.length * 8; bit++) {
    const value = sample.value.slice()
    value[bit >> 3]! ^= 1 << (bit & 7)
    try {
      const { puts } = mergeInto([{ key: sample.key, value }], changes)
      for (const [key, bytes] of puts) outcomeOf({ key: bytesOf(key), value: bytes })
    } catch (cause) {
      if (!(cause instanceof BlockDamage)) throw cause
    }
  }
})

it("BlockCursor says what is wrong with a block", () => {
  const damageOf = (value: ReadonlyArray<number>, key = `${header}b`): string => {
    const outcome = outcomeOf({ key: bytesOf(key), value: Uint8Array.from(value) })
    return "damage" in outcome ? outcome.damage : "none"
  }
  assert.strictEqual(damageOf([1, 0]), "none")
  assert.strictEqual(damageOf([1, 0], header.slice(1)), "its key has 21 bytes")
  assert.strictEqual(damageOf([0]), "it has no rows")
  assert.strictEqual(damageOf([]), "a number in it is not one")
  assert.strictEqual(damageOf([1, 0, 0]), "there are bytes behind its last row")
  assert.strictEqual(damageOf([1, 2, 0]), "a value reaches behind its end")
  assert.strictEqual(damageOf([0x81, 0x00, 0]), "a number in it is not one")
  assert.strictEqual(damageOf([1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]), "a number in it is not one")
  assert.strictEqual(damageOf([2, 0, 21, 1, 0x63, 0]), "a row has another header")
  assert.strictEqual(damageOf([2, 0, 22, 1, 0x61, 0]), "its rows are not ascending")
  assert.strictEqual(damageOf([2, 0, 22, 2, 0x62, 0x63, 0]), "its rows are not ascending")
  assert.strictEqual(damageOf([2, 0, 23, 0, 0]), "a row's key has 23 and 0 bytes")
  assert.strictEqual(damageOf([2, 0, 24, 1, 0x61, 0]), "a row's key has 24 and 1 bytes")
  assert.strictEqual(damageOf([2, 0, 23, 9, 0x61, 0]), "a row's key has 23 and 9 bytes")
  assert.strictEqual(
    damageOf([2, 0, 22, 0xde, 0x0e, ...new Array(1_886).fill(0x63), 0]),
    "a row's key has 22 and 1886 bytes"
  )
})

it.effect(
  "BlockReads and mergePart fail with BlockCorrupt, which says keyspace and key, on a block that is not one",
  () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const database = yield* engine.open({ path: "/damaged", keyspaces: [keyspace] })
      const value = sample.value.slice()
      value[0] = 9
      yield* database.write((batch) => batch.put(keyspace, sample.key, value))
      const last = bytesOf(`${header}group:c`)
      const prefix = bytesOf(header)
      const arena = arenaOf([{ key: textOf(last), value: "v" }])
      const { sink } = makeTold(arena)
      const attempts: ReadonlyArray<Effect.Effect<unknown, BlockReads.BlockReadError>> = [
        BlockReads.get(database, keyspace, last),
        BlockReads.getMany(database, keyspace, [last]),
        BlockReads.count(database, keyspace, prefix),
        BlockReads.page(database, { keyspace, prefix, limit: 100 }),
        BlockReads.page(database, { keyspace, prefix, limit: 100, reverse: true }),
        BlockWrites.mergePart({ reader: database, keyspace, arena, sorted: ByteSort.sort(arena), sink }, 0)
      ]
      for (const attempt of attempts) {
        const error = yield* Effect.flip(attempt)
        assert.strictEqual(error._tag, "BlockCorrupt")
        assert.include(error.message, `Cannot read block 0x${Hex.encode(sample.key)} of records: `)
      }
    }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
)
