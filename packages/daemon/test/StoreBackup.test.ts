import * as Fs from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Geometry, HotEngine, type Layout } from "@icecore/catalog"
import { type Engine, EngineFailed } from "@icecore/engine"
import { Disk, DiskFailed } from "@icecore/packfile"
import { Deferred, Effect, Fiber, Option, type Scope } from "effect"
import { hotKeyspaces } from "../src/format/HotFormat.ts"
import * as Store from "../src/Store.ts"
import * as StoreAudit from "../src/StoreAudit.ts"
import * as StoreBackup from "../src/StoreBackup.ts"
import * as Built from "./support/BuiltStore.ts"
import { directory, engineNames } from "./support/LiveStore.ts"

const { build, builtCount, entryAt, layoutAt, liveServicesOf, sourceOf } = Built

/** What a store lends to a backup, from its catalog alone. */
const partsOf: (
  layout: Layout.Layout
) => Effect.Effect<StoreBackup.BackupParts, unknown, Built.BuiltServices | Scope.Scope> = Effect.fnUntraced(function* (
  layout: Layout.Layout
) {
  const catalog = yield* Built.openCatalog(layout)
  const database = yield* catalog.openHot(Geometry.ChunkId(6), { keyspaces: hotKeyspaces })
  return {
    layout,
    checkpointCatalog: catalog.checkpoint,
    holdHot: (chunk) => Effect.succeed(chunk === 6 ? Option.some(database) : Option.none()),
    holdDestruction: Effect.void
  }
})

const namesIn = (path: string): ReadonlyArray<string> => (Fs.existsSync(path) ? Fs.readdirSync(path).sort() : [])

/** A store in `{root}/store` and what it lends. */
const prepared = Effect.gen(function* () {
  const root = yield* directory
  const layout = layoutAt(`${root}/store`)
  yield* build(layout)
  return { root, layout, parts: yield* partsOf(layout) }
})

const live = (
  name: string,
  effect: Effect.Effect<unknown, unknown, Built.BuiltServices | Scope.Scope>,
  engine: (typeof engineNames)[number] = "sqlite"
): void => it.live(name, () => effect.pipe(Effect.scoped, Effect.provide(liveServicesOf(engine))))

for (const engine of engineNames)
  describe(`StoreBackup.backup on ${engine}`, () => {
    live(
      "makes a copy that is the store, and leaves nothing else",
      Effect.gen(function* () {
        const { root, parts } = yield* prepared
        const progress: Array<StoreBackup.BackupProgress> = []
        const report = yield* StoreBackup.backup(parts, {
          directory: `${root}/backups/one/`,
          onProgress: (each) => void progress.push(each)
        })
        assert.deepInclude(report, { directory: `${root}/backups/one`, hotCount: 1, entryCount: builtCount })
        assert.deepStrictEqual(namesIn(`${root}/backups`), ["one"])
        assert.deepStrictEqual(namesIn(`${root}/backups/one`), ["catalog", "entries", "hot", "icecore.lock", "keys"])
        assert.deepInclude(progress.at(-1), { phase: "auditing", done: 7 })
        const layout = layoutAt(`${root}/backups/one`)
        assert.deepStrictEqual(yield* StoreAudit.findings({ layout, source: sourceOf(builtCount) }), [])
      }),
      engine
    )

    live(
      "copies a store at work to a whole one, that goes on from where the copy ends",
      Effect.gen(function* () {
        const root = yield* directory
        const store = yield* Store.make({ dataDir: `${root}/store`, geometry: Built.geometry, entriesPerCommit: 2 })
        yield* store.history.append(Array.from({ length: 10 }, (_, seq) => entryAt(seq)))
        let next = 10
        const writing = yield* Effect.forkChild(
          Effect.forever(
            Effect.suspend(() => store.history.append([entryAt(next), entryAt(next + 1)])).pipe(
              Effect.tap(() =>
                Effect.sync(() => {
                  next += 2
                })
              ),
              Effect.andThen(Effect.sleep("2 millis"))
            )
          )
        )
        const acknowledged = next
        const target = `${root}/copy`
        yield* store.backup({ directory: target })
        yield* Fiber.interrupt(writing)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const copy = yield* Store.make({ dataDir: target, geometry: Built.geometry })
            const { latest } = Option.getOrThrow(yield* copy.history.served)
            assert.isAtLeast(latest, acknowledged - 1)
            for (let seq = 0; seq <= latest; seq++) {
              assert.deepStrictEqual(yield* copy.history.get(seq), entryAt(seq))
              assert.isTrue(Option.exists(yield* copy.history.find(Built.keyAt(seq)), (found) => found.seq === seq))
            }
            yield* copy.history.append([entryAt(latest + 1)])
            yield* copy.settled
          })
        )
        assert.deepStrictEqual(yield* StoreAudit.findings({ layout: layoutAt(target), settled: false }), [])
      }),
      engine
    )
  })

