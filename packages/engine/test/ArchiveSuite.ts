/** What archives must do on every runtime, as data: round trips of real stores on real engines. */
import * as fs from "node:fs"
import { Ksuid, type Zstd, type ZstdStream } from "@icecore/codec"
import { Archive, ArchiveEngines, type Engine, EngineDetection, type RecordStore } from "@icecore/engine"
import * as LmdbEngine from "@icecore/engine/lmdb"
import * as SqliteEngine from "@icecore/engine/sqlite"
import type { Disk } from "@icecore/packfile"
import { Effect, Layer, Option, Result, type Scope, Stream } from "effect"
import { Account, accountsOf, fill, open, textOf } from "./ArchiveFixtures.ts"

type Needs = Disk | Zstd | ZstdStream | Scope.Scope

/** A case over a fresh directory. */
type Case = (directory: string) => Effect.Effect<void, unknown, Needs>

const engines = { sqlite: SqliteEngine.layer, lmdb: LmdbEngine.layer }
type EngineName = keyof typeof engines
const engineNames: ReadonlyArray<EngineName> = ["sqlite", "lmdb"]
const encodings: ReadonlyArray<Archive.ArchiveEncoding> = ["pack", "tar", "tar+zstd"]
const available = ArchiveEngines.layer(engines)

const expectEqual = (actual: unknown, expected: unknown, what: string): Effect.Effect<void> =>
  JSON.stringify(actual) === JSON.stringify(expected)
    ? Effect.void
    : Effect.die(
        new Error(
          `${what} is ${JSON.stringify(actual)?.slice(0, 500)}, expected ${JSON.stringify(expected)?.slice(0, 500)}`
        )
      )

const on =
  (engine: EngineName) =>
  <A, E>(effect: Effect.Effect<A, E, Engine | Needs>): Effect.Effect<A, E, Needs> =>
    Effect.scoped(Effect.provide(effect, Layer.merge(engines[engine], available)))

/** A filled store, and what it holds. */
const stored = Effect.fnUntraced(function* (path: string, count: number) {
  const store = yield* open(path)
  const ids = yield* fill(store, count)
  return { store, ids, source: yield* Archive.sourceOf(store), text: yield* textOf(store) }
})

/** The text of a database that an archive was extracted to, which also takes writes. */
const textOfDirectory = Effect.fnUntraced(function* (path: string) {
  const store: RecordStore.RecordStore = yield* open(path)
  const text = yield* textOf(store)
  const { findingCount } = yield* store.check()
  yield* expectEqual(findingCount, 0, "the findings")
  yield* store.startSync({ type: "full" })
  yield* store.put(Account, accountsOf(9, 5))
  yield* store.endSync()
  yield* expectEqual((yield* store.stats()).counts, { Account: 5 }, "the counts of a new run")
  return text
})

