import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Disk } from "../src/Disk.ts"
import { LiveDisk } from "../src/live/index.ts"
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
})
