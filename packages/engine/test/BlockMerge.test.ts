import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { type Database, Engine, type Reader, type Row } from "../src/Engine.ts"
import * as BlockReads from "../src/internal/records/blocks/BlockReads.ts"
import * as BlockWrites from "../src/internal/records/blocks/BlockWrites.ts"
import * as ByteSort from "../src/kernel/ByteSort.ts"
import * as RowPage from "../src/kernel/RowPage.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import {
  applyPlainly,
  arenaOf,
  bytesOf,
  type Change,
  encodePlainly,
  headerOf,
  makeTold,
  type Random,
  randomKey,
  randomOf,
  randomValue,
  rowsOfBlock,
  sortedRows,
  textOf
} from "./BlockSubjects.ts"

const keyspace = "records"

const open = Effect.flatMap(Engine, (engine) => engine.open({ path: "/blocks", keyspaces: [keyspace] }))

interface Setting {
  readonly database: Database
  readonly target: number
  readonly maxReadBytes: number
}

const blocksOf = (database: Database): Effect.Effect<ReadonlyArray<Row>> =>
  Effect.orDie(Stream.runCollect(database.scan(keyspace)))

/** Merges the changes as a store does, in as many parts as it takes, and writes each part or all of them at once. */
const change = Effect.fnUntraced(function* (
  { database, maxReadBytes, target }: Setting,
  changes: ReadonlyArray<Change>,
  isWrittenByPart: boolean
) {
  const arena = arenaOf(changes)
  const sorted = ByteSort.sort(arena)
  const told = makeTold(arena)
  const write = database.write((batch) => {
    for (const { key, value } of told.writes.splice(0)) {
      if (value === undefined) batch.delete(keyspace, key)
      else batch.put(keyspace, key, value)
    }
  })
  const snapshot = yield* database.snapshot
  const reader = isWrittenByPart ? database : snapshot
  const options = { reader, keyspace, arena, sorted, sink: told.sink, maxReadBytes, targetSizeBytes: target }
  for (let from = 0; from < sorted.count; ) {
    const next = yield* BlockWrites.mergePart(options, from)
    assert.isAbove(next, from)
    from = next
    if (isWrittenByPart) yield* write
  }
  yield* write
  return told
}, Effect.scoped)

/** The blocks hold exactly the model's rows, each block as a writer makes it. */
const verify = Effect.fnUntraced(function* ({ database, target }: Setting, model: ReadonlyMap<string, string>) {
  const blocks = yield* blocksOf(database)
  const rows = blocks.flatMap((block) => rowsOfBlock(block, target))
  assert.deepStrictEqual(rows, sortedRows(model))
  for (const block of blocks) assert.deepStrictEqual(block.value, encodePlainly(rowsOfBlock(block, target)).value)
})

/** Every way of reading agrees with the model. */
const verifyReads = Effect.fnUntraced(function* (
  { database }: Setting,
  model: ReadonlyMap<string, string>,
  random: Random,
  headers: ReadonlyArray<string>
) {
  const rows = sortedRows(model)
  const keys = Array.from({ length: 30 }, () =>
    random(2) === 0 && rows.length > 0
      ? rows[random(rows.length)]![0]
      : randomKey(random, headers[random(headers.length)]!, 4)
  )
  const values = yield* BlockReads.getMany(database, keyspace, keys.map(bytesOf))
  assert.deepStrictEqual(
    values.map((value) => (value === undefined ? undefined : textOf(value))),
    keys.map((key) => model.get(key))
  )
  for (const key of keys.slice(0, 5)) {
    const value = yield* BlockReads.get(database, keyspace, bytesOf(key))
    assert.strictEqual(Option.getOrUndefined(Option.map(value, textOf)), model.get(key))
  }
  for (const header of headers) {
    const prefix = random(3) === 0 ? randomKey(random, header, 3) : header
    const inside = rows.filter(([key]) => key.startsWith(prefix))
    assert.strictEqual(yield* BlockReads.count(database, keyspace, bytesOf(prefix)), inside.length)
    for (const reverse of [false, true])
      yield* verifyPages(database, prefix, reverse ? inside.toReversed() : inside, reverse, random)
  }
})

/** Pages from the start to the end, and one from the middle. */
const verifyPages = Effect.fnUntraced(function* (
  database: Database,
  prefix: string,
  expected: ReadonlyArray<readonly [string, string]>,
  reverse: boolean,
  random: Random
) {
  const read = Effect.fnUntraced(function* (options: Partial<BlockReads.PageOptions>) {
    const { isEnd, rows } = yield* BlockReads.page(database, {
      keyspace,
      prefix: bytesOf(prefix),
      limit: 1 + random(40),
      reverse,
      ...options
    })
    const found = Array.from({ length: rows.rowCount }, (_, row): readonly [string, string] => [
      textOf(RowPage.keyOf(rows, row)),
      textOf(RowPage.valueOf(rows, row))
    ])
    return { found, isEnd }
  })
  const limit = random(10) === 0 ? 1 : 5 + random(100)
  const all: Array<readonly [string, string]> = []
  for (let isEnd = false; !isEnd; ) {
    const last = all[all.length - 1]
    const page = yield* read({ limit, ...(last === undefined ? {} : { after: bytesOf(last[0]) }) })
    all.push(...page.found)
    isEnd = page.isEnd
    assert.strictEqual(isEnd, all.length === expected.length)
    assert.isTrue(isEnd || page.found.length === limit)
  }
  assert.deepStrictEqual(all, expected)
  const edge = prefix + ["", "\x00", "a", "sh", "shared-by-many/a", "\xff"][random(6)]!
  const isBehind = ([key]: readonly [string, string]) => (reverse ? key < edge : key > edge)
  const from = yield* read({ from: bytesOf(edge), limit: 10_000 })
  assert.deepStrictEqual(from, { found: expected.filter((row) => isBehind(row) || row[0] === edge), isEnd: true })
  const after = yield* read({ after: bytesOf(edge), limit: 10_000 })
  assert.deepStrictEqual(after, { found: expected.filter(isBehind), isEnd: true })
  const small = yield* read({ limit: 10_000, maxBytes: 1 })
  assert.deepStrictEqual(small.found, expected.slice(0, small.found.length))
  assert.isTrue(expected.length === 0 || small.found.length > 0 || !small.isEnd)
})

