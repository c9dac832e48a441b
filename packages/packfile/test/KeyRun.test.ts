import { assert, describe, it } from "@effect/vitest"
import { Crc32c } from "@icecore/codec"
import { Effect, Exit, Stream } from "effect"
import { Disk, KeyRun } from "../src/index.ts"
import { FaultEnumerator } from "../src/testing/index.ts"
import { randomNumbers } from "./Fixtures.ts"
import { hexOf, type KeyRow, keyOf, onDisk, randomKey, readFile, replaceFile, runBytes } from "./Keys.ts"

/** Rows as they stand in the bytes of a run, by a reader of its own. */
const rowsIn = (bytes: Uint8Array): ReadonlyArray<string> => {
  const buffer = Buffer.from(bytes)
  const count = Number(buffer.readBigUInt64LE(0))
  assert.strictEqual(bytes.length, 8 + 20 * count)
  return Array.from({ length: count }, (_, row) => {
    const at = 8 + 20 * row
    return `${buffer.toString("hex", at, at + 16)}:${String(buffer.readUInt32LE(at + 16)).padStart(10, "0")}`
  })
}

const textOf = ({ key, offset }: KeyRow): string => `${hexOf(key.subarray(0, 16))}:${String(offset).padStart(10, "0")}`

const sortedDistinct = (rows: ReadonlyArray<KeyRow>): ReadonlyArray<string> => [...new Set(rows.map(textOf))].sort()

const shuffled = <A>(items: ReadonlyArray<A>, next: () => number): ReadonlyArray<A> => {
  const list = [...items]
  for (let at = list.length - 1; at > 0; at--) {
    const other = next() % (at + 1)
    const held = list[at]!
    list[at] = list[other]!
    list[other] = held
  }
  return list
}

/** Keys of many shapes: uniform, few values, long equal beginnings, equal but for the last byte. */
const shapes: Readonly<Record<string, (next: () => number) => Uint8Array>> = {
  "uniform keys": randomKey,
  "keys with one beginning": (next) => {
    const key = randomKey(next)
    key.fill(7, 0, 12)
    return key
  },
  "keys that differ in their last byte": (next) => keyOf(9).fill(next() & 0xff, 15, 16),
  "few keys": (next) => keyOf(next() % 5),
  "keys at both ends": (next) => randomKey(next).fill(next() & 1 ? 0xff : 0, 0, 4)
}

const smallRows: ReadonlyArray<KeyRow> = Array.from({ length: 12 }, (_, at) => ({
  key: keyOf([3, 200, 17, 9, 9, 255, 0, 60, 61, 62, 63, 64][at]!),
  offset: 1000 + at
}))

