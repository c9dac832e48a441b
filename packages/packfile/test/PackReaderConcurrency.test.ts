/** What holds when a reader decodes several records at once. */
import { assert, describe, it } from "@effect/vitest"
import { Zstd, ZstdLive } from "@icecore/codec"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { ByteSource, PackReader, RecordEncoding } from "../src/index.ts"
import { LiveDisk } from "../src/live/index.ts"
import { packBytes } from "./PackBytes.ts"

const live = Layer.merge(ZstdLive.layer, LiveDisk.layer)
const itemsPerRecord = 2
const items: ReadonlyArray<Uint8Array> = Array.from({ length: 20 }, (_, at) => Uint8Array.of(at))

type Decode = RecordEncoding.RecordEncoding["decode"]

/** A pack of ten records, stored as they are, whose records are decoded with `decode`. */
const readerWith = (decode: Decode) =>
  Effect.gen(function* () {
    const encoding = {
      name: "test",
      encode: (payload: Uint8Array) => Effect.succeed(payload),
      decode,
      release: Effect.void
    }
    const bytes = yield* packBytes(items, { itemsPerRecord, encoding, contentHash: true })
    return yield* PackReader.open(ByteSource.fromBytes(bytes), { encoding })
  })

const recordOf = (stored: Uint8Array): number => stored[0]! / itemsPerRecord

