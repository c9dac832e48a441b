import { assert, describe, it } from "@effect/vitest"
import { Zstd } from "@icecore/codec"
import { Effect, Layer } from "effect"
import * as Archive from "../src/Archive.ts"
import * as ArchiveFormat from "../src/format/ArchiveFormat.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { encodings, limitOf, live, namesAtRoot, path, readAll, saved, withEngine, writeFile } from "./ArchiveBytes.ts"
import { open } from "./ArchiveFixtures.ts"
import { assemble, blocksOf, forge, headerOf, join, partOf, tarEnd } from "./ArchiveForging.ts"

/** Little of the process's memory for what this does. */
const inLittleMemory = <A, E, R>(effect: Effect.Effect<A, E, R>, limitBytes = 64 * 1024 * 1024) =>
  Effect.gen(function* () {
    const before = process.memoryUsage().rss
    const result = yield* effect
    assert.isBelow(process.memoryUsage().rss - before, limitBytes)
    return result
  })

describe("Archive under limits", () => {
  it.effect("Archive.open refuses a manifest of 17 MiB, and one that only says so, without reading it", () =>
    Effect.gen(function* () {
      const head = new Uint8Array(ArchiveFormat.headSizeBytes + 17 * 1024 * 1024)
      head.set(ArchiveFormat.magic)
      new DataView(head.buffer).setUint32(8, 17 * 1024 * 1024, true)
      yield* writeFile(assemble(head, new Uint8Array(0)))
      const exceeded = ["ArchiveLimitExceeded", "manifest size"]
      assert.deepStrictEqual(limitOf(yield* inLittleMemory(Effect.flip(readAll()))), exceeded)
      const { bytes } = yield* saved("pack", 1)
      for (const size of [17 * 1024 * 1024, 0xffff_ffff]) {
        const bad = bytes.slice()
        new DataView(bad.buffer).setUint32(8, size, true)
        yield* writeFile(bad)
        assert.deepStrictEqual(limitOf(yield* inLittleMemory(Effect.flip(readAll()))), exceeded)
      }
      yield* writeFile(bytes)
      assert.deepStrictEqual(limitOf(yield* Effect.flip(readAll({ maxManifestSizeBytes: 100 }))), exceeded)
    }).pipe(Effect.provide(live))
  )

  it.effect("Archive.save refuses a manifest over 16 MiB, and leaves nothing", () =>
    Effect.gen(function* () {
      const engine = MemoryEngine.make(MemoryEngine.makeMedium())
      const store = yield* open("/store")
      const source = { path: "/store", engineName: engine.name, snapshot: store.database.snapshot }
      for (const creator of ["x".repeat(17 * 1024 * 1024), "\ud800"]) {
        const failure = yield* Effect.flip(Archive.save({ source, path, creator }))
        assert.strictEqual(failure._tag, "ArchiveRefused")
      }
      assert.deepStrictEqual(yield* namesAtRoot, [])
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(live, MemoryEngine.layer)))
  )

  /** A zstd frame that repeats one byte, without a declared size or with one, and without checksum or with a wrong one. */
  const bombOf = (blockCount: number, declared?: bigint): Uint8Array => {
    const header =
      declared === undefined
        ? Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x48)
        : new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0xc4, 0x48, ...new Uint8Array(BigUint64Array.of(declared).buffer)])
    const blocks = new Uint8Array(blockCount * 4)
    for (let at = 0; at < blocks.length; at += 4) blocks.set([0x02, 0x00, 0x10, 0x00], at)
    return join([header, blocks])
  }

  it.effect(
    "Archive.open of a payload that would decode to a terabyte stops before, in little memory",
    () =>
      Effect.gen(function* () {
        const terabyte = 2 ** 40
        const encoding = "tar+zstd" as const
        const decoded = ["ArchiveLimitExceeded", "decoded size"]
        // 8,388,608 blocks of 128 KiB. It says so, or it does not.
        const bomb = bombOf(8 * 1024 * 1024)
        const saying = (payload: Uint8Array, size: number) =>
          forge(payload, { encoding, parts: [partOf(payload.length, size)] })
        yield* writeFile(saying(bomb, terabyte))
        assert.deepStrictEqual(limitOf(yield* inLittleMemory(Effect.flip(readAll()))), decoded)
        yield* writeFile(saying(bomb, 32 * 1024 * 1024))
        const started = performance.now()
        // A tar of zeros is over after two blocks, and what follows is refused long before the frame ends.
        assert.deepStrictEqual(limitOf(yield* inLittleMemory(Effect.flip(readAll()))), ["ArchiveCorrupt"])
        assert.isBelow(performance.now() - started, 20_000)
        for (const frame of [bombOf(16, BigInt(terabyte)), bombOf(16, 2n ** 63n)]) {
          yield* writeFile(saying(frame, 1024 * 1024))
          assert.deepStrictEqual(limitOf(yield* inLittleMemory(Effect.flip(readAll()))), ["ArchiveCorrupt"])
        }
        // A tar that promises a file of 60 MB is stopped at what the manifest says, though more would be within the limit.
        const zeros = new Uint8Array(60_000_000)
        const zstd = yield* Zstd
        const large = yield* zstd.compress(join([headerOf({ size: "00345000000\0" }), zeros]))
        yield* writeFile(saying(large, 1024 * 1024))
        assert.match(((yield* Effect.flip(readAll())) as Error).message, /limit is 1048576 of the manifest/)
        const small = bombOf(16)
        yield* writeFile(saying(small, 200 * small.length + 64 * 1024 * 1024))
        assert.deepStrictEqual(limitOf(yield* Effect.flip(readAll())), decoded)
        yield* writeFile(saying(small, 1001))
        assert.deepStrictEqual(limitOf(yield* Effect.flip(readAll({ maxDecodedSizeBytes: 1000 }))), decoded)
      }).pipe(Effect.provide(live)),
    60_000
  )

  it.effect("Archive.open refuses a zstd window over 128 MiB, and over a smaller bound", () =>
    Effect.gen(function* () {
      const encoding = "tar+zstd" as const
      const frameOf = (windowByte: number) => {
        const frame = bombOf(1)
        frame[5] = windowByte
        return frame
      }
      const windows = ["ArchiveLimitExceeded", "window size"]
      const archiveOf = (frame: Uint8Array) => forge(frame, { encoding, parts: [partOf(frame.length, 1_000_000)] })
      yield* writeFile(archiveOf(frameOf((17 << 3) | 1)))
      assert.deepStrictEqual(limitOf(yield* Effect.flip(readAll())), windows)
      yield* writeFile(archiveOf(frameOf(9 << 3)))
      assert.deepStrictEqual(limitOf(yield* Effect.flip(readAll({ maxWindowSizeBytes: 100_000 }))), windows)
    }).pipe(Effect.provide(live))
  )

  it.effect("Archive.extract refuses more than the limit, from a pack as from a tar, and leaves nothing", () =>
    Effect.gen(function* () {
      for (const encoding of encodings) {
        yield* saved(encoding, 30)
        const failure = yield* Effect.flip(
          withEngine(Archive.extract(path, { directory: "/made", limits: { maxDecodedSizeBytes: 2000 } }))
        )
        assert.deepStrictEqual(limitOf(failure), ["ArchiveLimitExceeded", "decoded size"])
        assert.deepStrictEqual(yield* namesAtRoot, ["archive"])
      }
    }).pipe(Effect.provide(live))
  )

  it.effect("Archive.extract refuses a tar of no database, and leaves nothing", () =>
    Effect.gen(function* () {
      const damaged = join([headerOf({ size: "00000000004\0" }), blocksOf("none"), tarEnd])
      for (const [payload, tag] of [
        [tarEnd, "EngineNotFound"],
        [damaged, "EngineFailed"]
      ] as const) {
        yield* writeFile(forge(payload))
        const failure = yield* Effect.flip(withEngine(Archive.extract(path, { directory: "/made" })))
        assert.strictEqual(failure._tag, tag)
        assert.deepStrictEqual(yield* namesAtRoot, ["archive"])
      }
    }).pipe(Effect.provide(live))
  )

  it.effect("Archive.open of a pack holds its records to the limit", () =>
    Effect.gen(function* () {
      yield* saved("pack", 30)
      const failure = yield* Effect.flip(readAll({ maxRecordSizeBytes: 100 }))
      assert.propertyVal(failure, "_tag", "EngineFailed")
      assert.match((failure as Error).message, /record size is \d+, the limit is 100/)
    }).pipe(Effect.provide(live))
  )
})