const roundTrip =
  (engine: EngineName, encoding: Archive.ArchiveEncoding): Case =>
  (directory) =>
    Effect.gen(function* () {
      const { ids, source, text } = yield* stored(`${directory}/store`, 700)
      const path = `${directory}/saved.icearch`
      const temporaryDirectory = `${directory}/temporary`
      fs.mkdirSync(temporaryDirectory)
      const summary = yield* Archive.save({ source, path, encoding, creator: "the suite" })
      yield* expectEqual(fs.statSync(path).size, summary.sizeBytes, "the size")
      yield* expectEqual(fs.readdirSync(directory).sort(), ["saved.icearch", "store", "temporary"], "what is left")

      const info = yield* Archive.info(path)
      yield* expectEqual(
        info,
        { path, format: "icearch", sizeBytes: summary.sizeBytes, manifest: summary.manifest },
        "info"
      )
      yield* expectEqual(
        [
          info.manifest.engine,
          info.manifest.encoding,
          info.manifest.creator,
          info.manifest.types.map(({ name }) => name)
        ],
        [engine, encoding, "the suite", ["Account"]],
        "the manifest"
      )
      yield* expectEqual(
        info.manifest.syncs.map((sync) => [sync.sync_id, sync.type, sync.ended_at !== undefined, sync.counts]),
        [
          [ids[0], "full", true, { Account: 700 }],
          [ids[1], "partial", true, { Account: 700 }],
          [ids[2], "full", false, {}]
        ].sort(([left], [right]) => ((left as string) < (right as string) ? -1 : 1)),
        "the runs"
      )

      yield* Effect.scoped(
        Effect.gen(function* () {
          const archive = yield* Archive.open(path, { temporaryDirectory })
          yield* expectEqual((yield* textOf(archive.reader)) === text, true, "the same records")
          const latest = Option.getOrThrow(yield* archive.reader.latestFinishedSync())
          yield* expectEqual(latest.sync_id === ids[2], false, "a run without an end being the default")
          const held = yield* archive.reader.stats({ sync: ids[2]! })
          yield* expectEqual(held.counts, { Account: 700 }, "the counts of a run without an end")
          const again = `${directory}/again.icearch`
          yield* Archive.save({ source: archive.source, path: again })
          const copy = yield* Archive.open(again)
          yield* expectEqual((yield* textOf(copy.reader)) === text, true, "the same records, saved again")
          fs.unlinkSync(again)
          const typed = yield* Archive.open(path, { temporaryDirectory, types: [Account] })
          const account = accountsOf(2, 1)[0]!
          const found = yield* typed.reader.get(Account, { id: account.id }, { sync: ids[2]! })
          yield* expectEqual(Option.getOrUndefined(found)?.owner, account.owner, "a typed record")
        })
      )
      yield* expectEqual(fs.readdirSync(temporaryDirectory), [], "the private directories")

      const { check } = yield* Archive.verify(path, { temporaryDirectory })
      yield* expectEqual([check.findingCount, check.recordCount, check.syncCount], [0, 2100, 3], "what verify finds")

      for (const target of engineNames) {
        const made = `${directory}/extracted-${target}`
        yield* Archive.extract(path, { directory: made, engine: target, temporaryDirectory })
        yield* expectEqual(Option.getOrUndefined(yield* EngineDetection.detect(made)), target, "the engine")
        yield* expectEqual((yield* on(target)(textOfDirectory(made))) === text, true, `the same records on ${target}`)
      }
      const refused = yield* Effect.flip(Archive.extract(path, { directory: `${directory}/extracted-lmdb` }))
      yield* expectEqual(refused._tag, "ArchiveRefused", "the refusal of a directory that is there")
      yield* expectEqual(
        fs.readdirSync(directory).filter((name) => name.startsWith("icecore-") || name.startsWith(".")),
        [],
        "what is left behind"
      )
    }).pipe(on(engine))