describe("KeyRun", () => {
  it("KeyRun.builder gives the bytes that the format shows", () => {
    const bytes = runBytes([
      { key: keyOf(0xaa), offset: 7 },
      { key: keyOf(0x0b), offset: 258 }
    ])
    assert.strictEqual(hexOf(bytes), `0200000000000000${"0b".repeat(16)}02010000${"aa".repeat(16)}07000000`)
    assert.strictEqual(hexOf(runBytes([])), "0000000000000000")
  })

  for (const [shape, keyFrom] of Object.entries(shapes)) {
    it.effect(`KeyRun.builder sorts ${shape} whatever their order and drops rows that are the same`, () =>
      Effect.gen(function* () {
        for (const [seed, count] of [1, 2, 25, 300, 5000, 140_000].entries()) {
          const next = randomNumbers(seed)
          const rows = Array.from({ length: count }, () => ({ key: keyFrom(next), offset: next() }))
          rows.push(...rows.slice(0, count >> 3))
          const bytes = runBytes(rows)
          assert.deepStrictEqual(rowsIn(bytes), sortedDistinct(rows))
          const builder = KeyRun.builder()
          for (const { key, offset } of shuffled(rows, next)) builder.add(key, offset)
          assert.isTrue(Buffer.from(yield* builder.finishYielding).equals(bytes))
        }
      })
    )

    it.effect(`KeyRun.find gives every offset of ${shape} and none for strangers`, () =>
      onDisk(
        Effect.gen(function* () {
          const next = randomNumbers(11)
          const rows = Array.from({ length: 3000 }, (_, at) => ({ key: keyFrom(next), offset: at }))
          const bySought = new Map<string, Array<number>>()
          for (const { key, offset } of rows) {
            const prefix = hexOf(key.subarray(0, 16))
            bySought.set(prefix, [...(bySought.get(prefix) ?? []), offset])
          }
          yield* KeyRun.write("/a.bin", runBytes(rows))
          const run = yield* KeyRun.open("/a.bin")
          for (const [prefix, offsets] of [...bySought].slice(0, 400)) {
            assert.deepStrictEqual(yield* run.find(Buffer.from(`${prefix}ffff`, "hex")), offsets)
          }
          for (let stranger = 0; stranger < 200; stranger++) {
            const key = stranger % 2 === 0 ? randomKey(next) : keyFrom(next)
            assert.deepStrictEqual(yield* run.find(key), bySought.get(hexOf(key.subarray(0, 16))) ?? [])
          }
        })
      )
    )
  }

  it.effect("KeyRun.find takes few reads", () =>
    Effect.gen(function* () {
      let reads = 0
      const next = randomNumbers(5)
      const rows = Array.from({ length: 100_000 }, (_, at) => ({ key: randomKey(next), offset: at }))
      yield* onDisk(
        Effect.gen(function* () {
          yield* KeyRun.write("/a.bin", runBytes(rows))
          const disk = yield* Disk
          const counting: Disk = {
            ...disk,
            open: (path, mode) =>
              Effect.map(disk.open(path, mode), (file) => ({
                ...file,
                readAt: (target, at) => {
                  reads++
                  assert.isAtMost(target.length, 4096)
                  return file.readAt(target, at)
                }
              }))
          }
          const run = yield* Effect.provideService(KeyRun.open("/a.bin"), Disk, counting)
          reads = 0
          for (let at = 0; at < 1000; at++) yield* run.find(rows[at * 100]!.key)
        })
      )
      assert.isAtMost(reads, 1000 * 4)
    })
  )

  it.effect("KeyRun.write and KeyRun.verify say what the file holds, and KeyRun.rows gives it", () =>
    onDisk(
      Effect.gen(function* () {
        const next = randomNumbers(3)
        const rows = Array.from({ length: 30_000 }, (_, at) => ({ key: randomKey(next), offset: at }))
        const bytes = runBytes(rows)
        const summary = yield* KeyRun.write("/a.bin", bytes)
        assert.deepStrictEqual(summary, {
          keyCount: rows.length,
          checksum: Crc32c.checksum(bytes),
          sizeBytes: bytes.length
        })
        const run = yield* KeyRun.open("/a.bin", summary)
        assert.deepStrictEqual(yield* run.verify({ minOffset: 0, maxOffset: 29_999 }), summary)
        const read = yield* Stream.runCollect(run.rows)
        assert.deepStrictEqual(
          read.map(({ prefix, offset }) => textOf({ key: prefix, offset })),
          sortedDistinct(rows)
        )
        yield* KeyRun.write("/empty.bin", runBytes([]))
        const empty = yield* KeyRun.open("/empty.bin")
        assert.deepStrictEqual(yield* Stream.runCollect(empty.rows), [])
        assert.deepStrictEqual(yield* empty.find(keyOf(1)), [])
        assert.strictEqual((yield* empty.verify()).keyCount, 0)
      })
    )
  )

  it.effect("KeyRun.verify names the row that is out of order or out of bounds", () =>
    onDisk(
      Effect.gen(function* () {
        const bytes = runBytes(smallRows)
        const swapped = bytes.slice()
        swapped.set(bytes.subarray(28, 48), 48)
        swapped.set(bytes.subarray(48, 68), 28)
        yield* replaceFile("/swapped.bin", swapped)
        const disordered = yield* Effect.flip((yield* KeyRun.open("/swapped.bin")).verify())
        assert.deepInclude(disordered, { _tag: "KeyRunCorrupt", part: "order", offsetBytes: 48 })
        assert.propertyVal(
          yield* Effect.flip(Stream.runDrain((yield* KeyRun.open("/swapped.bin")).rows)),
          "part",
          "order"
        )
        yield* replaceFile("/a.bin", bytes)
        const run = yield* KeyRun.open("/a.bin")
        const outside = yield* Effect.flip(run.verify({ minOffset: 1001, maxOffset: 1011 }))
        assert.deepInclude(outside, { _tag: "KeyRunCorrupt", part: "offset", offsetBytes: 8 + 20 + 16 })
        assert.propertyVal(yield* Effect.flip(run.verify({ minOffset: 1000, maxOffset: 1010 })), "part", "offset")
        yield* run.verify({ minOffset: 1000, maxOffset: 1011 })
      })
    )
  )

  it.effect("KeyRun finds every flipped bit, truncation and tail when it is told what to expect", () =>
    onDisk(
      Effect.gen(function* () {
        const bytes = runBytes(smallRows)
        const expected = yield* KeyRun.write("/a.bin", bytes)
        const damaged: Array<Uint8Array> = []
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = bytes.slice()
          flipped[bit >>> 3]! ^= 1 << (bit & 7)
          damaged.push(flipped)
        }
        for (let size = 0; size < bytes.length; size++) damaged.push(bytes.slice(0, size))
        for (const more of [1, 19, 20, 40]) damaged.push(new Uint8Array([...bytes, ...new Uint8Array(more)]))
        for (const file of damaged) {
          yield* replaceFile("/a.bin", file)
          for (const look of [
            (run: KeyRun.KeyRun) => Effect.asVoid(run.verify()),
            (run: KeyRun.KeyRun) => Effect.asVoid(run.find(keyOf(200)))
          ]) {
            const error = yield* Effect.flip(Effect.scoped(Effect.flatMap(KeyRun.open("/a.bin", expected), look)))
            assert.strictEqual(error._tag, "KeyRunCorrupt")
          }
        }
        yield* replaceFile("/a.bin", bytes)
        const sound = yield* KeyRun.open("/a.bin", expected)
        assert.deepStrictEqual(yield* sound.find(keyOf(200)), [1001])
      })
    )
  )

  it.effect("KeyRun.open holds the count against the size before it allocates for it", () =>
    onDisk(
      Effect.gen(function* () {
        const huge = runBytes(smallRows)
        huge.fill(0xff, 0, 7)
        yield* replaceFile("/a.bin", huge)
        assert.propertyVal(yield* Effect.flip(KeyRun.open("/a.bin")), "part", "size")
        const expected = { keyCount: 11, checksum: 0 }
        yield* replaceFile("/a.bin", runBytes(smallRows))
        assert.propertyVal(yield* Effect.flip(KeyRun.open("/a.bin", expected)), "part", "count")
      })
    )
  )

  it.effect("KeyRun.write fails with the first error and leaves nothing behind", () =>
    Effect.gen(function* () {
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "writing a run",
        scenario: KeyRun.write("/a.bin", runBytes(smallRows)),
        check: (outcome, fault) =>
          Effect.gen(function* () {
            assert.strictEqual(Exit.isSuccess(outcome), fault === undefined)
            const names = (yield* (yield* Disk).list("/")).map(({ name }) => name)
            if (Exit.isSuccess(outcome)) assert.deepStrictEqual(yield* readFile("/a.bin"), runBytes(smallRows))
            else if (fault!.count === 1) assert.deepStrictEqual(names, [])
          })
      })
      console.log(report.summary)
      assert.isAtLeast(report.runCount, 10)
    })
  )

  it.effect("KeyRun fails with the disk's error or gives the right offsets", () =>
    Effect.gen(function* () {
      const bytes = runBytes(smallRows)
      const expected = { keyCount: 12, checksum: Crc32c.checksum(bytes) }
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "searching a run",
        prepare: KeyRun.write("/a.bin", bytes),
        scenario: Effect.scoped(Effect.flatMap(KeyRun.open("/a.bin", expected), (run) => run.find(keyOf(9)))),
        check: (outcome, fault) =>
          Effect.sync(() => {
            assert.strictEqual(Exit.isSuccess(outcome), fault === undefined)
            if (Exit.isSuccess(outcome)) assert.deepStrictEqual(outcome.value, [1003, 1004])
          })
      })
      assert.isAtLeast(report.runCount, 10)
    })
  )
})