describe("StoreBackup.backup", () => {
  live(
    "keeps what it copies from being pruned meanwhile, and lets it go afterwards",
    Effect.gen(function* () {
      const root = yield* directory
      const disk = yield* Disk
      let meanwhile: Effect.Effect<unknown> = Effect.void
      const slow: Disk = {
        ...disk,
        open: (path, mode) => {
          if (mode !== "create" || !path.startsWith(`${root}/copy.partial/entries`)) return disk.open(path, mode)
          const work = meanwhile
          meanwhile = Effect.void
          return Effect.andThen(work, disk.open(path, mode))
        }
      }
      const options = { geometry: Built.geometry, graceMillis: 0, retention: { chunks: 2 } }
      const store = yield* Effect.provideService(Store.make({ ...options, dataDir: `${root}/store` }), Disk, slow)
      const append = (from: number, count: number) =>
        Effect.andThen(
          store.history.append(Array.from({ length: count }, (_, at) => entryAt(from + at))),
          store.settled
        )
      yield* append(0, 18)
      const oldest = `${root}/store/entries/00000/00000002.pack`
      meanwhile = Effect.orDie(append(18, 16))
      assert.isTrue(Fs.existsSync(oldest))
      yield* store.backup({ directory: `${root}/copy` })
      assert.deepStrictEqual(yield* store.history.served, Option.some({ floor: 24, latest: 33 }))
      const layout = layoutAt(`${root}/copy`)
      assert.deepStrictEqual(yield* StoreAudit.findings({ layout, settled: false, keptChunks: 2 }), [])
      yield* append(34, 4)
      assert.isFalse(Fs.existsSync(oldest))
      assert.deepStrictEqual(yield* StoreAudit.findings({ layout: layoutAt(`${root}/store`), keptChunks: 2 }), [])
    })
  )

  live(
    "refuses a directory that holds something, is a file, or lies in the store, by whatever path",
    Effect.gen(function* () {
      const { root, parts } = yield* prepared
      Fs.mkdirSync(`${root}/full/x`, { recursive: true })
      Fs.writeFileSync(`${root}/file`, "")
      Fs.symlinkSync(`${root}/store`, `${root}/link`)
      Fs.mkdirSync(`${root}/other.partial/x`, { recursive: true })
      const messageOf = (target: string) =>
        Effect.map(Effect.flip(StoreBackup.backup(parts, { directory: target })), ({ message }) => message)
      const refused = (target: string, detail: string) => `Cannot back up to ${target}: ${detail}`
      assert.strictEqual(yield* messageOf(`${root}/full`), refused(`${root}/full`, "it is not empty"))
      assert.strictEqual(yield* messageOf(`${root}/file`), refused(`${root}/file`, "it is no directory"))
      for (const inside of [`${root}/store/backup`, `${root}/store`, `${root}/link/a/b`, `${root}/store/hot/x`])
        assert.match(yield* messageOf(inside), /: the store lies in \//, inside)
      assert.match(yield* messageOf(`${root}/other`), /other\.partial is in its way, which no backup has left$/)
      assert.deepStrictEqual(namesIn(root), ["file", "full", "link", "other.partial", "store"])
    })
  )

  live(
    "keeps nothing of a copy whose audit finds something, and says what",
    Effect.gen(function* () {
      const { root, parts } = yield* prepared
      yield* Built.flip(`${root}/store/entries/00000/00000003.pack`, 3)
      Fs.mkdirSync(`${root}/copy`)
      const error = yield* Effect.flip(StoreBackup.backup(parts, { directory: `${root}/copy` }))
      assert.match(
        error.message,
        /^Cannot keep the backup in .*: its audit found: Cannot take .*00000003\.pack for what it should be: record 0/
      )
      assert.deepStrictEqual([namesIn(root), namesIn(`${root}/copy`)], [["copy", "store"], []])
    })
  )

  live(
    "leaves nothing when it is interrupted, or the target's disk fails at any of its operations",
    Effect.gen(function* () {
      const { root, parts } = yield* prepared
      const disk = yield* Disk
      const begun = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        StoreBackup.backup(
          {
            ...parts,
            holdDestruction: Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
          },
          { directory: `${root}/copy` }
        )
      )
      yield* Deferred.await(begun)
      assert.deepStrictEqual(namesIn(root), ["copy.partial", "store"])
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(namesIn(root), ["store"])
      let left = 0
      let failures = 0
      const failed = (path: string): DiskFailed =>
        new DiskFailed({ operation: "open", path, code: "EIO", detail: "input/output error" })
      const failing: Disk = {
        ...disk,
        open: (path, mode) => (mode === "create" && --left < 0 ? Effect.fail(failed(path)) : disk.open(path, mode)),
        syncDirectory: (path) =>
          path.startsWith(`${root}/copy`) && --left < 0 ? Effect.fail(failed(path)) : disk.syncDirectory(path)
      }
      for (let count = 0; ; count++) {
        left = count
        const made = yield* Effect.option(
          StoreBackup.backup(parts, { directory: `${root}/copy` }).pipe(Effect.provideService(Disk, failing))
        )
        const isThere = Fs.existsSync(`${root}/copy/catalog`)
        if (Option.isSome(made)) break
        failures++
        if (isThere) {
          // Whole, and only the sync of its directory failed.
          assert.deepStrictEqual(yield* StoreAudit.findings({ layout: layoutAt(`${root}/copy`) }), [])
          Fs.rmSync(`${root}/copy`, { recursive: true })
        } else assert.deepStrictEqual(namesIn(root), ["store"], `after failure ${count}`)
      }
      assert.isAtLeast(failures, 15)
      assert.deepStrictEqual(yield* StoreAudit.findings({ layout: layoutAt(`${root}/copy`) }), [])
    })
  )

  live(
    "clears what a killed backup has left, in which no store can be started",
    Effect.gen(function* () {
      const { root, parts } = yield* prepared
      Fs.mkdirSync(`${root}/copy.partial/catalog.pending`, { recursive: true })
      Fs.mkdirSync(`${root}/copy.partial/entries/00000`, { recursive: true })
      Fs.writeFileSync(`${root}/copy.partial/icecore-backup.partial`, "")
      Fs.writeFileSync(`${root}/copy.partial/entries/00000/00000000.pack`, "half")
      const started = yield* Effect.flip(Effect.scoped(Store.make({ dataDir: `${root}/copy.partial` })))
      assert.strictEqual(started._tag, "CatalogLost")
      Fs.rmSync(`${root}/copy.partial/catalog`, { recursive: true, force: true })
      yield* StoreBackup.backup(parts, { directory: `${root}/copy` })
      assert.deepStrictEqual(namesIn(root), ["copy", "store"])
      assert.deepStrictEqual(yield* StoreAudit.findings({ layout: layoutAt(`${root}/copy`) }), [])
    })
  )

  live(
    "refuses before it copies when too little space is free",
    Effect.gen(function* () {
      const { root, parts } = yield* prepared
      const disk = yield* Disk
      const full: Disk = { ...disk, freeSpaceBytes: () => Effect.succeed(1_000) }
      const error = yield* Effect.flip(
        StoreBackup.backup(parts, { directory: `${root}/copy` }).pipe(Effect.provideService(Disk, full))
      )
      assert.strictEqual(error._tag, "SpaceTooLow")
      assert.deepStrictEqual(namesIn(root), ["store"])
    })
  )

  live(
    "checkpoints the catalog anew when a hot chunk that it has is gone by then",
    Effect.gen(function* () {
      const { root, layout, parts } = yield* prepared
      let checkpoints = 0
      const catalog = yield* Effect.scoped(partsOf(layoutAt(`${root}/other`))).pipe(Effect.option)
      assert.isTrue(Option.isSome(catalog))
      yield* StoreBackup.backup(
        {
          ...parts,
          layout: { ...layout, roots: { ...layout.roots, hot: `${root}/nowhere` } },
          checkpointCatalog: (path) => {
            checkpoints++
            return parts.checkpointCatalog(path)
          },
          holdHot: (chunk) => (checkpoints < 3 ? Effect.succeedNone : parts.holdHot(chunk))
        },
        { directory: `${root}/copy` }
      )
      assert.strictEqual(checkpoints, 3)
      assert.deepStrictEqual(yield* StoreAudit.findings({ layout: layoutAt(`${root}/copy`) }), [])
    })
  )

  live(
    "checkpoints the catalog anew when a hot chunk that the store has not open goes while it is copied",
    Effect.gen(function* () {
      const { root, parts } = yield* prepared
      const { engine } = yield* HotEngine.HotEngine
      let copies = 0
      const goes = (path: string) => new EngineFailed({ path, operation: "make", detail: "it is gone" })
      const going: Engine = {
        ...engine,
        open: (options) =>
          Effect.map(engine.open(options), (database) =>
            options.mode !== "readOnly" || !options.path.startsWith(`${root}/store/hot`)
              ? database
              : {
                  ...database,
                  checkpoint: (path) =>
                    Effect.flatMap(database.checkpoint(path), () =>
                      ++copies < 3 ? Effect.fail(goes(path)) : Effect.void
                    )
                }
          )
      }
      yield* StoreBackup.backup({ ...parts, holdHot: () => Effect.succeedNone }, { directory: `${root}/copy` }).pipe(
        Effect.provideService(HotEngine.HotEngine, { engine: going })
      )
      assert.strictEqual(copies, 3)
      assert.deepStrictEqual(yield* StoreAudit.findings({ layout: layoutAt(`${root}/copy`) }), [])
    })
  )
})