const randomChanges = (random: Random, model: ReadonlyMap<string, string>, headers: ReadonlyArray<string>) => {
  const keys = [...model.keys()]
  const shape = random(8)
  const count = shape === 0 ? 400 : 1 + random(60)
  const depth = shape === 0 ? 5 : 4
  return Array.from({ length: count }, (): Change => {
    const header = headers[random(headers.length)]!
    const isOld = keys.length > 0 && random(3) === 0
    const key = isOld ? keys[random(keys.length)]! : randomKey(random, header, depth)
    // Now and then most of what there is goes.
    const isDelete = random(10) < (shape === 1 ? 9 : isOld ? 4 : 1)
    return {
      key,
      value: isDelete ? undefined : isOld && random(4) === 0 ? (model.get(key) ?? "") : randomValue(random)
    }
  })
}

describe("mergePart", () => {
  for (const target of [64, 200, 1_000, 4_060]) {
    for (const seed of [1, 2, 3]) {
      it.effect(
        `keeps blocks of ${target} bytes that hold what a map holds, through random batches of seed ${seed}`,
        () =>
          Effect.gen(function* () {
            const random = randomOf(seed * 1_000 + target)
            const headers = [headerOf(2), headerOf(2, 8), headerOf(3), headerOf(200)]
            const database = yield* open
            let model: ReadonlyMap<string, string> = new Map()
            for (let round = 0; round < 50; round++) {
              const setting: Setting = { database, target, maxReadBytes: [1, 300, 1 << 20][random(3)]! }
              const changes = randomChanges(random, model, headers)
              const told = yield* change(setting, changes, random(2) === 0)
              const expected = applyPlainly(model, changes)
              assert.deepStrictEqual(told.events, expected.events)
              model = expected.next
              yield* verify(setting, model)
              if (round % 4 === 0) yield* verifyReads(setting, model, random, headers)
            }
          }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
      )
    }
  }
})

/** A reader that counts the blocks that it gives. */
const counting = (reader: Reader): { readonly reader: Reader; readonly counted: { blocks: number } } => {
  const counted = { blocks: 0 }
  const add = (blocks: number) => {
    counted.blocks += blocks
  }
  return {
    counted,
    reader: {
      ...reader,
      floor: (name, key) => Effect.tap(reader.floor(name, key), () => Effect.sync(() => add(1))),
      floorMany: (name, keys) => Effect.tap(reader.floorMany(name, keys), () => Effect.sync(() => add(keys.length))),
      page: (name, options) =>
        Effect.tap(reader.page(name, options), ({ rows }) => Effect.sync(() => add(rows.length))),
      scan: (name, options) => Stream.tap(reader.scan(name, options), () => Effect.sync(() => add(1)))
    }
  }
}

const readBy = (database: Database, reader: Reader): Database => ({
  ...database,
  ...reader,
  snapshot: Effect.succeed(reader)
})

const numbered = (number: number): string => headerOf(2) + String(number).padStart(6, "0")

it.effect("mergePart and getMany read the blocks that they need, not those between", () =>
  Effect.gen(function* () {
    const database = yield* open
    const setting: Setting = { database, target: 300, maxReadBytes: 1 << 22 }
    const rows = Array.from({ length: 10_000 }, (_, row) => ({ key: numbered(row), value: "a value" }))
    yield* change(setting, rows, false)
    const blockCount = (yield* blocksOf(database)).length
    assert.isAbove(blockCount, 300)

    const scattered = Array.from({ length: 30 }, (_, index) => ({ key: numbered(index * 300 + 7), value: "other" }))
    const few = counting(database)
    yield* change({ ...setting, database: readBy(database, few.reader) }, scattered, false)
    assert.isAtMost(few.counted.blocks, 2 * 30 + 10)

    const dense = Array.from({ length: 3_000 }, (_, index) => ({ key: numbered(2_000 + index), value: "dense" }))
    const many = counting(database)
    yield* change({ ...setting, database: readBy(database, many.reader) }, dense, false)
    assert.isAtMost(many.counted.blocks, 0.3 * blockCount + 300)

    const mixed = [...dense.slice(0, 200), { key: numbered(9_990), value: "far away" }]
    const both = counting(database)
    yield* change({ ...setting, database: readBy(database, both.reader) }, mixed, false)
    assert.isAtMost(both.counted.blocks, 100)

    const near = counting(database)
    const keys = Array.from({ length: 1_000 }, (_, index) => bytesOf(numbered(6_000 + index)))
    yield* BlockReads.getMany(near.reader, keyspace, keys)
    assert.isAtMost(near.counted.blocks, 0.1 * blockCount + 10)
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
)
