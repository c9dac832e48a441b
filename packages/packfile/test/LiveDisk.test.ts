import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Disk } from "../src/Disk.ts"
import { LiveDisk } from "../src/live/index.ts"
import * as LiveFile from "../src/live/LiveFile.ts"
import { DiskConformance } from "../src/testing/index.ts"

const root = mkdtempSync(join(tmpdir(), "icecore-disk-"))
afterAll(() => rmSync(root, { recursive: true }))

describe("LiveDisk conformance", () => {
  for (const { name, run } of DiskConformance.diskConformance(root)) {
    it.effect(name, () => run.pipe(Effect.provide(LiveDisk.layer)))
  }
})

describe("LiveDisk", () => {
  // A device that every write to finds full.
  const full = "/dev/full"

  for (const length of [10, 1_000_000]) {
    it.effect.skipIf(!existsSync(full))(
      `fails with DiskFull on a full disk and poisons the file (${length} bytes)`,
      () =>
        Effect.gen(function* () {
          const disk = yield* Disk
          const file = yield* disk.open(full, "readWrite")
          const first = yield* Effect.flip(file.writeAt(new Uint8Array(length), 0))
          assert.strictEqual(first.message, "Cannot write /dev/full: no space left (ENOSPC)")
          for (const later of [
            file.writeAt(new Uint8Array(0), 0),
            file.sync,
            file.truncate(0),
            file.startWriteback(0, 1)
          ]) {
            assert.strictEqual(yield* Effect.flip(later), first)
          }
          yield* file.readAt(new Uint8Array(length), 0)
        }).pipe(Effect.provide(LiveDisk.layer))
    )
  }

  it.live("sync fails when the datasync in the background took the error, even if it tells of it after the sync", () =>
    Effect.gen(function* () {
      const path = join(root, "late")
      const descriptor = openSync(path, "w+")
      const tells: Array<(cause: NodeJS.ErrnoException) => void> = []
      const { file } = LiveFile.make(path, descriptor, undefined, (_, callback) => {
        tells.push(callback)
      })
      yield* file.startWriteback(0, 1)
      const syncing = yield* Effect.forkChild(Effect.flip(file.sync), { startImmediately: true })
      // By now the system has long answered the sync itself.
      yield* Effect.sleep(50)
      for (const tell of tells) tell(Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" }))
      const error = yield* Fiber.join(syncing)
      assert.strictEqual(error.message, `Cannot sync ${path}: i/o error (EIO)`)
      closeSync(descriptor)
    })
  )

  it.effect.skipIf(!existsSync("/proc/self"))(
    "lock fails with a typed error on a file system that takes no files",
    () =>
      Effect.gen(function* () {
        const disk = yield* Disk
        const error = yield* Effect.flip(disk.lock("/proc/LOCK"))
        assert.include(["DiskFailed", "DiskNotFound"], error._tag)
        assert.match(error.message, /^Cannot lock \/proc\/LOCK: /)
      }).pipe(Effect.provide(LiveDisk.layer))
  )

  it.effect.skipIf(process.platform === "win32")("makeDirectory lets nobody else into what is to be private", () =>
    Effect.gen(function* () {
      const disk = yield* Disk
      yield* disk.makeDirectory(join(root, "private", "inner"), { isPrivate: true })
      for (const name of ["private", "private/inner"]) {
        assert.strictEqual(statSync(join(root, name)).mode & 0o777, 0o700)
      }
    }).pipe(Effect.provide(LiveDisk.layer))
  )
})
