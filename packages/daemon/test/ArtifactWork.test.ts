import { assert, describe, it } from "@effect/vitest"
import { Zstd, ZstdLive } from "@icecore/codec"
import { Disk, KeyRun } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Fiber, Layer, Option, Result, Stream } from "effect"
import { ArtifactWork, type ChunkJob, layerInline } from "../src/ArtifactWork.ts"
import { Domain, keySizeBytes } from "../src/Domain.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as EntriesPack from "../src/EntriesPack.ts"
import type { Entry } from "../src/Entry.ts"
import * as SynchronousZstd from "../src/internal/work/SynchronousZstd.ts"
import * as KeyedDomain from "./support/KeyedDomain.ts"
import { chunkJob, contentOf, keyedEntries, keyedEntry, keyOptions, namesIn } from "./support/WorkHarness.ts"

const zstdLayer = Layer.provide(SynchronousZstd.layer, ZstdLive.layer)

const withWork = <A, E>(
  use: (work: ArtifactWork) => Effect.Effect<A, E, Disk | Zstd>,
  {
    domain = NdjsonDomain.make(),
    mapDisk = (disk: Disk) => disk,
    zstd = zstdLayer
  }: { readonly domain?: Domain; readonly mapDisk?: (disk: Disk) => Disk; readonly zstd?: Layer.Layer<Zstd> } = {}
) => {
  const simulated = SimulatedDisk.make(CrashRecorder.make()).disk
  const ports = Layer.mergeAll(Layer.succeed(Disk, mapDisk(simulated)), zstd, Layer.succeed(Domain, domain))
  const prepared = Effect.andThen(simulated.makeDirectory("/w"), Effect.flatMap(ArtifactWork, use))
  return Effect.provide(prepared, Layer.provideMerge(layerInline, ports))
}

const keyed = NdjsonDomain.make(keyOptions)
const twoMiB: number = 2 * 1024 * 1024

const openPack = ({ chunk, firstSeq, entryCount, entries }: ChunkJob) =>
  EntriesPack.openToVerify({ path: Option.getOrThrow(entries).path, chunk, firstSeq, entryCount })

/** Ten entries of 2 MiB, of which no eight fit into a record, one of them short. */
const largeEntries = (): ReadonlyArray<Entry> =>
  Array.from({ length: 10 }, (_, index) => ({
    seq: 130 + index,
    bytes: new Uint8Array(index === 4 ? 5 : twoMiB).fill(index)
  }))

