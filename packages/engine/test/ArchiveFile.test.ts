import { assert, describe, it } from "@effect/vitest"
import { Disk, DiskFailed } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect } from "effect"
import { formatVersion, type Manifest } from "../src/format/ArchiveFormat.ts"
import { keyLayoutVersion } from "../src/format/RecordLayout.ts"
import * as ArchiveFile from "../src/internal/archive/ArchiveFile.ts"

const path = "/saved.icearch"
const theirs = new TextEncoder().encode("of somebody else")

const draft: Manifest = {
  format_version: formatVersion,
  creator: "test",
  created_at: 0,
  engine: "sqlite",
  key_layout_version: keyLayoutVersion,
  encoding: "pack",
  types: [],
  syncs: [],
  parts: []
}

/** Another program's file comes to be at the path. */
const intrude = Effect.fnUntraced(function* (disk: Disk) {
  const file = yield* disk.open(path, "replace")
  yield* file.writeAt(theirs, 0)
}, Effect.scoped)

/** Publishes an archive on a disk that is changed so; gives the outcome, the bytes at the path and the names beside it. */
const published = Effect.fnUntraced(function* (overwrite: boolean, change: (disk: Disk) => Partial<Disk>) {
  const { disk } = SimulatedDisk.make(CrashRecorder.make())
  const outcome = yield* ArchiveFile.make({ path, draft, overwrite }).pipe(
    Effect.flatMap((archive) => archive.publish(draft)),
    Effect.scoped,
    Effect.match({ onSuccess: () => "saved", onFailure: ({ _tag }) => _tag }),
    Effect.provideService(Disk, { ...disk, ...change(disk) })
  )
  const file = yield* disk.open(path, "read")
  const bytes = new Uint8Array(yield* file.size)
  yield* file.readAt(bytes, 0)
  const isTheirs = Buffer.compare(bytes, theirs) === 0
  return { outcome, isTheirs, names: (yield* disk.list("/")).map(({ name }) => name) }
}, Effect.scoped)

const names = ["saved.icearch"]

/** Somebody else is faster by one call, whichever gives the file its name. */
const intruded = (disk: Disk): Partial<Disk> => ({
  link: (options) => Effect.andThen(intrude(disk), disk.link(options)),
  rename: (options) => Effect.andThen(intrude(disk), disk.rename(options))
})

const withoutLinks =
  (intruding: (disk: Disk) => Effect.Effect<void, unknown>) =>
  (disk: Disk): Partial<Disk> => ({
    link: ({ target }) =>
      Effect.andThen(
        Effect.orDie(intruding(disk)),
        Effect.fail(new DiskFailed({ operation: "link", path: target, code: "EPERM", detail: "not permitted" }))
      )
  })

describe("ArchiveFile", () => {
  it.effect("ArchiveFile.publish leaves a file that came to be there at the last moment", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* published(false, intruded), { outcome: "ArchiveExists", isTheirs: true, names })
    })
  )

  it.effect("ArchiveFile.publish replaces a file that came to be there when it is told to overwrite", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* published(true, intruded), { outcome: "saved", isTheirs: false, names })
    })
  )

  it.effect("ArchiveFile.publish gives the name where files have one name only, and leaves a file that is there", () =>
    Effect.gen(function* () {
      const alone = withoutLinks(() => Effect.void)
      assert.deepStrictEqual(yield* published(false, alone), { outcome: "saved", isTheirs: false, names })
      const late = withoutLinks(intrude)
      assert.deepStrictEqual(yield* published(false, late), { outcome: "ArchiveExists", isTheirs: true, names })
    })
  )
})
