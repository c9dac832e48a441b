import { assert, describe, it } from "@effect/vitest"
import { Zstd, ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { Disk } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Exit, Layer, Result, Stream } from "effect"
import * as Archive from "../src/Archive.ts"
import { ArchiveEngines } from "../src/ArchiveEngines.ts"
import * as ArchiveFormat from "../src/format/ArchiveFormat.ts"
import { storeKeyspaces } from "../src/format/RecordLayout.ts"
import * as TarFormat from "../src/format/TarFormat.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { fill, open, textOf } from "./ArchiveFixtures.ts"
import { assemble, blocksOf, forge, headerOf, join, partOf, take, tarEnd } from "./ArchiveForging.ts"
import * as FiledEngine from "./FiledEngine.ts"

const path = "/archive"
const emptyDisk = (): Disk => SimulatedDisk.make(CrashRecorder.make()).disk
const live = Layer.mergeAll(Layer.sync(Disk, emptyDisk), ZstdLive.layer, ZstdStreamLive.layer)

/** On a disk of its own: a simulated one remembers all that was ever done to it. */
const onEmptyDisk = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Disk>> =>
  Effect.suspend(() => Effect.provideService(effect, Disk, emptyDisk()))

/** What damage is told by. */
const typed = new Set([
  "ArchiveUnrecognized",
  "ArchiveCorrupt",
  "ArchiveEntryRefused",
  "ArchiveLimitExceeded",
  "ArchiveVersionUnsupported",
  "ArchiveEngineMissing",
  "EngineCorrupt",
  "EngineFailed",
  "EngineNotFound",
  "BlockCorrupt",
  "RecordCorrupt",
  "StoreCorrupt",
  "NotRecordStore"
])

const writeFile = Effect.fnUntraced(function* (bytes: Uint8Array) {
  const disk = yield* Disk
  const file = yield* disk.open(path, "replace")
  yield* file.writeAt(bytes, 0)
}, Effect.scoped)

const readFile = Effect.gen(function* () {
  const disk = yield* Disk
  const file = yield* disk.open(path, "read")
  const bytes = new Uint8Array(yield* file.size)
  yield* file.readAt(bytes, 0)
  return bytes
}).pipe(Effect.scoped)

const namesAtRoot = Effect.flatMap(Disk, (disk) =>
  Effect.map(disk.list("/"), (entries) => entries.map(({ name }) => name))
)

/** Runs something with the engine whose databases are files on the simulated disk. */
const withEngine = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(FiledEngine.make, (engine) =>
    Effect.provideService(effect, ArchiveEngines, new Map([[engine.name, engine]]))
  )

const options = (limits: Archive.ArchiveLimits = {}): Archive.OpenArchiveOptions => ({
  temporaryDirectory: "/",
  limits
})

/** All that the archive at the path holds. */
const readAll = (limits: Archive.ArchiveLimits = {}) =>
  Effect.gen(function* () {
    const archive = yield* Archive.open(path, options(limits))
    for (const keyspace of storeKeyspaces) yield* Stream.runDrain(archive.rows.scan(keyspace))
    return yield* textOf(archive.reader)
  }).pipe(Effect.scoped, withEngine)

