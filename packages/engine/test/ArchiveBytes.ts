/** What the tests of damaged, forged and large archives share: one archive on a simulated disk, whose bytes are changed. */
import { assert } from "@effect/vitest"
import { type Zstd, ZstdLive, type ZstdStream, ZstdStreamLive } from "@icecore/codec"
import { Disk, type DiskError } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Exit, Layer, Result, Stream } from "effect"
import * as Archive from "../src/Archive.ts"
import { ArchiveEngines } from "../src/ArchiveEngines.ts"
import { storeKeyspaces } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { fill, open, textOf } from "./ArchiveFixtures.ts"
import * as FiledEngine from "./FiledEngine.ts"

/** Where the archive is. */
export const path = "/archive"

export const encodings: ReadonlyArray<Archive.ArchiveEncoding> = ["pack", "tar", "tar+zstd"]

const emptyDisk = (): Disk => SimulatedDisk.make(CrashRecorder.make()).disk

type Services = Disk | Zstd | ZstdStream

export const live: Layer.Layer<Services, ZstdLive.ZstdUnavailable> = Layer.mergeAll(
  Layer.sync(Disk, emptyDisk),
  ZstdLive.layer,
  ZstdStreamLive.layer
)

/** On a disk of its own: a simulated one remembers all that was ever done to it. */
export const onEmptyDisk = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Disk>> =>
  Effect.suspend(() => Effect.provideService(effect, Disk, emptyDisk()))

/** What damage is told by. */
export const typed: ReadonlySet<string> = new Set([
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

/** Puts the bytes at the path. */
export const writeFile: (bytes: Uint8Array) => Effect.Effect<void, DiskError, Disk> = Effect.fnUntraced(function* (
  bytes: Uint8Array
) {
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

export const namesAtRoot: Effect.Effect<ReadonlyArray<string>, DiskError, Disk> = Effect.flatMap(Disk, (disk) =>
  Effect.map(disk.list("/"), (entries) => entries.map(({ name }) => name))
)

/** Runs something with the engine whose databases are files on the simulated disk. */
export const withEngine = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Disk> =>
  Effect.flatMap(FiledEngine.make, (engine) =>
    Effect.provideService(effect, ArchiveEngines, new Map([[engine.name, engine]]))
  )

export const options = (limits: Archive.ArchiveLimits = {}): Archive.OpenArchiveOptions => ({
  temporaryDirectory: "/",
  limits
})

/** All that the archive at the path holds. */
export const readAll = (limits: Archive.ArchiveLimits = {}): Effect.Effect<string, unknown, Services> =>
  Effect.gen(function* () {
    const archive = yield* Archive.open(path, options(limits))
    for (const keyspace of storeKeyspaces) yield* Stream.runDrain(archive.rows.scan(keyspace))
    return yield* textOf(archive.reader)
  }).pipe(Effect.scoped, withEngine)

/** Puts a small archive at the path; gives its bytes and what it holds. */
export const saved: (
  encoding: Archive.ArchiveEncoding,
  count: number
) => Effect.Effect<{ readonly bytes: Uint8Array; readonly text: string }, unknown, Services> = Effect.fnUntraced(
  function* (encoding: Archive.ArchiveEncoding, count: number) {
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
  }
)

/** The tag of the typed error that verifying ends with; `none` when it finds nothing. */
export const tagOfVerify = (limits: Archive.ArchiveLimits = {}): Effect.Effect<string, never, Services> =>
  Effect.map(Effect.result(withEngine(Archive.verify(path, options(limits)))), (result): string => {
    if (Result.isFailure(result)) return (result.failure as { readonly _tag: string })._tag
    return result.success.check.findingCount === 0 ? "none" : "findings"
  })

/** How reading and verifying end. */
export interface Outcome {
  readonly read: string
  readonly verified: string
}

/**
 * The tags of the typed errors that reading and verifying end with; `none` when reading gives the text, and when verifying finds
 * nothing. Anything else fails the test.
 */
export const outcome: (
  bytes: Uint8Array,
  text: string,
  what: string
) => Effect.Effect<Outcome, DiskError, Exclude<Services, Disk>> = Effect.fnUntraced(function* (
  bytes: Uint8Array,
  text: string,
  what: string
) {
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

/** The tag of a failure, and of a limit what it is about. */
export const limitOf = (failure: unknown): ReadonlyArray<string> => {
  const { _tag, subject } = failure as { readonly _tag: string; readonly subject?: string }
  return subject === undefined ? [_tag] : [_tag, subject]
}
