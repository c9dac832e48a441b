/**
 * A whole store as it takes entries: one at a time beside the bare library, and from a file beside the commits alone.
 */
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { HotEngine } from "@icecore/catalog"
import { ZstdLive } from "@icecore/codec"
import { NdjsonDomain, NdjsonSource, Store } from "@icecore/daemon"
import { type Database, Engine } from "@icecore/engine"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer } from "effect"
import { make as makeRows } from "../fixtures/KeyedRows.ts"
import { make as makeLines } from "../fixtures/Lines.ts"
import * as Bare from "../peers/Bare.ts"
import { type EnginePeer, enginePeers } from "../peers/EnginePeers.ts"
import { type Row, requireWork } from "../Row.ts"
import { fresh } from "./Fresh.ts"

const largeEntrySizeBytes = 20_000
const entrySizeBytes = 200

/** What a store with this one engine is built on. */
const storeServices = (engine: Layer.Layer<Engine>): Layer.Layer<Store.StoreServices> =>
  Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, NdjsonDomain.layer, HotEngine.layer).pipe(Layer.provideMerge(engine))

const hotCommitRow = ({ name, engine, bare }: EnginePeer): Row => ({
  name: `daemon/${name}/hot-commit`,
  work: "append one entry of 20 KB at a time to a store, synced",
  reference: `${bare.name}, one transaction with one row an entry`,
  unit: "commits",
  targets: [{ kind: "time", atMost: 1.3 }],
  setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
    const count = isQuick ? 10 : 500
    const entries = makeLines(count, largeEntrySizeBytes)
    const { keys } = makeRows({ count, order: "ascending", keySizeBytes: 8, valueSizeBytes: 0 })
    const services = yield* Layer.build(storeServices(engine))
    const subject = yield* fresh(directory, (dataDir) => Effect.provideContext(Store.make({ dataDir }), services))
    const reference = yield* fresh(directory, (path) => Bare.scoped(bare, path, ["entries"]))
    return {
      unitsPerRound: count,
      subject: {
        prepare: subject.renew,
        run: Effect.suspend(() => {
          const { history } = subject.current()
          return Effect.forEach(entries, (entry) => history.append([entry]), { discard: true })
        })
      },
      reference: {
        prepare: reference.renew,
        run: Effect.sync(() => {
          const database = reference.current()
          for (let entry = 0; entry < count; entry++) database.write((put) => put(0, keys[entry]!, entries[entry]!))
        })
      }
    }
  })
})

/** Entries of one round. Without `isFreezing` all go into one chunk that is never complete. */
interface Ingest {
  readonly entriesPerCommit: number
  readonly count: number
  readonly quickCount: number
  readonly isFreezing: boolean
  readonly targets: Row["targets"]
}

const target: Row["targets"] = [{ kind: "throughput", atLeast: 0.8 }]

const ingests: ReadonlyArray<Ingest> = [
  { entriesPerCommit: 1, count: 2_000, quickCount: 100, isFreezing: false, targets: target },
  { entriesPerCommit: 1_000, count: 200_000, quickCount: 10_000, isFreezing: false, targets: target },
  { entriesPerCommit: 1_000, count: 200_000, quickCount: 20_000, isFreezing: true, targets: [] }
]

const ingestRow = ({ name, engine }: EnginePeer, ingest: Ingest): Row => {
  const { entriesPerCommit, isFreezing, targets } = ingest
  const row = `daemon/${name}/ingest/${entriesPerCommit}${isFreezing ? "-freezing" : ""}`
  return {
    name: row,
    work: `ingest a file of lines of ${entrySizeBytes} bytes, ${entriesPerCommit} a commit${isFreezing ? ", all chunks of 10,000 frozen at the end" : ""}`,
    reference: "the same commits through the engine port, lines in memory",
    unit: "entries",
    targets,
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const count = isQuick ? ingest.quickCount : ingest.count
      const lines = makeLines(count, entrySizeBytes)
      const { keys } = makeRows({ count, order: "ascending", keySizeBytes: 8, valueSizeBytes: 0 })
      const path = `${directory}/lines.ndjson`
      yield* Effect.sync(() => writeFileSync(path, withLineFeeds(lines)))
      const services = yield* Layer.build(Layer.merge(storeServices(engine), NodeServices.layer))
      const geometry = isFreezing ? {} : { entriesPerChunk: count + 1 }
      const subject = yield* fresh(directory, (dataDir) =>
        Effect.provideContext(Store.make({ dataDir, geometry, entriesPerCommit }), services)
      )
      const reference = yield* fresh(directory, (parent) =>
        Effect.provideContext(openHot(`${parent}/database`), services)
      )
      return {
        unitsPerRound: count,
        subject: {
          prepare: subject.renew,
          run: Effect.gen(function* () {
            const source = yield* Effect.provideContext(NdjsonSource.make({ path }), services)
            const { entryCount } = yield* subject.current().ingest(source)
            yield* requireWork(row, "entries ingested", { expected: count, actual: entryCount })
          })
        },
        reference: {
          prepare: reference.renew,
          run: Effect.suspend(() => commitAll(reference.current(), keys, lines, entriesPerCommit))
        }
      }
    })
  }
}

export const storeRows: ReadonlyArray<Row> = enginePeers.flatMap((peer) => [
  hotCommitRow(peer),
  ...ingests.map((ingest) => ingestRow(peer, ingest))
])

const withLineFeeds = (lines: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = new Uint8Array(lines.length * (entrySizeBytes + 1)).fill(0x0a)
  for (const [index, line] of lines.entries()) bytes.set(line, index * (entrySizeBytes + 1))
  return bytes
}

/** A database as a hot chunk has it. */
const openHot = (path: string) =>
  Effect.flatMap(Engine, (engine) => engine.open({ path, keyspaces: ["entries", "source"] }))

const positionKey = new Uint8Array(8)
const position = new Uint8Array(100)

/** What a hot chunk commits: entries, and the position of the source behind them. */
const commitAll = (
  database: Database,
  keys: ReadonlyArray<Uint8Array>,
  entries: ReadonlyArray<Uint8Array>,
  entriesPerCommit: number
) => {
  let from = 0
  return Effect.whileLoop({
    while: () => from < entries.length,
    body: () =>
      database.write((batch) => {
        const to = Math.min(from + entriesPerCommit, entries.length)
        for (; from < to; from++) batch.put("entries", keys[from]!, entries[from]!)
        batch.put("source", positionKey, position)
      }),
    step: () => undefined
  })
}