/** A small archive at the path, and what it holds. */
const saved = Effect.fnUntraced(function* (encoding: Archive.ArchiveEncoding, count: number) {
  const engine = yield* FiledEngine.make
  const rows = yield* Effect.gen(function* () {
    const store = yield* open("/store")
    yield* fill(store, count)
    yield* store.flush
    return yield* Effect.forEach(storeKeyspaces, (keyspace) => Stream.runCollect(store.database.scan(keyspace)))
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
  yield* Effect.scoped(
    Effect.gen(function* () {
      const database = yield* engine.open({ path: "/store", keyspaces: storeKeyspaces })
      yield* database.write((batch) => {
        for (const [at, keyspace] of storeKeyspaces.entries()) {
          for (const { key, value } of rows[at]!) batch.put(keyspace, key, value)
        }
      })
      const { checkpoint, snapshot } = database
      const source = { path: "/store", engineName: engine.name, snapshot, database: { engine, checkpoint } }
      yield* Archive.save({ source, path, encoding, overwrite: true })
    })
  )
  return { bytes: yield* readFile, text: yield* readAll() }
})

/** The tag of the typed error that verifying ends with; `none` when it finds nothing. */
const tagOfVerify = (limits: Archive.ArchiveLimits = {}) =>
  Effect.map(Effect.result(withEngine(Archive.verify(path, options(limits)))), (result): string => {
    if (Result.isFailure(result)) return (result.failure as { readonly _tag: string })._tag
    return result.success.check.findingCount === 0 ? "none" : "findings"
  })

/**
 * The tags of the typed errors that reading and verifying end with; `none` when reading gives the text, and when verifying finds
 * nothing. Anything else fails the test.
 */
const outcome = Effect.fnUntraced(function* (bytes: Uint8Array, text: string, what: string) {
  yield* writeFile(bytes)
  const exit = yield* Effect.exit(readAll())
  const verified = yield* tagOfVerify()
  assert.deepStrictEqual(yield* namesAtRoot, ["archive"], what)
  if (Exit.isSuccess(exit)) {
    assert.strictEqual(exit.value, text, what)
    return { read: "none", verified }
  }
  const error = Exit.findError(exit)
  assert(Result.isSuccess(error), `${what}: ${exit.cause}`)
  const { _tag } = error.success as { readonly _tag: string }
  assert(typed.has(_tag), `${what}: ${_tag}`)
  return { read: _tag, verified }
}, onEmptyDisk)

const encodings = ["pack", "tar", "tar+zstd"] as const

describe("Archive on damaged bytes", () => {
  for (const encoding of encodings) {
    it.effect(
      `Archive.open of a ${encoding} gives the right records or a typed error for every flipped bit, and verify finds each`,
      () =>
        Effect.gen(function* () {
          const { bytes, text } = yield* saved(encoding, 1)
          // A tar is unpacked and hashed whole each time, and no bit of it fares otherwise than its neighbours.
          const step = encoding === "pack" ? 1 : 5
          const seen = new Map<string, number>()
          for (let bit = 0; bit < bytes.length * 8; bit += step) {
            const bad = bytes.slice()
            bad[bit >>> 3]! ^= 1 << (bit & 7)
            const { read, verified } = yield* outcome(bad, text, `bit ${bit}`)
            seen.set(read, (seen.get(read) ?? 0) + 1)
            assert.notStrictEqual(verified, "none", `bit ${bit} is not found`)
          }
          console.log(encoding, bytes.length, "bytes", Object.fromEntries(seen))
        }).pipe(Effect.provide(live)),
      300_000
    )

    it.effect(
      `Archive.open of a ${encoding} refuses every truncation and what is appended`,
      () =>
        Effect.gen(function* () {
          const { bytes, text } = yield* saved(encoding, 1)
          for (let size = 0; size < bytes.length; size++) {
            const { read } = yield* outcome(bytes.subarray(0, size), text, `the first ${size} bytes`)
            assert.include(["ArchiveCorrupt", "ArchiveUnrecognized"], read)
          }
          for (const tail of [1, 64, 5000]) {
            const appended = join([bytes, new Uint8Array(tail)])
            assert.strictEqual((yield* outcome(appended, text, `${tail} more bytes`)).read, "ArchiveCorrupt")
          }
          assert.strictEqual((yield* outcome(join([bytes, bytes]), text, "twice")).read, "ArchiveCorrupt")
        }).pipe(Effect.provide(live)),
      300_000
    )

    it.effect(
      `Archive.open of a ${encoding} gives typed errors for a payload that was changed and hashed again`,
      () =>
        Effect.gen(function* () {
          const { bytes, text } = yield* saved(encoding, 3)
          const { head, payload } = take(bytes)
          let state = 7
          const next = (bound: number) => {
            state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
            return (state >>> 8) % bound
          }
          const seen = new Map<string, number>()
          for (let round = 0; round < 3000; round++) {
            const bad = payload.slice()
            for (let count = next(3) + 1; count > 0; count--) {
              if (next(2) === 0) bad[next(bad.length)]! ^= 1 << next(8)
              else bad.fill(next(2) * 255, next(bad.length), next(bad.length))
            }
            const reading = Effect.andThen(writeFile(assemble(head, bad)), readAll())
            const exit = yield* Effect.exit(onEmptyDisk(reading))
            if (Exit.isFailure(exit)) {
              const error = Exit.findError(exit)
              assert(Result.isSuccess(error), `round ${round}: ${exit.cause}`)
              const { _tag } = error.success as { readonly _tag: string }
              assert(typed.has(_tag), `round ${round}: ${_tag}`)
              seen.set(_tag, (seen.get(_tag) ?? 0) + 1)
            } else if (encoding === "pack") assert.strictEqual(exit.value, text)
          }
          console.log(encoding, Object.fromEntries(seen))
        }).pipe(Effect.provide(live)),
      300_000
    )
  }

  it.effect("Archive.open gives typed errors for a manifest that was changed and hashed again", () =>
    Effect.gen(function* () {
      const { bytes } = yield* saved("pack", 1)
      const { head, payload } = take(bytes)
      for (let bit = 12 * 8; bit < head.length * 8; bit += 3) {
        const bad = head.slice()
        bad[bit >>> 3]! ^= 1 << (bit & 7)
        const exit = yield* Effect.exit(onEmptyDisk(Effect.andThen(writeFile(assemble(bad, payload)), readAll())))
        if (Exit.isSuccess(exit)) continue
        const error = Exit.findError(exit)
        assert(Result.isSuccess(error), `bit ${bit}: ${exit.cause}`)
        assert(typed.has((error.success as { readonly _tag: string })._tag), `bit ${bit}`)
      }
    }).pipe(Effect.provide(live))
  )

  it.effect("Archive.open refuses manifests whose parts, versions or encoding cannot be", () =>
    Effect.gen(function* () {
      const { bytes } = yield* saved("pack", 1)
      const { head, payload } = take(bytes)
      const sound = ArchiveFormat.decodeManifest(head, payload.length) as ArchiveFormat.Manifest
      const [first, second, ...rest] = sound.parts
      const wrong: ReadonlyArray<readonly [tag: string, change: Partial<ArchiveFormat.Manifest>]> = [
        ["ArchiveVersionUnsupported", { format_version: 2 }],
        ["ArchiveVersionUnsupported", { key_layout_version: 2 }],
        ["ArchiveCorrupt", { format_version: 0 }],
        ["ArchiveCorrupt", { format_version: -1 }],
        ["ArchiveCorrupt", { key_layout_version: 0 }],
        ["ArchiveCorrupt", { encoding: "tar" }],
        ["ArchiveCorrupt", { encoding: "tar+zstd" }],
        ["ArchiveCorrupt", { parts: [] }],
        ["ArchiveCorrupt", { parts: [first!, second!] }],
        ["ArchiveCorrupt", { parts: [second!, first!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, name: "other" }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, name: second!.name }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, size_bytes: first!.size_bytes + 1 }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, size_bytes: -1 }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, size_bytes: Number.MAX_SAFE_INTEGER }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, decoded_size_bytes: -1 }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, row_count: -1 }, second!, ...rest] }],
        ["ArchiveCorrupt", { types: [null as never] }],
        ["ArchiveCorrupt", { types: [5 as never] }],
        ["ArchiveCorrupt", { types: [{ ...sound.types[0]!, primaryKey: undefined as never }] }],
        ["ArchiveCorrupt", { types: [{ ...sound.types[0]!, indexes: { by_owner: null as never } }] }],
        ["ArchiveCorrupt", { syncs: [{ ...sound.syncs[0]!, sync_id: "\u001b[2Jevil" as never }] }],
        ["ArchiveCorrupt", { syncs: [{ ...sound.syncs[0]!, parent_sync_id: "none" as never }] }],
        ["ArchiveCorrupt", { syncs: [{ ...sound.syncs[0]!, counts: { Account: -1 } }] }]
      ]
      for (const [tag, change] of wrong) {
        yield* writeFile(assemble(ArchiveFormat.encodeHead({ ...sound, ...change }), payload))
        const failure = yield* Effect.flip(readAll())
        assert.strictEqual((failure as { readonly _tag: string })._tag, tag, JSON.stringify(change))
      }
      const swapped = [{ ...first!, name: second!.name }, { ...second!, name: first!.name }, ...rest]
      yield* writeFile(assemble(ArchiveFormat.encodeHead({ ...sound, parts: swapped }), payload))
      assert.strictEqual(yield* tagOfVerify(), "findings")
      for (const change of [
        { syncs: [] },
        { types: [] },
        { parts: [{ ...first!, row_count: first!.row_count + 1 }, second!, ...rest] },
        { parts: [{ ...first!, decoded_size_bytes: 1 }, second!, ...rest] }
      ]) {
        yield* writeFile(assemble(ArchiveFormat.encodeHead({ ...sound, ...change }), payload))
        assert.strictEqual(yield* tagOfVerify(), "ArchiveCorrupt", JSON.stringify(change))
      }
    }).pipe(Effect.provide(live))
  )

  it.effect("Archive.open refuses a file that is no archive, and says which layer reads the older ones", () =>
    Effect.gen(function* () {
      yield* writeFile(new TextEncoder().encode("SQLite format 3\0 and so on"))
      assert.strictEqual(
        ((yield* Effect.flip(readAll())) as Error).message,
        "Cannot open archive /archive: it begins with 0x53514c69746520 66, expected the magic of an archive".replace(
          " 66",
          "66"
        )
      )
      yield* writeFile(new Uint8Array(0))
      assert.propertyVal(yield* Effect.flip(readAll()), "_tag", "ArchiveUnrecognized")
      yield* writeFile(new TextEncoder().encode("C1ZF\0 and a zstd stream"))
      assert.strictEqual(
        ((yield* Effect.flip(readAll())) as Error).message,
        "Cannot open archive /archive: its format is c1z, provide C1z.layer of @icecore/engine/c1z"
      )
    }).pipe(Effect.provide(live))
  )
})

