/**
 * One step with a store of so many megabytes: `fill` it, `save` it, or `open` what was saved and list it. Prints the largest
 * resident set of the step above that before it. Parameters: a directory, megabytes, an encoding, the step.
 */
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { Archive, ArchiveEngines, type Engine } from "@icecore/engine"
import * as SqliteEngine from "@icecore/engine/sqlite"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option } from "effect"
import { Account, open } from "../ArchiveFixtures.ts"

const [directory, megabytes, encoding] = process.argv.slice(2) as [string, string, Archive.ArchiveEncoding]
const dataSizeBytes = 4000
const count = Math.floor((Number(megabytes) * 1e6) / dataSizeBytes)

let state = 1
const dataOf = (): Uint8Array => {
  const data = new Uint8Array(dataSizeBytes)
  for (let at = 0; at < dataSizeBytes; at++) {
    if (at % 4 === 0) state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    data[at] = at % 4 === 0 ? state >>> 24 : at & 0xff
  }
  return data
}

const fillStore = Effect.gen(function* () {
  const store = yield* open(`${directory}/store`)
  yield* store.startSync({ type: "full" })
  for (let at = 0; at < count; at += 500) {
    const accounts = Array.from({ length: Math.min(500, count - at) }, (_, index) => ({
      id: `account-${String(at + index).padStart(9, "0")}`,
      owner: `owner-${(at + index) % 97}`,
      active: (at + index) % 2 === 0,
      data: dataOf(),
      discovered_at: 1_700_000_000_000_000
    }))
    yield* store.put(Account, accounts)
  }
  yield* store.endSync()
})

/** Runs a step and prints how much it took, at most. */
const measured = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    ;(globalThis as { readonly Bun?: { readonly gc: (force: boolean) => void } }).Bun?.gc(true)
    const before = process.memoryUsage().rss
    const started = performance.now()
    let peak = before
    const sample = () => {
      peak = Math.max(peak, process.memoryUsage().rss)
    }
    const timer = setInterval(sample, 5)
    return Effect.tap(effect, () =>
      Effect.sync(() => {
        clearInterval(timer)
        sample()
        console.log(`${name} ${Math.round((peak - before) / 1e6)} MB ${Math.round(performance.now() - started)} ms`)
      })
    )
  })

const path = `${directory}/saved.icearch`

const step = process.argv[5]
const program = Effect.gen(function* () {
  if (step === "fill") return yield* fillStore
  if (step === "save") {
    const store = yield* open(`${directory}/store`)
    const source = yield* Archive.sourceOf(store)
    return yield* measured("save", Archive.save({ source, path, encoding, overwrite: true }))
  }
  const archive = yield* measured(
    "open",
    Effect.gen(function* () {
      const opened = yield* Archive.open(path, { temporaryDirectory: directory })
      const found = yield* opened.reader.get(Account, { id: "account-000000007" })
      return Option.isSome(found) ? opened : yield* Effect.die(new Error("a record is gone"))
    })
  )
  yield* measured(
    "list",
    Effect.gen(function* () {
      let listed = 0
      for (let pageToken: string | undefined; ; ) {
        const pages = { pageSize: 1000, ...(pageToken === undefined ? {} : { pageToken }) }
        const { items, nextPageToken } = yield* archive.reader.list(Account, pages)
        listed += items.length
        if (Option.isNone(nextPageToken)) break
        pageToken = nextPageToken.value
      }
      if (listed !== count) return yield* Effect.die(new Error(`${listed} records, expected ${count}`))
    })
  )
}) as Effect.Effect<unknown, unknown, Engine | Layer.Success<typeof base>>

const base = Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, ZstdStreamLive.layer)
const live = Layer.merge(SqliteEngine.layer, ArchiveEngines.layer({ sqlite: SqliteEngine.layer })).pipe(
  Layer.provideMerge(base)
)

await Effect.runPromise(Effect.scoped(Effect.provide(program, live)) as Effect.Effect<unknown, unknown>)