export const cases: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    engineNames.flatMap((engine) =>
      encodings.map((encoding) => [
        `a store on ${engine} comes back from ${encoding}: opened, saved again, verified, extracted to every engine`,
        roundTrip(engine, encoding)
      ])
    )
  ),

  "save keeps an archive that is there unless it is told to overwrite it": (directory) =>
    Effect.gen(function* () {
      const { ids, source } = yield* stored(`${directory}/store`, 20)
      const path = `${directory}/saved.icearch`
      yield* Archive.save({ source, path })
      const before = fs.readFileSync(path)
      // Nothing is read or copied for an archive that cannot be.
      const untouched = {
        ...source,
        snapshot: Effect.die("it was read"),
        database: { ...source.database!, checkpoint: () => Effect.die("it was copied") }
      }
      for (const encoding of encodings) {
        const failure = yield* Effect.flip(Archive.save({ source: untouched, path, encoding }))
        yield* expectEqual(failure._tag, "ArchiveExists", "the failure")
      }
      yield* expectEqual(Buffer.compare(before, fs.readFileSync(path)), 0, "the difference of the old archive")
      yield* Archive.save({ source, path, overwrite: true, syncs: [ids[1]!] })
      yield* expectEqual((yield* Archive.info(path)).manifest.syncs.length, 1, "the runs of the new archive")
    }).pipe(on("sqlite")),

  "save keeps a file that came to be there meanwhile": (directory) =>
    Effect.gen(function* () {
      const { source } = yield* stored(`${directory}/store`, 20)
      const path = `${directory}/saved.icearch`
      const onProgress = () => fs.writeFileSync(path, "of somebody else")
      const failure = yield* Effect.flip(Archive.save({ source, path, onProgress }))
      yield* expectEqual(failure._tag, "ArchiveExists", "the failure")
      yield* expectEqual(fs.readFileSync(path, "utf8"), "of somebody else", "the file")
      yield* expectEqual(fs.readdirSync(directory).sort(), ["saved.icearch", "store"], "what is left")
    }).pipe(on("sqlite")),

  "of saves to one path at once one is refused, unless both may overwrite": (directory) =>
    Effect.gen(function* () {
      const { source } = yield* stored(`${directory}/store`, 200)
      for (const overwrite of [false, true]) {
        const path = `${directory}/saved ${overwrite}`
        const saving = Effect.result(Archive.save({ source, path, overwrite }))
        const outcomes = yield* Effect.all([saving, saving], { concurrency: "unbounded" })
        const tags = outcomes.map((outcome) => (Result.isSuccess(outcome) ? "saved" : outcome.failure._tag))
        yield* expectEqual(tags.sort(), overwrite ? ["saved", "saved"] : ["ArchiveExists", "saved"], "the outcomes")
        yield* expectEqual((yield* Archive.verify(path)).check.findingCount, 0, "the findings")
      }
      yield* expectEqual(fs.readdirSync(directory).sort(), ["saved false", "saved true", "store"], "what is left")
    }).pipe(on("sqlite")),

  "save of some syncs holds them and no other": (directory) =>
    Effect.gen(function* () {
      const { ids, source, store } = yield* stored(`${directory}/store`, 300)
      const path = `${directory}/saved.icearch`
      const syncs = [ids[1]!, ids[2]!]
      yield* Archive.save({ source, path, syncs })
      const { reader, rows } = yield* Archive.open(path)
      yield* expectEqual((yield* reader.listSyncs).length, 2, "the runs")
      const runs = yield* store.listSyncs
      yield* expectEqual(
        yield* reader.listSyncs,
        runs.filter(({ sync_id }) => sync_id !== ids[0]),
        "the runs"
      )
      for (const sync of syncs) {
        yield* expectEqual(
          yield* Stream.runCollect(Stream.map(reader.stream(Account, { sync }), ({ id }) => id)),
          yield* Stream.runCollect(Stream.map(store.stream(Account, { sync }), ({ id }) => id)),
          "the records"
        )
      }
      const { check } = yield* Archive.verify(path)
      yield* expectEqual([check.findingCount, check.recordCount], [0, 600], "what verify finds")
      const books = yield* Stream.runCollect(rows.scan("meta"))
      yield* expectEqual(books.length, 3, "the rows of bookkeeping")
      const missing = yield* Effect.flip(
        Archive.save({ source, path: `${directory}/none`, syncs: ["0".repeat(27) as never] })
      )
      yield* expectEqual(missing._tag, "SyncNotFound", "the failure of a sync that is not there")
      for (const encoding of ["tar", "tar+zstd"] as const) {
        const refused = yield* Effect.flip(Archive.save({ source, path: `${directory}/none`, syncs, encoding }))
        yield* expectEqual(refused._tag, "ArchiveRefused", `the failure of some syncs as ${encoding}`)
      }
      yield* expectEqual(fs.readdirSync(directory).sort(), ["saved.icearch", "store"], "what is left")
    }).pipe(on("lmdb")),

  "save as pack leaves out the rows that only the program reads that is filling the store": (directory) =>
    Effect.gen(function* () {
      const { ids, source, store } = yield* stored(`${directory}/store`, 20)
      const run = new Uint8Array(4 + 20 + 8)
      run.set(new TextEncoder().encode("run/"))
      run.set(Ksuid.toBytes(ids[2]!), 4)
      yield* store.database.write((batch) => batch.put("meta", run, new Uint8Array(10)))
      for (const syncs of [{}, { syncs: [ids[2]!] }]) {
        const path = `${directory}/saved.icearch`
        yield* Archive.save({ source, path, overwrite: true, ...syncs })
        const { rows } = yield* Archive.open(path)
        yield* expectEqual(Option.isNone(yield* rows.get("meta", run)), true, "the absence of the row")
      }
    }).pipe(on("sqlite")),

  "a store that is opened for reads only is saved too": (directory) =>
    Effect.gen(function* () {
      const { text } = yield* Effect.scoped(stored(`${directory}/store`, 20))
      const store = yield* open(`${directory}/store`, "readOnly")
      const source = yield* Archive.sourceOf(store)
      for (const encoding of encodings) {
        const path = `${directory}/${encoding}`
        yield* Archive.save({ source, path, encoding })
        yield* expectEqual(yield* textOf((yield* Archive.open(path)).reader), text, `the text of ${encoding}`)
      }
    }).pipe(on("sqlite")),

  "an empty store comes back": (directory) =>
    Effect.gen(function* () {
      const store = yield* open(`${directory}/store`)
      const source = yield* Archive.sourceOf(store)
      for (const encoding of encodings) {
        const path = `${directory}/${encoding}`
        yield* Archive.save({ source, path, encoding })
        const { reader } = yield* Archive.open(path)
        yield* expectEqual(yield* reader.listSyncs, [], "the runs")
        yield* expectEqual((yield* Archive.verify(path)).check.findingCount, 0, "the findings")
      }
    }).pipe(on("sqlite")),

  "a tar is not opened without its engine, and a pack needs none": (directory) =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const { source } = yield* stored(`${directory}/store`, 20)
        for (const encoding of encodings) yield* Archive.save({ source, path: `${directory}/${encoding}`, encoding })
      }).pipe(on("lmdb"))
      const { reader } = yield* Archive.open(`${directory}/pack`)
      yield* expectEqual((yield* reader.listSyncs).length, 3, "the runs")
      for (const encoding of ["tar", "tar+zstd"] as const) {
        const missing = yield* Effect.flip(Archive.open(`${directory}/${encoding}`))
        yield* expectEqual(
          missing.message,
          `Cannot open archive ${directory}/${encoding}: it holds a database of engine lmdb, available are none`,
          "the failure"
        )
      }
      const nowhere = yield* Effect.flip(Archive.extract(`${directory}/pack`, { directory: `${directory}/made` }))
      yield* expectEqual(nowhere._tag, "ArchiveEngineMissing", "the failure of extract")
      yield* expectEqual(fs.existsSync(`${directory}/made`), false, "a directory left behind")
    }),

  "an archive is opened in place while it is moved, and closed with its scope": (directory) =>
    Effect.gen(function* () {
      const { source, text } = yield* stored(`${directory}/store`, 2000)
      const path = `${directory}/saved.icearch`
      yield* Archive.save({ source, path })
      const archive = yield* Effect.scoped(
        Effect.gen(function* () {
          const opened = yield* Archive.open(path, { cacheSizeBytes: 0 })
          fs.renameSync(path, `${directory}/moved.icearch`)
          yield* expectEqual((yield* textOf(opened.reader)) === text, true, "the same records")
          return opened
        })
      )
      const failure = yield* Effect.flip(archive.reader.listSyncs)
      yield* expectEqual(failure._tag, "EngineMisuse", "the failure of a closed archive")
    }).pipe(on("sqlite"))
}