describe("ArtifactWork", () => {
  it.effect("writeChunk writes the pack of a domain without keys as EntriesPack.write does", () =>
    withWork((work) =>
      Effect.gen(function* () {
        const job = chunkJob("/w", { entryCount: 300 })
        const written = yield* work.writeChunk(job, keyedEntries(130, 300))
        yield* EntriesPack.write({ ...job, path: "/w/plain", itemsPerRecord: 128, entries: keyedEntries(130, 300) })
        assert.deepStrictEqual(yield* contentOf("/w/3.pack"), yield* contentOf("/w/plain"))
        let contentSizeBytes = 0
        for (let seq = 130; seq < 430; seq++) contentSizeBytes += keyedEntry(seq).bytes.length
        assert.deepStrictEqual(written, {
          entries: Option.some({ itemsPerRecord: 128, contentSizeBytes }),
          keys: Option.none()
        })
        const format = yield* Effect.scoped(Effect.map(openPack(job), ({ reader }) => reader.trailer.format))
        assert.strictEqual(format, 1)
      })
    )
  )

  it.effect("writeChunk writes the run of the keys in the same pass, and the pack says what it is", () =>
    withWork(
      (work) =>
        Effect.gen(function* () {
          const job = chunkJob("/w", { entryCount: 30, hasKeys: true })
          let runs = 0
          const entries = Stream.suspend(() => {
            runs++
            return keyedEntries(130, 30)
          })
          const { keys } = yield* work.writeChunk(job, entries)
          assert.strictEqual(runs, 1)
          const summary = Option.getOrThrow(keys)
          assert.strictEqual(summary.keyCount, 60)
          const { offsets, run } = yield* Effect.scoped(
            Effect.gen(function* () {
              const opened = yield* KeyRun.open("/w/3.bin", summary)
              yield* opened.verify({ minOffset: 30, maxOffset: 59 })
              const rows = yield* Stream.runCollect(opened.rows)
              return { offsets: rows.map(({ offset }) => offset), run: (yield* openPack(job)).run }
            })
          )
          assert.deepStrictEqual(
            offsets.sort((left, right) => left - right),
            Array.from({ length: 60 }, (_, index) => 30 + (index >> 1))
          )
          assert.deepStrictEqual(run, Option.some({ keyCount: 60, checksum: summary.checksum }))
        }),
      { domain: keyed }
    )
  )

  it.effect("writeChunk makes the same pack when the run is not to be written", () =>
    withWork(
      (work) =>
        Effect.gen(function* () {
          const job = chunkJob("/w", { entryCount: 30, hasKeys: true })
          yield* work.writeChunk(job, keyedEntries(130, 30))
          const other = { ...job, entries: Option.some({ path: "/w/other" }), keys: Option.none() }
          yield* work.writeChunk(other, keyedEntries(130, 30, 1))
          assert.deepStrictEqual(yield* contentOf("/w/other"), yield* contentOf("/w/3.pack"))
          const run = { ...job, entries: Option.none(), keys: Option.some({ path: "/w/run" }) }
          yield* work.writeChunk(run, keyedEntries(130, 30))
          assert.deepStrictEqual(yield* contentOf("/w/run"), yield* contentOf("/w/3.bin"))
          assert.deepStrictEqual(yield* namesIn("/w"), ["3.bin", "3.pack", "other", "run"])
        }),
      { domain: keyed }
    )
  )

  it.effect(
    "writeChunk runs the entries a second time where records would be too large, and groups as a survey does",
    () =>
      withWork((work) =>
        Effect.gen(function* () {
          const job = chunkJob("/w", { entryCount: 10 })
          let runs = 0
          const entries = Stream.suspend(() => {
            runs++
            return Stream.map(Stream.fromIterable(largeEntries()), (entry) => [entry])
          })
          const { itemsPerRecord } = yield* EntriesPack.survey(entries)
          assert.strictEqual(itemsPerRecord, 8)
          runs = 0
          const written = yield* work.writeChunk(job, entries)
          assert.strictEqual(runs, 2)
          assert.strictEqual(Option.getOrThrow(written.entries).itemsPerRecord, 8)
          yield* Effect.scoped(Effect.flatMap(openPack(job), ({ reader }) => reader.verify()))
        })
      )
  )

  it.effect("writeChunk makes no record that is too large, not even in the first run", () => {
    let largestBytes = 0
    const zstd = Layer.effect(
      Zstd,
      Effect.map(Zstd, (service) => ({
        ...service,
        compress: (bytes: Uint8Array) => {
          largestBytes = Math.max(largestBytes, bytes.length)
          return service.compress(bytes)
        }
      }))
    ).pipe(Layer.provide(zstdLayer))
    return withWork(
      (work) =>
        Effect.gen(function* () {
          const bytes = new Uint8Array(140 * 1024)
          const entries = Stream.map(Stream.rechunk(Stream.range(130, 259), 1), (seq) => [{ seq, bytes }])
          yield* work.writeChunk(chunkJob("/w", { entryCount: 130 }), entries)
          assert.isAbove(largestBytes, EntriesPack.maxRecordSizeBytes / 2)
          assert.isAtMost(largestBytes, EntriesPack.maxRecordSizeBytes)
        }),
      { zstd }
    )
  })

  it.effect("writeChunk names the first entry that is not in its place, and leaves no file", () =>
    withWork((work) =>
      Effect.gen(function* () {
        const job = chunkJob("/w", { entryCount: 20 })
        const fails = (entries: ReadonlyArray<Entry>) =>
          Effect.map(Effect.flip(work.writeChunk(job, Stream.make(entries))), ({ message }) => message)
        const all = Array.from({ length: 21 }, (_, index) => keyedEntry(130 + index))
        const hole = [...all.slice(0, 5), ...all.slice(6, 20)]
        const cannot = "Cannot freeze chunk 3: entry"
        assert.strictEqual(yield* fails(hole), `${cannot} 135 is not to be had: entry 136 came in its place`)
        assert.strictEqual(yield* fails(all.slice(1)), `${cannot} 130 is not to be had: entry 131 came in its place`)
        assert.strictEqual(yield* fails(all.slice(0, 19)), `${cannot} 149 is not to be had: the entries end before it`)
        assert.strictEqual(yield* fails(all), `${cannot} 150 is not to be had: entry 150 follows the last one`)
        assert.deepStrictEqual(yield* namesIn("/w"), [])
      })
    )
  )

  it.effect("writeChunk refuses what the domain refuses, and leaves no file", () =>
    withWork(
      (work) =>
        Effect.gen(function* () {
          const job = chunkJob("/w", { entryCount: 2, hasKeys: true })
          const fails = (text: string) =>
            Effect.flip(
              work.writeChunk(job, Stream.make([keyedEntry(130), { seq: 131, bytes: new TextEncoder().encode(text) }]))
            )
          for (const text of ['{"a":\n1}', '{"id":{}}']) {
            const error = yield* fails(text)
            assert.strictEqual(error._tag, "EntryRefused")
            assert.include(error.message, "Cannot append entry 131: ")
          }
          assert.deepStrictEqual(yield* namesIn("/w"), [])
        }),
      { domain: keyed }
    )
  )

  it.effect("writeChunk removes both files when the run cannot be read back", () => {
    const damaging = (disk: Disk): Disk => ({
      ...disk,
      open: (path, mode) =>
        Effect.map(disk.open(path, mode), (file) => ({
          ...file,
          writeAt: (bytes, offsetBytes) =>
            file.writeAt(path.endsWith(".bin") ? bytes.map((byte) => byte ^ 1) : bytes, offsetBytes)
        }))
    })
    return withWork(
      (work) =>
        Effect.gen(function* () {
          const job = chunkJob("/w", { entryCount: 30, hasKeys: true })
          const error = yield* Effect.flip(work.writeChunk(job, keyedEntries(130, 30)))
          assert.strictEqual(error._tag, "KeyRunCorrupt")
          assert.deepStrictEqual(yield* namesIn("/w"), [])
        }),
      { domain: keyed, mapDisk: damaging }
    )
  })

  it.effect("writeChunk touches no file that was there before", () =>
    withWork(
      (work) =>
        Effect.gen(function* () {
          const job = chunkJob("/w", { entryCount: 30, hasKeys: true })
          yield* work.writeChunk({ ...job, entries: Option.none() }, keyedEntries(130, 30))
          const before = yield* contentOf("/w/3.bin")
          const error = yield* Effect.flip(work.writeChunk(job, keyedEntries(130, 30)))
          assert.strictEqual(error._tag, "DiskExists")
          assert.deepStrictEqual(yield* namesIn("/w"), ["3.bin"])
          assert.deepStrictEqual(yield* contentOf("/w/3.bin"), before)
        }),
      { domain: keyed }
    )
  )

  it.effect("writeChunk on the calling thread lets others run while it sorts keys", () =>
    withWork(
      (work) =>
        Effect.gen(function* () {
          const entryCount = 600
          const keyAt = (number: number): Uint8Array => {
            const key = new Uint8Array(keySizeBytes)
            new DataView(key.buffer).setUint32(0, Math.imul(number, 0x9e37_79b1))
            return key
          }
          const entryAt = (index: number): Entry => ({
            seq: 130 + index,
            bytes: KeyedDomain.entryWith(
              Array.from({ length: 250 }, (_, key) => keyAt(250 * index + key)),
              new Uint8Array()
            )
          })
          const job = { ...chunkJob("/w", { entryCount, hasKeys: true }), entries: Option.none() }
          const entries = Stream.make(Array.from({ length: entryCount }, (_, index) => entryAt(index)))
          const fiber = yield* Effect.forkChild(work.writeChunk(job, entries), { startImmediately: true })
          let turns = 0
          for (; fiber.pollUnsafe() === undefined; turns++) yield* Effect.yieldNow
          yield* Fiber.join(fiber)
          assert.isAtLeast(turns, 2)
        }),
      { domain: KeyedDomain.make("error") }
    )
  )

  it.effect("writeChunk removes no file that another job made of it since it looked", () => {
    // Both look before either creates.
    const late = (disk: Disk): Disk => ({ ...disk, stat: (path) => Effect.tap(disk.stat(path), () => Effect.yieldNow) })
    return withWork(
      (work) =>
        Effect.gen(function* () {
          const job = chunkJob("/w", { entryCount: 30, hasKeys: true })
          const write = Effect.result(work.writeChunk(job, keyedEntries(130, 30)))
          const results = yield* Effect.all([write, write], { concurrency: 2 })
          assert.deepStrictEqual(
            results.flatMap((result) => (Result.isFailure(result) ? [result.failure._tag] : [])),
            ["DiskExists"]
          )
          assert.deepStrictEqual(yield* namesIn("/w"), ["3.bin", "3.pack"])
        }),
      { domain: keyed, mapDisk: late }
    )
  })

  it.effect(
    "writeRun derives from the pack the run that writeChunk wrote, and refuses a pack that expects another",
    () =>
      withWork(
        (work) =>
          Effect.gen(function* () {
            const job = chunkJob("/w", { entryCount: 300, hasKeys: true })
            const { keys } = yield* work.writeChunk(job, keyedEntries(130, 300))
            const runJob = { ...job, packPath: "/w/3.pack", runPath: "/w/again" }
            assert.deepStrictEqual(yield* work.writeRun(runJob), Option.getOrThrow(keys))
            assert.deepStrictEqual(yield* contentOf("/w/again"), yield* contentOf("/w/3.bin"))
            const shifted = { ...runJob, windowFirstSeq: 99, runPath: "/w/shifted" }
            const error = yield* Effect.flip(work.writeRun(shifted))
            assert.strictEqual(error._tag, "FrozenChunkWrong")
            assert.include(error.message, "its entries give a key run of 600 keys with checksum")
            assert.deepStrictEqual(yield* namesIn("/w"), ["3.bin", "3.pack", "again"])
          }),
        { domain: keyed }
      )
  )
})
