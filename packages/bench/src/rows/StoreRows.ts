/**
 * A whole store as it takes entries: one at a time beside the bare library, and from a file beside the commits alone.
 */
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { NdjsonSource, Store } from "@icecore/daemon"
import { type Database, Engine } from "@icecore/engine"
import { Effect, Layer } from "effect"
import * as KeyedLines from "../fixtures/KeyedLines.ts"
import { make as makeRows } from "../fixtures/KeyedRows.ts"
import { make as makeLines, withLineFeeds } from "../fixtures/Lines.ts"
import * as Bare from "../peers/Bare.ts"
import { type EnginePeer, enginePeers } from "../peers/EnginePeers.ts"
import { type Row, requireWork } from "../Row.ts"
import { fresh } from "./Fresh.ts"
import { storeServices } from "./StoreServices.ts"

const largeEntrySizeBytes = 20_000
const entrySizeBytes = 200

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
  /** Each entry has a key, which is looked up in the history before it is taken. */
  readonly hasKeys: boolean
  readonly targets: Row["targets"]
}

const plain = { isFreezing: false, hasKeys: false, targets: [{ kind: "throughput", atLeast: 0.8 }] } as const

const ingests: ReadonlyArray<Ingest> = [
  { ...plain, entriesPerCommit: 1, count: 2_000, quickCount: 100 },
  { ...plain, entriesPerCommit: 1_000, count: 200_000, quickCount: 10_000 },
  { ...plain, entriesPerCommit: 1, count: 2_000, quickCount: 100, hasKeys: true },
  { ...plain, entriesPerCommit: 1_000, count: 200_000, quickCount: 10_000, hasKeys: true },
  { ...plain, entriesPerCommit: 1_000, count: 200_000, quickCount: 20_000, isFreezing: true, targets: [] }
]

const ingestRow = ({ name, engine }: EnginePeer, ingest: Ingest): Row => {
  const { entriesPerCommit, isFreezing, hasKeys, targets } = ingest
  const row = `daemon/${name}/ingest/${entriesPerCommit}${isFreezing ? "-freezing" : ""}${hasKeys ? "-keys" : ""}`
  const more = `${isFreezing ? ", all chunks of 10,000 frozen at the end" : ""}${hasKeys ? ", each with a key" : ""}`
  return {
    name: row,
    work: `ingest lines of ${entrySizeBytes} bytes from a file through hot databases, ${entriesPerCommit} a commit${more}`,
    reference: `the same commits${hasKeys ? ", keys included," : ""} through the engine port, lines in memory`,
    unit: "entries",
    targets,
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const count = isQuick ? ingest.quickCount : ingest.count
      const keyed = hasKeys ? KeyedLines.make(count) : undefined
      const lines = keyed?.lines ?? makeLines(count, entrySizeBytes)
      const { keys } = makeRows({ count, order: "ascending", keySizeBytes: 8, valueSizeBytes: 0 })
      const path = `${directory}/lines.ndjson`
      yield* Effect.sync(() => writeFileSync(path, withLineFeeds(lines)))
      const stores = storeServices(engine, hasKeys ? { keys: [KeyedLines.keyPointer] } : {})
      const services = yield* Layer.build(Layer.merge(stores, NodeServices.layer))
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
            const file = yield* Effect.provideContext(NdjsonSource.make({ path }), services)
            // What can be read only once goes through hot databases; backfills have rows of their own.
            const { entryCount } = yield* subject.current().ingest({ ...file, isRepeatable: false })
            yield* requireWork(row, "entries ingested", { expected: count, actual: entryCount })
          })
        },
        reference: {
          prepare: reference.renew,
          run: Effect.suspend(() =>
            commitAll(reference.current(), { seqs: keys, lines, keys: keyed?.keys }, entriesPerCommit)
          )
        }
      }
    })
  }
}

export const storeRows: ReadonlyArray<Row> = enginePeers.flatMap((peer) => [
  hotCommitRow(peer),
  ...ingests.map((ingest) => ingestRow(peer, ingest))
])

/** A database as a hot chunk has it. */
const openHot = (path: string) =>
  Effect.flatMap(Engine, (engine) => engine.open({ path, keyspaces: ["entries", "keys", "source"] }))

const positionKey = new Uint8Array(8)
const position = new Uint8Array(100)

const keyPrefixSizeBytes = 16
/** What a hot chunk keeps with the first half of a key: the other half and the seq. */
const keyedValue = new Uint8Array(24)

/** What a hot chunk commits: entries, their keys, and the position of the source behind them. */
const commitAll = (
  database: Database,
  {
    seqs,
    lines,
    keys
  }: {
    readonly seqs: ReadonlyArray<Uint8Array>
    readonly lines: ReadonlyArray<Uint8Array>
    readonly keys: ReadonlyArray<Uint8Array> | undefined
  },
  entriesPerCommit: number
) => {
  let from = 0
  return Effect.whileLoop({
    while: () => from < lines.length,
    body: () =>
      database.write((batch) => {
        const to = Math.min(from + entriesPerCommit, lines.length)
        for (; from < to; from++) {
          batch.put("entries", seqs[from]!, lines[from]!)
          if (keys !== undefined) batch.put("keys", keys[from]!.subarray(0, keyPrefixSizeBytes), keyedValue)
        }
        batch.put("source", positionKey, position)
      }),
    step: () => undefined
  })
}
