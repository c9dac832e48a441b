/**
 * Puts, lists, saves or opens grants in a process of its own, and prints the largest resident set of that process.
 *
 * `<put|list|save|open> <sqlite|lmdb> <directory> <grants>`. `put` makes the store that `list` and `save` read, `save` the archive that
 * `open` reads.
 */
import { rmSync } from "node:fs"
import { Archive, type RecordReader } from "@icecore/engine"
import { Grant } from "@icecore/engine/access"
import { LiveDisk } from "@icecore/packfile/live"
import { Console, Effect, Layer, Option } from "effect"
import { shapeOf } from "../fixtures/AccessData.ts"
import * as LiveResidentMemory from "../live/LiveResidentMemory.ts"
import { archiveServices, fill, openStore } from "../peers/RecordStores.ts"
import { ResidentMemory } from "../ResidentMemory.ts"

const [mode, engine, directory, grants] = process.argv.slice(2) as [string, string, string, string]
const grantCount = Number(grants)
const archive = `${directory}/store.icearch`

const put = Effect.gen(function* () {
  const store = yield* openStore(directory)
  yield* fill(store, shapeOf(grantCount))
  return grantCount
})

const listAll = Effect.fnUntraced(function* (reader: RecordReader.RecordReader) {
  let count = 0
  let pageToken: string | undefined
  do {
    const page: RecordReader.Page<Grant> = yield* reader.list(Grant, pageToken === undefined ? {} : { pageToken })
    count += page.items.length
    pageToken = Option.getOrUndefined(page.nextPageToken)
  } while (pageToken !== undefined)
  return count
})

const list = Effect.flatMap(openStore(directory), listAll)

const save = Effect.gen(function* () {
  const store = yield* openStore(directory)
  yield* Effect.sync(() => rmSync(archive, { force: true }))
  const { manifest } = yield* Archive.save({ source: yield* Archive.sourceOf(store), path: archive })
  return manifest.syncs[0]!.counts.Grant!
})

const open = Effect.gen(function* () {
  const { reader } = yield* Archive.open(archive)
  return yield* listAll(reader)
})

const programs = { put, list, save, open }
const { layer } = engine === "lmdb" ? await import("@icecore/engine/lmdb") : await import("@icecore/engine/sqlite")

const program = Effect.gen(function* () {
  const start = performance.now()
  const count = yield* programs[mode as keyof typeof programs]
  const seconds = (performance.now() - start) / 1_000
  const peakBytes = yield* (yield* ResidentMemory).peakBytes
  yield* Console.log(JSON.stringify({ count, seconds, peakBytes }))
})

// Not through `NodeRuntime`, whose modules would take 24 MB of what is measured.
Effect.runPromise(
  Effect.provide(
    Effect.scoped(program),
    Layer.mergeAll(Layer.provide(layer, LiveDisk.layer), archiveServices, LiveResidentMemory.layer)
  )
)
