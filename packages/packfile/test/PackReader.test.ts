import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Crc32c, Zstd, ZstdLive } from "@icecore/codec"
import { Effect, Layer, Option, Stream } from "effect"
import * as fc from "fast-check"
import * as OffsetIndex from "../src/format/OffsetIndex.ts"
import * as Trailer from "../src/format/Trailer.ts"
import { ByteSource, PackReader, RecordEncoding } from "../src/index.ts"
import { LiveDisk } from "../src/live/index.ts"
import { hasVectors, missingVectors, randomNumbers, temporaryDirectory, vectors } from "./Fixtures.ts"
import { packBytes } from "./PackBytes.ts"

const live = Layer.merge(ZstdLive.layer, LiveDisk.layer)
const numbered = (count: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: count }, (_, at) => new TextEncoder().encode(`item ${at}${".".repeat(at % 50)}`))

const indexBytes = (sizes: ReadonlyArray<number>): Uint8Array => {
  const builder = OffsetIndex.makeBuilder()
  for (const size of sizes) OffsetIndex.append(builder, size)
  return OffsetIndex.finish(builder)
}

describe("PackReader", () => {
  it.effect("PackReader.readMany gives the items of ascending positions in order, whatever they skip", () =>
    Effect.gen(function* () {
      const items = numbered(500)
      const encoding = RecordEncoding.zstd(yield* Zstd)
      const bytes = yield* packBytes(items, { itemsPerRecord: 7, encoding })
      const reader = yield* PackReader.open(ByteSource.fromBytes(bytes), { encoding })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(fc.uniqueArray(fc.nat(499)), fc.integer({ min: 1, max: 5 }), (unsorted, concurrency) =>
            Effect.runPromise(
              Effect.gen(function* () {
                const positions = unsorted.toSorted((a, b) => a - b)
                const read = yield* Stream.runCollect(reader.readMany(positions, { concurrency }))
                assert.deepStrictEqual(
                  read.map((item) => [...item]),
                  positions.map((at) => [...items[at]!])
                )
              })
            )
          ),
          { numRuns: 50 }
        )
      )
    }).pipe(Effect.provide(live))
  )

  it.effect(
    "PackReader.readMany reads the positions it was given, though the list changes before the stream runs",
    () =>
      Effect.gen(function* () {
        const items = numbered(9)
        const reader = yield* PackReader.open(ByteSource.fromBytes(yield* packBytes(items, { itemsPerRecord: 2 })))
        const positions = [1, 4, 8]
        const stream = reader.readMany(positions)
        positions.splice(0, 2, 4_000_000_000)
        assert.deepStrictEqual(yield* Stream.runCollect(stream), [items[1]!, items[4]!, items[8]!])
      }).pipe(Effect.provide(live))
  )

  it.effect("PackReader does not hang on 2^32 - 1 items that a few bytes claim to hold", () =>
    Effect.gen(function* () {
      const totalItems = 0xffff_ffff
      const index = indexBytes([4])
      const trailer = Trailer.encode({
        format: 0,
        recordCount: 1,
        totalItems,
        itemsPerRecord: totalItems,
        indexSizeBytes: index.length,
        appDataSizeBytes: 0,
        contentHash: undefined
      })
      const source = ByteSource.fromBytes(new Uint8Array([...new Uint8Array(4), ...index, ...trailer]))
      const reader = yield* PackReader.open(source)
      const started = performance.now()
      for (const reading of [reader.verify(), Stream.runDrain(reader.range(0, totalItems))]) {
        assert.strictEqual(
          (yield* Effect.flip<void, { readonly _tag: string }, never>(reading))._tag,
          "PackLimitExceeded"
        )
      }
      assert.isBelow(performance.now() - started, 1_000)
    })
  )

  it.effect("PackReader.range gives any part, and may be left early", () =>
    Effect.gen(function* () {
      const items = numbered(300)
      const reader = yield* PackReader.open(ByteSource.fromBytes(yield* packBytes(items, { itemsPerRecord: 13 })))
      for (const [start, count] of [
        [0, 300],
        [299, 1],
        [13, 13],
        [5, 200],
        [300, 0],
        [0, 0]
      ] as const) {
        const read = yield* Stream.runCollect(reader.range(start, count))
        assert.deepStrictEqual(
          read.map((item) => [...item]),
          items.slice(start, start + count).map((item) => [...item])
        )
      }
      assert.strictEqual((yield* Stream.runCollect(Stream.take(reader.range(0, 300), 3))).length, 3)
    }).pipe(Effect.provide(live))
  )

  it.effect("PackReader reads neighbours together and one item with one read", () =>
    Effect.gen(function* () {
      const source = ByteSource.fromBytes(yield* packBytes(numbered(300), { itemsPerRecord: 10 }))
      const reads: Array<number> = []
      const counted: ByteSource.ByteSource = {
        ...source,
        read: (offset, length) => {
          reads.push(length)
          return source.read(offset, length)
        }
      }
      const reader = yield* PackReader.open(counted)
      assert.strictEqual(reads.length, 1)
      yield* reader.read(17)
      assert.strictEqual(reads.length, 2)
      yield* Stream.runDrain(reader.range(0, 300))
      assert.strictEqual(reads.length, 3)
      yield* Stream.runDrain(reader.readMany([1, 15, 200, 299]))
      assert.strictEqual(reads.length, 6)
    }).pipe(Effect.provide(live))
  )

  it.effect("PackReader.open takes one more read when index and app data are larger than the first", () =>
    Effect.gen(function* () {
      const appData = new Uint8Array(400_000).fill(7)
      const source = ByteSource.fromBytes(yield* packBytes(numbered(10), {}, appData))
      let reads = 0
      const read: ByteSource.ByteSource["read"] = (offset, length) =>
        Effect.suspend(() => {
          reads++
          return source.read(offset, length)
        })
      const reader = yield* PackReader.open({ ...source, read })
      assert.strictEqual(reads, 2)
      assert.deepStrictEqual(reader.appData, appData)
      const refused = yield* Effect.flip(PackReader.open(source, { maxAppDataSizeBytes: 399_999 }))
      assert.strictEqual(refused._tag, "PackLimitExceeded")
      const refusedIndex = yield* Effect.flip(PackReader.open(source, { maxIndexSizeBytes: 9 }))
      assert.strictEqual(refusedIndex._tag, "PackLimitExceeded")
    }).pipe(Effect.provide(live))
  )

  it.effect("PackReader refuses positions that are out of range or unsorted, each by its own error", () =>
    Effect.gen(function* () {
      const reader = yield* PackReader.open(ByteSource.fromBytes(yield* packBytes(numbered(10), {})))
      for (const position of [-1, 10, 0.5, Number.NaN, 2 ** 32]) {
        assert.strictEqual((yield* Effect.flip(reader.read(position)))._tag, "PackPositionOutOfRange")
        assert.strictEqual(
          (yield* Effect.flip(Stream.runDrain(reader.readMany([position]))))._tag,
          "PackPositionOutOfRange"
        )
      }
      for (const positions of [
        [3, 3],
        [4, 2]
      ]) {
        assert.strictEqual(
          (yield* Effect.flip(Stream.runDrain(reader.readMany(positions))))._tag,
          "PackPositionsUnsorted"
        )
      }
      for (const [start, count] of [
        [11, 0],
        [10, 1],
        [0, 11],
        [5, -1],
        [-1, 2],
        [0, 0.5]
      ] as const) {
        assert.strictEqual(
          (yield* Effect.flip(Stream.runDrain(reader.range(start, count))))._tag,
          "PackPositionOutOfRange"
        )
      }
      assert.strictEqual((yield* Effect.flip(reader.verify({ concurrency: 0 })))._tag, "PackOptionInvalid")
    }).pipe(Effect.provide(live))
  )

  it.effect("PackReader refuses a record over its cap, whether items sum to it or a frame declares it", () =>
    Effect.gen(function* () {
      const encoding = RecordEncoding.zstd(yield* Zstd)
      const zeros = [new Uint8Array(100_000), new Uint8Array(100_000)]
      for (const itemsPerRecord of [1, 2]) {
        for (const options of [{ encoding }, {}]) {
          const bytes = yield* packBytes(zeros, { itemsPerRecord, ...options })
          const source = ByteSource.fromBytes(bytes)
          const sizeBytes = itemsPerRecord * 100_000
          const refusing = yield* PackReader.open(source, { ...options, maxRecordSizeBytes: sizeBytes - 1 })
          assert.strictEqual((yield* Effect.flip(refusing.read(1)))._tag, "PackLimitExceeded")
          const taking = yield* PackReader.open(source, { ...options, maxRecordSizeBytes: sizeBytes })
          assert.strictEqual((yield* taking.read(1)).length, 100_000)
        }
      }
    }).pipe(Effect.provide(live))
  )

  it.effect(
    "PackReader does not decode a record whose items sum to more than its cap, nor believe an encoding's length",
    () =>
      Effect.gen(function* () {
        let decodes = 0
        const short: RecordEncoding.RecordEncoding = {
          name: "short",
          encode: (payload) => Effect.succeed(payload),
          decode: (stored) =>
            Effect.sync(() => {
              decodes++
              return stored.subarray(1)
            }),
          release: Effect.void
        }
        const source = ByteSource.fromBytes(yield* packBytes(numbered(2), { itemsPerRecord: 2 }))
        const capped = yield* PackReader.open(source, { encoding: short, maxRecordSizeBytes: 12 })
        assert.strictEqual((yield* Effect.flip(capped.read(0)))._tag, "PackLimitExceeded")
        assert.strictEqual(decodes, 0)
        const open = yield* PackReader.open(source, { encoding: short })
        assert.strictEqual((yield* Effect.flip(open.read(0)))._tag, "PackCorrupt")
        assert.strictEqual(decodes, 1)
      }).pipe(Effect.provide(live))
  )

  it.effect("PackReader reads every record but the damaged one, and verify names it with its place", () =>
    Effect.gen(function* () {
      const items = numbered(100)
      const encoding = RecordEncoding.zstd(yield* Zstd)
      const bytes = yield* packBytes(items, { itemsPerRecord: 10, encoding, contentHash: true })
      const sound = yield* PackReader.open(ByteSource.fromBytes(bytes.slice()), { encoding })
      const location = Option.getOrThrow(sound.record(4))
      bytes[location.offsetBytes + 20]! ^= 1
      const reader = yield* PackReader.open(ByteSource.fromBytes(bytes, "x.pack"), { encoding })
      for (let position = 0; position < 100; position++) {
        if (position >= 40 && position < 50) {
          assert.strictEqual((yield* Effect.flip(reader.read(position)))._tag, "PackCorrupt")
        } else {
          assert.deepStrictEqual([...(yield* reader.read(position))], [...items[position]!])
        }
      }
      const error = yield* Effect.flip(reader.verify())
      assert(error._tag === "PackCorrupt")
      assert.strictEqual(error.recordIndex, 4)
      assert.strictEqual(error.offsetBytes, location.offsetBytes)
      const given: Array<Uint8Array> = []
      yield* Effect.flip(Stream.runForEach(reader.range(0, 100), (item) => Effect.sync(() => given.push(item))))
      assert.strictEqual(given.length, 40)
    }).pipe(Effect.provide(live))
  )

  it.effect("PackReader reads records beyond 4 GiB of a sparse file", () =>
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/sparse.pack`
      // Two records of nearly 4 GiB that are holes, then two small ones.
      const sizes = [0xffff_fff0, 0xffff_ff00, 5, 6]
      const indexBase = sizes.reduce((sum, size) => sum + size, 0)
      const index = indexBytes(sizes)
      const trailer = Trailer.encode({
        format: 1,
        recordCount: 4,
        totalItems: 4,
        itemsPerRecord: 1,
        indexSizeBytes: index.length,
        appDataSizeBytes: 0,
        contentHash: undefined
      })
      const descriptor = openSync(path, "w")
      ftruncateSync(descriptor, indexBase - 11)
      writeSync(descriptor, new TextEncoder().encode("alphaomega!"), 0, 11, indexBase - 11)
      writeSync(descriptor, index, 0, index.length, indexBase)
      writeSync(descriptor, trailer, 0, trailer.length, indexBase + index.length)
      closeSync(descriptor)
      const reader = yield* PackReader.open(yield* ByteSource.fromFile(path))
      assert.strictEqual(new TextDecoder().decode(yield* reader.read(2)), "alpha")
      assert.strictEqual(new TextDecoder().decode(yield* reader.read(3)), "omega!")
      assert.strictEqual(Option.getOrThrow(reader.record(3)).offsetBytes, indexBase - 6)
      assert.isAbove(indexBase, 2 ** 32)
      assert.strictEqual((yield* Effect.flip(reader.read(0)))._tag, "PackLimitExceeded")
      const last = yield* Stream.runCollect(reader.range(2, 2))
      assert.deepStrictEqual(
        last.map((item) => new TextDecoder().decode(item)),
        ["alpha", "omega!"]
      )
    }).pipe(Effect.provide(live))
  )
})

describe("Trailer", () => {
  it("Trailer.encode and decode keep the largest numbers that the format has", () => {
    const largest = {
      format: 0xffff_ffff,
      recordCount: 2 ** 31,
      totalItems: 0xffff_ffff,
      itemsPerRecord: 2,
      indexSizeBytes: 0xffff_ffff,
      appDataSizeBytes: 0xffff_ffff,
      contentHash: undefined
    }
    const decoded = Trailer.decode(Trailer.encode(largest), 2 ** 40)
    assert.deepStrictEqual(decoded, { ...largest, version: 1 })
    const one = { ...largest, recordCount: 0xffff_ffff, itemsPerRecord: 1 }
    assert.deepStrictEqual(Trailer.decode(Trailer.encode(one), 2 ** 40), { ...one, version: 1 })
    const tooLong = Trailer.decode(Trailer.encode(largest), 2 ** 33)
    assert("part" in tooLong)
    assert.strictEqual(tooLong.part, "size")
    const crowded = { ...one, recordCount: 129, totalItems: 129, indexSizeBytes: 15, appDataSizeBytes: 0 }
    const tooMany = Trailer.decode(Trailer.encode(crowded), 2 ** 33)
    assert("part" in tooMany)
    assert.strictEqual(tooMany.part, "trailer")
  })

  it("Trailer.encode gives the bytes of the worked example", () => {
    const bytes = Trailer.encode({
      format: 0,
      recordCount: 0,
      totalItems: 0,
      itemsPerRecord: 128,
      indexSizeBytes: 4,
      appDataSizeBytes: 0,
      contentHash: undefined
    })
    const hex = `534c434801000000${"00".repeat(12)}80000000800000000400000000000000${"00".repeat(36)}6fd39e3f`
    assert.strictEqual(Buffer.from(bytes).toString("hex"), hex)
  })
})

describe("OffsetIndex", () => {
  it("OffsetIndex.finish gives known bytes", () => {
    assert.strictEqual(Buffer.from(indexBytes([])).toString("hex"), "00000000")
    assert.strictEqual(Buffer.from(indexBytes([12])).toString("hex"), "00010c00000033415de2")
  })

  it.skipIf(!hasVectors)(
    `OffsetIndex gives and takes the golden bytes${hasVectors ? "" : ` (${missingVectors})`}`,
    () => {
      for (const { recordSizes, hex } of vectors().offsetIndexes) {
        const bytes = indexBytes(recordSizes)
        assert.strictEqual(Buffer.from(bytes).toString("hex"), hex)
        const indexBase = recordSizes.reduce((sum, size) => sum + size, 0)
        const index = OffsetIndex.decode(bytes, recordSizes.length, indexBase)
        assert(!("part" in index))
        let offset = 0
        for (const [record, size] of recordSizes.entries()) {
          assert.strictEqual(OffsetIndex.offsetOf(index, record), offset)
          assert.strictEqual(OffsetIndex.sizeOf(index, record), size)
          offset += size
        }
      }
    }
  )

  it("OffsetIndex.decode refuses sums, counts and checksums that do not fit", () => {
    const next = randomNumbers(1)
    const sizes = Array.from({ length: 300 }, () => next())
    const sum = sizes.reduce((total, size) => total + size, 0)
    const bytes = indexBytes(sizes)
    const partOf = (count: number, base: number, index: Uint8Array = bytes): string => {
      const result = OffsetIndex.decode(index, count, base)
      return "part" in result ? result.part : "none"
    }
    assert.strictEqual(partOf(300, sum), "none")
    assert.strictEqual(partOf(300, sum + 1), "index")
    assert.strictEqual(partOf(300, sum - 1), "index")
    assert.strictEqual(partOf(172, sum), "index")
    assert.strictEqual(partOf(301, sum), "index")
    assert.strictEqual(partOf(300, sum, bytes.with(3, bytes[3]! ^ 1)), "checksum")
    const longer = new Uint8Array([0, ...bytes])
    const end = longer.length - 4
    new DataView(longer.buffer).setUint32(end, Crc32c.update(0, longer, 0, end), true)
    assert.strictEqual(partOf(300, sum, longer), "index")
  })
})