describe("PackReader decoding several records at once", () => {
  it.effect("PackReader.range gives the items before the first damaged record, though a later one fails sooner", () =>
    Effect.gen(function* () {
      const fourthFailed = yield* Deferred.make<void>()
      const failed = (record: number) => Effect.fail(new RecordEncoding.RecordDecodeFailed({ detail: `bad ${record}` }))
      const reader = yield* readerWith((stored) => {
        const record = recordOf(stored)
        if (record === 1) return Effect.as(Deferred.await(fourthFailed), stored)
        if (record === 2) return Effect.andThen(Deferred.await(fourthFailed), failed(2))
        if (record === 4) return Effect.andThen(Deferred.succeed(fourthFailed, undefined), failed(4))
        return Effect.succeed(stored)
      })
      const given: Array<number> = []
      const reading = Stream.runForEach(reader.range(0, 20), (item) => Effect.sync(() => given.push(item[0]!)))
      const error = yield* Effect.flip(reading)
      assert(error._tag === "PackCorrupt")
      assert.deepStrictEqual([error.recordIndex, error.detail], [2, "bad 2"])
      assert.deepStrictEqual(given, [0, 1, 2, 3])
    }).pipe(Effect.provide(live))
  )

  it.effect("PackReader.verify names the first damaged record, though a later one fails sooner", () =>
    Effect.gen(function* () {
      const reader = yield* readerWith((stored) => {
        const failed = Effect.fail(new RecordEncoding.RecordDecodeFailed({ detail: "bad" }))
        if (recordOf(stored) === 1) return Effect.andThen(Effect.yieldNow, failed)
        return recordOf(stored) === 7 ? failed : Effect.succeed(stored)
      })
      const error = yield* Effect.flip(reader.verify())
      assert(error._tag === "PackCorrupt")
      assert.strictEqual(error.recordIndex, 1)
    }).pipe(Effect.provide(live))
  )

  it.effect(
    "PackReader begins to decode records in their order, each once, and says which are decoded with others",
    () =>
      Effect.gen(function* () {
        const begun: Array<number> = []
        const concurrent: Array<number> = []
        const reader = yield* readerWith((stored, bound) => {
          begun.push(recordOf(stored))
          if (bound.isConcurrent === true) concurrent.push(recordOf(stored))
          return Effect.as(Effect.yieldNow, stored)
        })
        const expected: ReadonlyArray<readonly [number, ReadonlyArray<number>]> = [
          [1, []],
          [2, [0, 1, 2, 3, 4]],
          [5, [0, 1, 2, 3, 4, 5, 6, 7]]
        ]
        for (const [concurrency, together] of expected) {
          const readings = [
            reader.verify({ concurrency }),
            Stream.runDrain(reader.range(0, 20, { concurrency })),
            Stream.runDrain(reader.readMany(Array.from(items.keys()), { concurrency }))
          ]
          for (const reading of readings) {
            begun.length = 0
            concurrent.length = 0
            yield* Effect.mapError(reading, (error: { readonly message: string }) => error.message)
            assert.deepStrictEqual(begun, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
            assert.deepStrictEqual(concurrent, together)
          }
        }
      }).pipe(Effect.provide(live))
  )

  it.effect("PackReader.range leaves nothing running when it is left early or interrupted", () =>
    Effect.gen(function* () {
      let running = 0
      let begun = 0
      const counted = <A>(effect: Effect.Effect<A>): Effect.Effect<A> =>
        Effect.suspend(() => {
          running++
          begun++
          return Effect.ensuring(
            effect,
            Effect.sync(() => {
              running--
            })
          )
        })
      const yielding = yield* readerWith((stored) => counted(Effect.as(Effect.yieldNow, stored)))
      assert.strictEqual((yield* Stream.runHead(yielding.range(0, 20)))._tag, "Some")
      assert.deepStrictEqual([running, begun], [0, 10])

      const lastBegan = yield* Deferred.make<void>()
      const endless = yield* readerWith((stored) =>
        counted(
          Effect.andThen(recordOf(stored) === 9 ? Deferred.succeed(lastBegan, undefined) : Effect.void, Effect.never)
        )
      )
      const reading = yield* Effect.forkChild(Stream.runDrain(endless.range(0, 20)))
      yield* Deferred.await(lastBegan)
      assert.strictEqual(running, 10)
      yield* Fiber.interrupt(reading)
      assert.strictEqual(running, 0)
    }).pipe(Effect.provide(live))
  )

  it.effect("PackReader gives the same items from records of any size, whichever of them the pool decodes", () =>
    Effect.gen(function* () {
      const encoding = RecordEncoding.zstd(yield* Zstd)
      const large = Array.from({ length: 90 }, (_, at) => new Uint8Array((at % 7) * 9_000).fill(at))
      const bytes = yield* packBytes(large, { itemsPerRecord: 4, encoding, contentHash: true })
      const reader = yield* PackReader.open(ByteSource.fromBytes(bytes), { encoding })
      for (const concurrency of [1, 2, 3, 8]) {
        yield* reader.verify({ concurrency })
        assert.deepStrictEqual(
          (yield* Stream.runCollect(reader.range(1, 88, { concurrency }))).map((item) => [item.length, item[0]]),
          large.slice(1, 89).map((item) => [item.length, item[0]])
        )
      }
    }).pipe(Effect.provide(live))
  )

  it.effect("PackReader.read and readMany give each item a buffer of its own, though decoders give a Buffer", () =>
    Effect.gen(function* () {
      const encoding = RecordEncoding.zstd(yield* Zstd)
      const long = Array.from({ length: 16 }, (_, at) => new Uint8Array(5_000).fill(at))
      const bytes = yield* packBytes(long, { itemsPerRecord: 8, encoding })
      const reader = yield* PackReader.open(ByteSource.fromBytes(bytes), { encoding })
      const given = [yield* reader.read(3), ...(yield* Stream.runCollect(reader.readMany([4, 5, 12])))]
      assert.deepStrictEqual(
        given.map((item) => item.buffer.byteLength),
        [5_000, 5_000, 5_000, 5_000]
      )
    }).pipe(Effect.provide(live))
  )
})

describe("ByteSource", () => {
  it.effect("ByteSource.fromBytes gives a buffer of the caller's own, though its bytes are a Buffer", () =>
    Effect.gen(function* () {
      const bytes = Buffer.from([1, 2, 3])
      const read = yield* ByteSource.fromBytes(bytes).read(0, 2)
      read[0] = 9
      assert.deepStrictEqual([...bytes], [1, 2, 3])
    })
  )
})