/** Little of the process's memory for what this does. */
const inLittleMemory = <A, E, R>(effect: Effect.Effect<A, E, R>, limitBytes = 64 * 1024 * 1024) =>
  Effect.gen(function* () {
    const before = process.memoryUsage().rss
    const result = yield* effect
    assert.isBelow(process.memoryUsage().rss - before, limitBytes)
    return result
  })

const limitOf = (failure: unknown): ReadonlyArray<string> => {
  const { _tag, subject } = failure as { readonly _tag: string; readonly subject?: string }
  return subject === undefined ? [_tag] : [_tag, subject]
}

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

describe("Archive on hostile tars", () => {
  const content = blocksOf("hello")
  const file = join([headerOf({}), content])
  const hostile: Readonly<Record<string, ReadonlyArray<Uint8Array>>> = {
    "an absolute name": [headerOf({ name: "/etc/passwd" }), content],
    "a name with ..": [headerOf({ name: "../outside" }), content],
    "a name that is ..": [headerOf({ name: ".." }), content],
    "a name that is .": [headerOf({ name: "." }), content],
    "a name that begins with a dot": [headerOf({ name: ".profile" }), content],
    "a name in a directory": [headerOf({ name: "inner/rows.bin" }), content],
    "a name with a backslash": [headerOf({ name: "..\\outside" }), content],
    "a name with a drive": [headerOf({ name: "C:outside" }), content],
    "a name with a line feed": [headerOf({ name: "rows\n.bin" }), content],
    "a name beyond ASCII": [headerOf({ name: "r\u00f6ws.bin" }), content],
    "no name": [headerOf({ name: "" }), content],
    "a name of 100 bytes": [headerOf({ name: "x".repeat(100) }), content],
    "bytes behind a name": [headerOf({ name: "rows.bin\0/../x" }), content],
    "a prefix": [headerOf({ prefix: "/etc" }), content],
    "a link name": [headerOf({ linkName: "/etc/passwd" }), content],
    "a hard link": [headerOf({ type: "1", linkName: "/etc/passwd", size: "00000000000\0" })],
    "a symbolic link": [headerOf({ type: "2", linkName: "../..", size: "00000000000\0" })],
    "a symbolic link and a file through it": [
      headerOf({ name: "link", type: "2", linkName: "/", size: "00000000000\0" }),
      headerOf({ name: "link/file" }),
      content
    ],
    "a character device": [headerOf({ type: "3" })],
    "a block device": [headerOf({ type: "4" })],
    "a directory": [headerOf({ name: "rows.bin", type: "5", size: "00000000000\0" })],
    "a pipe": [headerOf({ type: "6" })],
    "a contiguous file": [headerOf({ type: "7" }), content],
    "an old header's type": [headerOf({ type: "\0" }), content],
    "a long name": [headerOf({ name: "././@LongLink", type: "L" }), blocksOf("/etc/passwd"), file],
    "a long link name": [headerOf({ name: "././@LongLink", type: "K" }), blocksOf("/etc/passwd"), file],
    "a sparse file": [headerOf({ type: "S" }), content],
    "a volume header": [headerOf({ type: "V", size: "00000000000\0" })],
    "a global pax header": [headerOf({ type: "g", size: "00000000024\0" }), blocksOf("20 path=/etc/passwd\n"), file],
    "a pax path": [headerOf({ type: "x", size: "00000000024\0" }), blocksOf("20 path=/etc/passwd\n"), file],
    "a pax link path": [headerOf({ type: "x", size: "00000000022\0" }), blocksOf("18 linkpath=/etc/p\n"), file],
    "a pax size beside a path": [
      headerOf({ type: "x", size: "00000000050\0" }),
      blocksOf("20 size=10000000000\n20 path=/etc/passwd\n"),
      file
    ],
    "a needless pax size": [headerOf({ type: "x", size: "00000000012\0" }), blocksOf("10 size=5\n"), file],
    "a pax size that is no number": [
      headerOf({ type: "x", size: "00000000024\0" }),
      blocksOf("20 size=1e0000000009\n"),
      file
    ],
    "a pax size of the wrong length": [
      headerOf({ type: "x", size: "00000000024\0" }),
      blocksOf("21 size=10000000000\n"),
      file
    ],
    "a pax header of many blocks": [headerOf({ type: "x", size: "00000002000\0" }), new Uint8Array(1024), file],
    "a pax header of a pax header": [
      headerOf({ type: "x", size: "00000000024\0" }),
      blocksOf("20 size=10000000000\n"),
      headerOf({ type: "x", size: "00000000024\0" }),
      blocksOf("20 size=10000000000\n")
    ],
    "a pax header of nothing": [headerOf({ type: "x", size: "00000000024\0" }), blocksOf("20 size=10000000000\n")],
    "a pax size and another": [headerOf({ type: "x", size: "00000000024\0" }), blocksOf("20 size=10000000000\n"), file],
    "a size of base 256": [headerOf({ size: "\x80\0\0\0\0\0\0\0\0\0\0\x05" }), content],
    "a negative size": [headerOf({ size: "-0000000005\0" }), content],
    "a size of spaces": [headerOf({ size: "           \0" }), content],
    "a size that the tar does not have": [headerOf({ size: "00000077777\0" }), content],
    "a size of a terabyte": [headerOf({ size: "77777777777\0" }), content],
    "the same name twice": [file, file],
    "another magic": [headerOf({ magic: "ustar  \0" }), content],
    "a wrong checksum": [headerOf({ checksum: "000000\0 " }), content],
    "padding that is not zero": [headerOf({}), new Uint8Array(512).fill(0x61)],
    "one block of zeros before another file": [file, new Uint8Array(512), headerOf({ name: "other" }), content],
    "more than 64 files": Array.from({ length: 65 }, (_, at) => headerOf({ name: `file${at}`, size: "00000000000\0" }))
  }

  for (const [name, blocks] of Object.entries(hostile)) {
    it.effect(`Archive.open and extract refuse ${name} in a tar, and write nothing outside`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        const tar = join([...blocks, tarEnd])
        const compressed = yield* zstd.compress(tar)
        for (const archive of [
          forge(tar),
          forge(compressed, { encoding: "tar+zstd", parts: [partOf(compressed.length, tar.length)] })
        ]) {
          yield* writeFile(archive)
          const failures = [
            yield* Effect.flip(readAll()),
            yield* Effect.flip(withEngine(Archive.extract(path, { directory: "/made" })))
          ]
          for (const failure of failures) {
            const [tag] = limitOf(failure)
            assert.include(["ArchiveEntryRefused", "ArchiveCorrupt", "ArchiveLimitExceeded"], tag)
          }
          assert.deepStrictEqual(yield* namesAtRoot, ["archive"])
        }
      }).pipe(Effect.provide(live))
    )
  }

  it.effect(
    "Archive.open refuses a tar that is cut short, that goes on behind its end, or that the manifest measures wrong",
    () =>
      Effect.gen(function* () {
        const sound = join([file, tarEnd])
        for (const tar of [
          sound.subarray(0, 100),
          sound.subarray(0, 600),
          sound.subarray(0, 1024),
          sound.subarray(0, 1536),
          sound.subarray(0, sound.length - 1),
          join([sound, new Uint8Array(1)]),
          join([sound, tarEnd]),
          new Uint8Array(0)
        ]) {
          yield* writeFile(forge(tar))
          assert.propertyVal(yield* Effect.flip(readAll()), "_tag", "ArchiveCorrupt", `${tar.length} bytes`)
        }
        yield* writeFile(forge(sound, { parts: [partOf(sound.length, sound.length + 1)] }))
        assert.propertyVal(yield* Effect.flip(readAll()), "_tag", "ArchiveCorrupt")
      }).pipe(Effect.provide(live))
  )

  it.effect("Archive.open refuses files that a known engine does not have", () =>
    Effect.gen(function* () {
      const engine = yield* FiledEngine.make
      yield* writeFile(forge(join([headerOf({ name: "data.sqlite-wal" }), content, tarEnd]), { engine: "sqlite" }))
      const failure = yield* Effect.flip(
        Effect.provideService(
          Effect.scoped(Archive.open(path, options())),
          ArchiveEngines,
          new Map([["sqlite", engine]])
        )
      )
      assert.strictEqual(failure._tag, "ArchiveEntryRefused")
    }).pipe(Effect.provide(live))
  )

  it("TarFormat.encodeEntry gives a file of 8 GiB and more a pax header that TarFormat.parsePax reads", () => {
    for (const size of [8 ** 11, 10_000_000_000, 2 ** 53 - 1]) {
      const entry = TarFormat.encodeEntry("data.mdb", size)
      assert.strictEqual(entry.length, 3 * 512)
      const pax = TarFormat.parseHeader(entry.subarray(0, 512))
      assert(pax.kind === "pax")
      assert.strictEqual(TarFormat.parsePax(entry.subarray(512, 1024), pax.sizeBytes), size)
      assert.deepStrictEqual(TarFormat.parseHeader(entry.subarray(1024)), {
        kind: "file",
        name: "data.mdb",
        sizeBytes: 0
      })
    }
    assert.strictEqual(TarFormat.encodeEntry("data.mdb", 8 ** 11 - 1).length, 512)
  })
})
