/**
 * Fills a record store until it is killed, and says before and after each step what it does.
 *
 * `<sqlite|lmdb> <directory>`. Lines: `put ID`, `keep ID COUNT`, `kept ID COUNT`, `end ID`, `ended ID`, `save ID`, `saved ID`; of a sync that
 * an earlier child left: `add ID BATCH`, `added ID BATCH`.
 */
import * as fs from "node:fs"
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, References } from "effect"
import * as Archive from "../src/Archive.ts"
import * as RecordStore from "../src/RecordStore.ts"
import { isFinished } from "../src/SyncRun.ts"
import {
  batchSize,
  Entry,
  entriesOf,
  firstAdded,
  pageCount,
  pageSize,
  pagesPerCheckpoint
} from "./RecordKillEntries.ts"

const [adapter, directory] = process.argv.slice(2) as [string, string]
const { layer } =
  adapter === "lmdb" ? await import("../src/live/LmdbEngine.ts") : await import("../src/live/SqliteEngine.ts")

/** In the pipe when it returns, whatever becomes of this process. */
const say = (...words: ReadonlyArray<string | number>): void => {
  fs.writeSync(1, `${words.join(" ")}\n`)
}

const end = Effect.fnUntraced(function* (store: RecordStore.RecordStore, id: string) {
  say("end", id)
  yield* store.endSync()
  say("ended", id)
  say("save", id)
  yield* Archive.save({
    source: { path: store.path, engineName: store.engineName, snapshot: store.database.snapshot },
    path: `${directory}/store.icearch`,
    overwrite: true
  })
  say("saved", id)
})

const program = Effect.gen(function* () {
  const store = yield* RecordStore.open({
    path: `${directory}/store`,
    types: [Entry],
    arenaBytes: RecordStore.minArenaBytes
  })
  for (const run of yield* store.listSyncs) {
    if (isFinished(run)) continue
    const id = run.sync_id
    yield* store.resumeSync(id)
    for (let batch = 0; batch < 10; batch++) {
      say("add", id, batch)
      yield* store.put(Entry, entriesOf(id, firstAdded + batch * batchSize, batchSize))
      say("added", id, batch)
    }
    yield* end(store, id)
  }
  for (;;) {
    yield* store.cleanup({ keepFinishedPerType: 2, keepUnfinishedMillis: Number.MAX_SAFE_INTEGER })
    const { sync_id: id } = yield* store.startSync({ type: "full" })
    for (let page = 0; page < pageCount; page++) {
      say("put", id)
      yield* store.put(Entry, entriesOf(id, page * pageSize, pageSize))
      if (page % pagesPerCheckpoint !== pagesPerCheckpoint - 1) continue
      const count = (page + 1) * pageSize
      say("keep", id, count)
      yield* store.checkpointSync(`${count}`)
      say("kept", id, count)
    }
    yield* end(store, id)
  }
})

await Effect.runPromise(
  Effect.provide(
    Effect.scoped(program),
    Layer.mergeAll(
      Layer.provideMerge(layer, Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, ZstdStreamLive.layer)),
      // Standard output is for the parent.
      Layer.succeed(References.MinimumLogLevel, "None")
    )
  )
)
