/**
 * One step with so many sources in stores of an engine: `fill` them, or `merge` them into another store and compare that with the model.
 * Prints the most memory of its own that the process had, which is without files that are mapped: all of LMDB's are, and the program.
 * Parameters: the step, the engine, a directory, sources, records of each.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { type Engine, RecordStore, StoreDirectory } from "@icecore/engine"
import { Grant } from "@icecore/engine/access"
import * as LmdbEngine from "@icecore/engine/lmdb"
import * as SqliteEngine from "@icecore/engine/sqlite"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, type Scope, Stream } from "effect"
import { Merge } from "../../src/index.ts"
import { knownTo, type Sources, winnersOf } from "../MergeMemoryFixtures.ts"

const [step, engineName, directory, sourceCount, recordCount] = process.argv.slice(2) as [
  "fill" | "merge",
  "sqlite" | "lmdb",
  string,
  string,
  string
]
const sources: Sources = { sourceCount: Number(sourceCount), recordCount: Number(recordCount) }
const pathOf = (source: number): string => `${directory}/source${source}`

const fill = Effect.gen(function* () {
  for (let source = 0; source < sources.sourceCount; source++) {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const store = yield* RecordStore.open({ path: pathOf(source), types: [Grant] })
        yield* store.startSync({ type: "full" })
        const grants = [...knownTo(sources, source)]
        for (let at = 0; at < grants.length; at += 1_000) yield* store.put(Grant, grants.slice(at, at + 1_000))
        yield* store.endSync()
      })
    )
  }
})

const megabytesOf = (name: string): number =>
  Math.round(
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync("/proc/self/status", "utf8"))![1]) / 1_000
  )

/** Runs the effect and says how much memory of its own the process had at most. */
const measured = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const before = megabytesOf("RssAnon")
    const started = performance.now()
    let peak = before
    const sample = () => {
      peak = Math.max(peak, megabytesOf("RssAnon"))
    }
    const timer = setInterval(sample, 5)
    return Effect.tap(effect, () =>
      Effect.sync(() => {
        clearInterval(timer)
        sample()
        const millis = Math.round(performance.now() - started)
        const all = `${megabytesOf("VmHWM")} MB with files`
        console.log(`merged with ${peak} MB, ${before} MB before and ${all}, in ${millis} ms`)
      })
    )
  })

const merge = Effect.gen(function* () {
  const opened: Array<{ readonly source: StoreDirectory.StoreDirectory }> = []
  for (let source = 0; source < sources.sourceCount; source++) {
    opened.push({ source: yield* StoreDirectory.open(pathOf(source), { cacheSizeBytes: 64 * 1024 }) })
  }
  const into = yield* RecordStore.open({
    path: `${directory}/into`,
    types: [Grant],
    arenaBytes: RecordStore.minArenaBytes
  })
  // A turn of the event loop for each step, so that the timer sees it.
  const onProgress = () => Effect.yieldNow
  const { run, types } = yield* measured(Merge.merge({ sources: opened, into, onProgress }))
  console.log(JSON.stringify(types))
  const hash = createHash("sha256")
  yield* Stream.runForEachArray(into.stream(Grant, { sync: run.sync_id }), (grants) =>
    Effect.sync(() => {
      for (const { annotations, discovered_at, external_id } of grants) {
        hash.update(`${external_id} ${discovered_at} ${annotations[0]!.value[0]}\n`)
      }
    })
  )
  const expected = createHash("sha256")
  for (const { discovered_at, external_id, source } of winnersOf(sources)) {
    expected.update(`${external_id} ${discovered_at} ${source}\n`)
  }
  const digest = hash.digest("hex")
  console.log(digest)
  console.log(digest === expected.digest("hex") ? "as the model" : "not as the model")
})

const engine = { sqlite: SqliteEngine.layer, lmdb: LmdbEngine.layer }[engineName]
const steps: { readonly [step: string]: Effect.Effect<void, unknown, Engine | Scope.Scope> } = { fill, merge }
const program = Effect.scoped(steps[step]!)
await Effect.runPromise(Effect.provide(program, Layer.provide(engine, LiveDisk.layer)))
