import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Zstd, ZstdLive } from "@icecore/codec"
import { Deferred, Effect, Exit, Fiber, Layer, Option, References, Stream } from "effect"
import * as fc from "fast-check"
import {
  ByteSource,
  Disk,
  DiskFailed,
  DiskFull,
  type File,
  PackReader,
  PackWriter,
  RecordEncoding
} from "../src/index.ts"
import { LiveDisk } from "../src/live/index.ts"
import { temporaryDirectory } from "./Fixtures.ts"

const live = Layer.merge(ZstdLive.layer, LiveDisk.layer)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const three = [bytesOf("one"), bytesOf(""), bytesOf("three")]

const temporaryPath = Effect.map(temporaryDirectory, (directory) => `${directory}/1.pack`)

const readBack = (path: string, encoding?: RecordEncoding.RecordEncoding) =>
  Effect.gen(function* () {
    const reader = yield* PackReader.open(yield* ByteSource.fromFile(path), encoding === undefined ? {} : { encoding })
    yield* reader.verify()
    return { reader, items: yield* Stream.runCollect(reader.range(0, reader.itemCount)) }
  })

/** The live disk with some operations of its files replaced. */
const withFile = (change: (file: File) => Partial<File>) =>
  Layer.effect(
    Disk,
    Effect.map(Disk, (disk) => ({
      ...disk,
      open: (path: string, mode: Parameters<Disk["open"]>[1]) =>
        Effect.map(disk.open(path, mode), (file) => ({ ...file, ...change(file) }))
    }))
  ).pipe(Layer.provideMerge(live))

