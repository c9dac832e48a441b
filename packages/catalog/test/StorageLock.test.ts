import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { LiveDisk } from "@icecore/packfile/live"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Exit, Scope } from "effect"
import * as Layout from "../src/Layout.ts"
import * as StorageLock from "../src/StorageLock.ts"

const directory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "icecore-lock-")))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const acquire = (options: Layout.LayoutOptions) => Effect.flatMap(Layout.make(options), StorageLock.acquire)

const holder = new URL("./fixtures/HoldStorageLock.ts", import.meta.url).pathname

/** A second process that holds the locks of a store until it is killed. */
const holdElsewhere = (dataDir: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = Bun.spawn([process.execPath, holder, dataDir], { stdout: "pipe", stderr: "inherit" })
      const reader = child.stdout.getReader()
      const first = await reader.read()
      return { child, said: new TextDecoder().decode(first.value).trim() }
    }),
    ({ child }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return child.exited
      })
  )

describe("StorageLock", () => {
  it.effect("StorageLock.acquire refuses a second scope and names the directory", () =>
    Effect.gen(function* () {
      const dataDir = yield* directory
      yield* acquire({ dataDir })
      const error = yield* Effect.flip(Effect.scoped(acquire({ dataDir })))
      assert.deepStrictEqual([error._tag, "path" in error && error.path], ["StorageLocked", dataDir])
    }).pipe(Effect.provide(LiveDisk.layer))
  )

  it.effect("StorageLock.acquire names the data directory also when the identity of a tree sorts before it", () =>
    Effect.gen(function* () {
      // The ninth inode, so that the trees have two digits.
      const dataDir = "/1/2/3/4/5/6/7/8/9"
      yield* acquire({ dataDir })
      const error = yield* Effect.flip(Effect.scoped(acquire({ dataDir })))
      assert.deepStrictEqual([error._tag, "path" in error && error.path], ["StorageLocked", dataDir])
    }).pipe(Effect.provide(SimulatedDisk.layer(CrashRecorder.make())))
  )

  it.effect("StorageLock.acquire is free again when the scope ends", () =>
    Effect.gen(function* () {
      const dataDir = yield* directory
      yield* Effect.scoped(acquire({ dataDir }))
      yield* Effect.scoped(acquire({ dataDir }))
    }).pipe(Effect.provide(LiveDisk.layer))
  )

  it.live(
    "StorageLock.acquire is refused within a second while another process holds it, and free when that is killed",
    () =>
      Effect.gen(function* () {
        const dataDir = yield* directory
        const scope = yield* Scope.make()
        const { said } = yield* Scope.provide(holdElsewhere(dataDir), scope)
        assert.strictEqual(said, "held")
        const start = performance.now()
        const error = yield* Effect.flip(Effect.scoped(acquire({ dataDir })))
        assert.isBelow(performance.now() - start, 1_000)
        assert.strictEqual(error._tag, "StorageLocked")
        assert.isTrue("path" in error && error.path.startsWith(dataDir))
        yield* Scope.close(scope, Exit.void)
        yield* acquire({ dataDir })
      }).pipe(Effect.provide(LiveDisk.layer))
  )

  for (const tree of ["hot", "entries", "events", "keys"] as const)
    it.effect(`StorageLock.acquire refuses a store that shares only the ${tree} tree`, () =>
      Effect.gen(function* () {
        const base = yield* directory
        yield* acquire({ dataDir: join(base, "one") })
        const shared = join(base, "one", tree)
        const error = yield* Effect.flip(
          Effect.scoped(acquire({ dataDir: join(base, "two"), roots: { [tree]: shared } }))
        )
        assert.deepStrictEqual([error._tag, "path" in error && error.path], ["StorageLocked", shared])
      }).pipe(Effect.provide(LiveDisk.layer))
    )

  it.effect("StorageLock.acquire sees through a link that two stores share", () =>
    Effect.gen(function* () {
      const base = yield* directory
      yield* Effect.sync(() => {
        mkdirSync(join(base, "slow"))
        mkdirSync(join(base, "two"))
        symlinkSync(join(base, "slow"), join(base, "two", "entries"))
      })
      yield* acquire({ dataDir: join(base, "one"), roots: { entries: join(base, "slow") } })
      const error = yield* Effect.flip(Effect.scoped(acquire({ dataDir: join(base, "two") })))
      assert.strictEqual(error._tag, "StorageLocked")
    }).pipe(Effect.provide(LiveDisk.layer))
  )

  it.effect("StorageLock.acquire takes a directory once that two trees reach by links", () =>
    Effect.gen(function* () {
      const base = yield* directory
      yield* Effect.sync(() => {
        mkdirSync(join(base, "slow"))
        symlinkSync(join(base, "slow"), join(base, "link"))
      })
      yield* acquire({ dataDir: join(base, "one"), roots: { entries: join(base, "slow"), events: join(base, "link") } })
    }).pipe(Effect.provide(LiveDisk.layer))
  )

  it.effect("StorageLock.acquire lets one of two crossed stores in, whoever asks first", () =>
    Effect.gen(function* () {
      const base = yield* directory
      const one = { dataDir: join(base, "one"), roots: { entries: join(base, "a"), events: join(base, "b") } }
      const two = { dataDir: join(base, "two"), roots: { entries: join(base, "b"), events: join(base, "a") } }
      const results = yield* Effect.forEach([one, two], (options) => Effect.exit(acquire(options)), {
        concurrency: "unbounded"
      })
      assert.strictEqual(results.filter(Exit.isSuccess).length, 1)
    }).pipe(Effect.provide(LiveDisk.layer))
  )

  it.effect("StorageLock.acquire keeps nothing when it is refused", () =>
    Effect.gen(function* () {
      const base = yield* directory
      const scope = yield* Scope.make()
      yield* Scope.provide(acquire({ dataDir: join(base, "one"), roots: { keys: join(base, "keys") } }), scope)
      const two = { dataDir: join(base, "two"), roots: { keys: join(base, "keys") } }
      yield* Effect.flip(Effect.scoped(acquire(two)))
      yield* Scope.close(scope, Exit.void)
      yield* acquire(two)
    }).pipe(Effect.provide(LiveDisk.layer))
  )
})