describe("PackWriter", () => {
  it.effect("PackWriter round trips any items in any records, with any encoding and concurrency", () =>
    Effect.gen(function* () {
      const zstd = RecordEncoding.zstd(yield* Zstd)
      const context = yield* Effect.context<Disk | Zstd>()
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 60 }),
            fc.record({
              itemsPerRecord: fc.integer({ min: 1, max: 20 }),
              format: fc.nat(0xffff_ffff),
              contentHash: fc.boolean(),
              concurrency: fc.integer({ min: 1, max: 4 }),
              bytesPerSync: fc.constantFrom(0, 64, 8 * 1024 * 1024)
            }),
            fc.boolean(),
            fc.uint8Array({ maxLength: 50 }),
            (items, options, isEncoded, appData) =>
              Effect.gen(function* () {
                const path = yield* temporaryPath
                const encoding = isEncoded ? zstd : undefined
                const writer = yield* PackWriter.make(path, { ...options, ...(isEncoded ? { encoding: zstd } : {}) })
                yield* writer.appendAll(items.slice(0, 7))
                for (const item of items.slice(7)) yield* writer.append(item)
                const summary = yield* writer.finish(appData)
                const { reader, items: back } = yield* readBack(path, encoding)
                assert.deepStrictEqual(
                  back.map((item) => [...item]),
                  items.map((item) => [...item])
                )
                assert.deepStrictEqual([...reader.appData], [...appData])
                assert.strictEqual(reader.trailer.format, options.format)
                assert.strictEqual(summary.byteLength, statSync(path).size)
                assert.strictEqual(summary.itemCount, items.length)
                assert.strictEqual(summary.recordCount, Math.ceil(items.length / options.itemsPerRecord))
                assert.deepStrictEqual(summary.contentHash, reader.contentHash)
                assert.strictEqual(Option.isSome(summary.contentHash), options.contentHash)
              }).pipe(Effect.scoped, Effect.runPromiseWith(context))
          ),
          { numRuns: 100 }
        )
      )
    }).pipe(Effect.provide(live))
  )

  it.effect(
    "PackWriter copies an item before append returns, and writes records in order whatever their encoding takes",
    () =>
      Effect.gen(function* () {
        const path = yield* temporaryPath
        const first = yield* Deferred.make<void>()
        const slowFirst: RecordEncoding.RecordEncoding = {
          name: "verbatim",
          encode: (payload) =>
            Effect.as(payload[0] === 0 ? Deferred.await(first) : Deferred.succeed(first, undefined), payload.slice()),
          decode: (stored) => Effect.succeed(stored),
          release: Effect.void
        }
        const writer = yield* PackWriter.make(path, { itemsPerRecord: 1, encoding: slowFirst, concurrency: 2 })
        const buffer = new Uint8Array(1)
        for (let value = 0; value < 50; value++) {
          buffer[0] = value
          yield* writer.append(buffer)
        }
        yield* writer.finish()
        const { items } = yield* readBack(path, slowFirst)
        assert.deepStrictEqual(
          items.map((item) => item[0]),
          Array.from({ length: 50 }, (_, value) => value)
        )
      }).pipe(Effect.provide(live))
  )

  it.effect(
    "PackWriter has at most twice its concurrency of records in flight, and releases the encoding at the end",
    () =>
      Effect.gen(function* () {
        const path = yield* temporaryPath
        const gate = yield* Deferred.make<void>()
        let started = 0
        let released = 0
        const encoding: RecordEncoding.RecordEncoding = {
          name: "gated",
          encode: (payload) =>
            Effect.suspend(() => {
              started++
              return Effect.as(Deferred.await(gate), payload.slice())
            }),
          decode: (stored) => Effect.succeed(stored),
          release: Effect.sync(() => {
            released++
          })
        }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const writer = yield* PackWriter.make(path, { itemsPerRecord: 1, encoding, concurrency: 3 })
            const appending = yield* Effect.forkChild(writer.appendAll(Array.from({ length: 20 }, () => bytesOf("x"))))
            for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
            assert.strictEqual(started, 6)
            yield* Deferred.succeed(gate, undefined)
            yield* Fiber.join(appending)
            yield* writer.finish()
            assert.strictEqual(released, 0)
          })
        )
        assert.strictEqual(released, 1)
        assert.strictEqual(started, 20)
      }).pipe(Effect.provide(live))
  )

  it.effect("PackWriter.finish asks for app data once every record is encoded, in the order of the records", () =>
    Effect.gen(function* () {
      const path = yield* temporaryPath
      const begun: Array<number> = []
      let encodedCount = 0
      const encoding: RecordEncoding.RecordEncoding = {
        name: "counting",
        encode: (payload) =>
          Effect.suspend(() => {
            begun.push(payload[0]!)
            return Effect.as(Effect.yieldNow, payload.slice())
          }).pipe(Effect.tap(() => Effect.sync(() => encodedCount++))),
        decode: Effect.succeed,
        release: Effect.void
      }
      const writer = yield* PackWriter.make(path, { itemsPerRecord: 2, encoding, concurrency: 3 })
      yield* writer.appendAll(Array.from({ length: 9 }, (_, index) => Uint8Array.of(index)))
      yield* writer.finish(() => Uint8Array.of(encodedCount))
      const { reader } = yield* readBack(path, encoding)
      assert.deepStrictEqual([...reader.appData], [5])
      assert.deepStrictEqual(begun, [0, 2, 4, 6, 8])
    }).pipe(Effect.scoped, Effect.provide(live))
  )

  it.effect("PackWriter.finish closes it, and the file stays", () =>
    Effect.gen(function* () {
      const path = yield* temporaryPath
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* PackWriter.make(path)
          yield* writer.appendAll(three)
          yield* writer.finish()
          assert.strictEqual((yield* Effect.flip(writer.append(three[0]!)))._tag, "PackWriterClosed")
          assert.strictEqual((yield* Effect.flip(writer.appendAll(three)))._tag, "PackWriterClosed")
          assert.strictEqual((yield* Effect.flip(writer.finish()))._tag, "PackWriterClosed")
        })
      )
      assert.strictEqual((yield* readBack(path)).items.length, 3)
    }).pipe(Effect.provide(live))
  )

  it.effect("PackWriter removes its file when the scope closes before finish", () =>
    Effect.gen(function* () {
      const path = yield* temporaryPath
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* PackWriter.make(path)
          yield* writer.appendAll(three)
          assert(existsSync(path))
        })
      )
      assert(!existsSync(path))
    }).pipe(Effect.provide(live))
  )

  it.effect("PackWriter.make refuses a path that exists and leaves the file alone", () =>
    Effect.gen(function* () {
      const path = yield* temporaryPath
      writeFileSync(path, "old")
      const error = yield* Effect.flip(Effect.scoped(PackWriter.make(path)))
      assert.strictEqual(error._tag, "DiskExists")
      assert.strictEqual(readFileSync(path, "utf8"), "old")
    }).pipe(Effect.provide(live))
  )

  it.effect("PackWriter with overwrite keeps the old file until the new one is whole", () =>
    Effect.gen(function* () {
      const path = yield* temporaryPath
      writeFileSync(path, "old")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* PackWriter.make(path, { overwrite: true })
          yield* writer.appendAll(three)
          assert(existsSync(path + PackWriter.partialSuffix))
        })
      )
      assert.strictEqual(readFileSync(path, "utf8"), "old")
      assert(!existsSync(path + PackWriter.partialSuffix))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* PackWriter.make(path, { overwrite: true })
          yield* writer.appendAll(three)
          assert.strictEqual(readFileSync(path, "utf8"), "old")
          yield* writer.finish()
        })
      )
      assert.strictEqual((yield* readBack(path)).items.length, 3)
      assert(!existsSync(path + PackWriter.partialSuffix))
    }).pipe(Effect.provide(live))
  )

  it.effect(
    "PackWriter keeps its first failure: a full disk is what every later call fails with, and the file is gone",
    () =>
      Effect.gen(function* () {
        const path = yield* temporaryPath
        yield* Effect.scoped(
          Effect.gen(function* () {
            const writer = yield* PackWriter.make(path, { itemsPerRecord: 1 })
            const big = new Uint8Array(700_000)
            const appended = yield* Effect.exit(writer.appendAll(Array.from({ length: 10 }, () => big)))
            assert(Exit.isFailure(appended))
            for (const later of [writer.append(big), writer.appendAll([big]), writer.finish()]) {
              assert.strictEqual(
                (yield* Effect.flip(Effect.asVoid<unknown, { readonly _tag: string }, never>(later)))._tag,
                "DiskFull"
              )
            }
          })
        )
        assert(!existsSync(path))
      }).pipe(
        Effect.provide(
          withFile(({ path, writeAt }) => ({
            writeAt: (bytes, offset) =>
              offset > 1_000_000
                ? Effect.fail(new DiskFull({ operation: "write", path, code: "ENOSPC" }))
                : writeAt(bytes, offset)
          }))
        )
      )
  )

  it.effect("PackWriter.finish fails when the sync does, for good", () =>
    Effect.gen(function* () {
      const path = yield* temporaryPath
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* PackWriter.make(path)
          yield* writer.appendAll(three)
          assert.strictEqual((yield* Effect.flip(writer.finish()))._tag, "DiskFailed")
          assert.strictEqual((yield* Effect.flip(writer.finish()))._tag, "DiskFailed")
          assert.strictEqual((yield* Effect.flip(writer.append(three[0]!)))._tag, "DiskFailed")
        })
      )
      assert(!existsSync(path))
    }).pipe(
      Effect.provide(
        withFile(({ path }) => ({
          sync: Effect.fail(new DiskFailed({ operation: "sync", path, code: "EIO", detail: "input/output error" }))
        }))
      )
    )
  )

  it.effect("PackWriter fails with the item whose extract throws, and with the record whose encoding fails", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const writer = yield* PackWriter.make(`${directory}/1.pack`, {
        itemsPerRecord: 2,
        contentHash: true,
        contentHashExtract: (item) => {
          if (item.length === 0) throw new Error("empty")
          return item
        }
      })
      const error = yield* Effect.flip(writer.appendAll([...three, ...three]))
      assert.strictEqual(error._tag, "PackExtractFailed")
      assert.strictEqual("position" in error ? error.position : -1, 1)
      assert.strictEqual((yield* Effect.flip(writer.finish()))._tag, "PackExtractFailed")

      const failing = yield* PackWriter.make(`${directory}/2.pack`, {
        itemsPerRecord: 1,
        concurrency: 1,
        encoding: {
          name: "failing",
          encode: (payload) =>
            payload.length === 0
              ? Effect.fail(new RecordEncoding.RecordEncodeFailed({ detail: "empty" }))
              : Effect.succeed(payload),
          decode: (stored) => Effect.succeed(stored),
          release: Effect.void
        }
      })
      const encodeError = yield* Effect.flip(Effect.andThen(failing.appendAll(three), failing.finish()))
      assert.strictEqual(encodeError._tag, "PackEncodeFailed")
      assert.strictEqual("recordIndex" in encodeError ? encodeError.recordIndex : -1, 1)
    }).pipe(Effect.provide(live))
  )

  it.effect("PackWriter refuses an item of 4 GiB, app data of 4 GiB, and options out of bounds", () =>
    Effect.gen(function* () {
      const path = yield* temporaryPath
      const huge = { length: 2 ** 32 } as Uint8Array
      const writer = yield* PackWriter.make(path)
      assert.strictEqual((yield* Effect.flip(writer.append(huge)))._tag, "PackLimitExceeded")
      assert.strictEqual((yield* Effect.flip(writer.finish(huge)))._tag, "PackLimitExceeded")
      yield* writer.appendAll(three)
      yield* writer.finish()
      assert.strictEqual((yield* readBack(path)).items.length, 3)
      for (const options of [
        { itemsPerRecord: 0 },
        { itemsPerRecord: 2 ** 32 },
        { format: -1 },
        { concurrency: 0 },
        { bytesPerSync: 0.5 }
      ]) {
        const error = yield* Effect.flip(PackWriter.make(`${path}2`, options))
        assert.strictEqual(error._tag, "PackOptionInvalid")
      }
      assert(!existsSync(`${path}2`))
    }).pipe(Effect.provide(live))
  )

  it.effect.each([3, 4, 5, 6, 7, 8])(
    "PackWriter never puts an item too many into a record, though fibers that append yield every %i operations",
    (operations) =>
      Effect.gen(function* () {
        const encoding = RecordEncoding.zstd(yield* Zstd)
        const path = yield* temporaryPath
        const writer = yield* PackWriter.make(path, { itemsPerRecord: 5, encoding, concurrency: 2 })
        yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.repeat(writer.append(three[2]!), { times: 99 }), {
          concurrency: "unbounded"
        }).pipe(Effect.provideService(References.MaxOpsBeforeYield, operations))
        const { itemCount, recordCount } = yield* writer.finish()
        assert.deepStrictEqual([itemCount, recordCount], [800, 160])
        assert.strictEqual((yield* readBack(path, encoding)).items.length, itemCount)
      }).pipe(Effect.provide(live))
  )

  it.effect("PackWriter takes appends of several fibers at once and loses none", () =>
    Effect.gen(function* () {
      const path = yield* temporaryPath
      const encoding = RecordEncoding.zstd(yield* Zstd)
      const writer = yield* PackWriter.make(path, { itemsPerRecord: 3, encoding, concurrency: 2, contentHash: true })
      yield* Effect.forEach(
        Array.from({ length: 8 }, (_, fiber) => fiber),
        (fiber) =>
          Effect.forEach(
            Array.from({ length: 200 }, (_, at) => at),
            (at) => writer.append(bytesOf(`${fiber}:${at}`))
          ),
        { concurrency: "unbounded" }
      )
      yield* writer.finish()
      const { items } = yield* readBack(path, encoding)
      const texts = items.map((item) => new TextDecoder().decode(item))
      assert.strictEqual(new Set(texts).size, 1600)
      for (let fiber = 0; fiber < 8; fiber++) {
        const own = texts.filter((text) => text.startsWith(`${fiber}:`))
        assert.deepStrictEqual(
          own,
          Array.from({ length: 200 }, (_, at) => `${fiber}:${at}`)
        )
      }
    }).pipe(Effect.provide(live))
  )

  it.effect("PackWriter.makeWithin writes packs one behind the other into a file that is left to its owner", () =>
    Effect.gen(function* () {
      const disk = yield* Disk
      const path = yield* temporaryPath
      let syncCount = 0
      const encoding = RecordEncoding.zstd(yield* Zstd)
      const options = { encoding, contentHash: true, itemsPerRecord: 2, bytesPerSync: 1 }
      const head = bytesOf("head")
      const places: Array<{ readonly offsetBytes: number; readonly sizeBytes: number }> = []
      yield* Effect.scoped(
        Effect.gen(function* () {
          const opened = yield* disk.open(path, "create")
          const file: File = { ...opened, sync: Effect.sync(() => void syncCount++) }
          yield* file.writeAt(head, 0)
          let offsetBytes = head.length
          for (const items of [three, [], [bytesOf("four")]]) {
            const writer = yield* PackWriter.makeWithin({ file, offsetBytes }, options)
            yield* writer.appendAll(items)
            const { byteLength } = yield* writer.finish()
            places.push({ offsetBytes, sizeBytes: byteLength })
            offsetBytes += byteLength
          }
          yield* PackWriter.makeWithin({ file, offsetBytes }, options)
        })
      )
      assert.strictEqual(syncCount, 0)
      assert.deepStrictEqual(new Uint8Array(readFileSync(path).subarray(0, head.length)), head)
      const source = yield* ByteSource.fromFile(path)
      const read = (at: number) =>
        Effect.gen(function* () {
          const { offsetBytes, sizeBytes } = places[at]!
          const reader = yield* PackReader.open(ByteSource.slice(source, offsetBytes, sizeBytes), { encoding })
          yield* reader.verify()
          return yield* Stream.runCollect(reader.range(0, reader.itemCount))
        })
      assert.deepStrictEqual([yield* read(0), yield* read(1), yield* read(2)], [three, [], [bytesOf("four")]])
      assert.strictEqual(source.sizeBytes, places[2]!.offsetBytes + places[2]!.sizeBytes)
    }).pipe(Effect.provide(live))
  )
})
