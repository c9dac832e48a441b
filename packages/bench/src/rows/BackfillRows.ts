/**
 * A bounded log straight into frozen files, with a key an entry: beside what goes through hot databases, and beside programs that do
 * a part of the work.
 */
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { NdjsonSource, type Source, Store } from "@icecore/daemon"
import { Effect, Layer } from "effect"
import * as KeyedLines from "../fixtures/KeyedLines.ts"
import { withLineFeeds } from "../fixtures/Lines.ts"
import { type EnginePeer, enginePeers } from "../peers/EnginePeers.ts"
import * as Program from "../peers/Program.ts"
import { type Contender, type Row, requireWork } from "../Row.ts"
import { type Fresh, fresh } from "./Fresh.ts"
import { storeServices } from "./StoreServices.ts"

const entriesPerChunk = 10_000
const entriesPerCommit = 1_000

type Peer = "hot" | "zstd"

const references: Record<Peer, string> = {
  hot: `the same file through hot databases, ${entriesPerCommit} a commit, then frozen`,
  zstd: "zstd -3 -T0 and sha256sum of the file at once, not synced"
}

const backfillRow = ({ name, engine }: EnginePeer, peer: Peer): Row => {
  const row = `daemon/${name}/backfill/${peer}`
  return {
    name: row,
    work: `ingest a file of lines of ${KeyedLines.lineSizeBytes} bytes, each with a key, straight into frozen chunks of ${entriesPerChunk}`,
    reference: references[peer],
    unit: "entries",
    targets: [],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      if (peer === "zstd") yield* Program.required(row, ["zstd", "sha256sum"])
      const count = isQuick ? 2 * entriesPerChunk : 40 * entriesPerChunk
      const path = `${directory}/lines.ndjson`
      yield* Effect.sync(() => writeFileSync(path, withLineFeeds(KeyedLines.make(count).lines)))
      const services = yield* Layer.build(
        Layer.merge(storeServices(engine, { keys: [KeyedLines.keyPointer] }), NodeServices.layer)
      )
      const ingest = (store: Fresh<Store.Store>, change: (source: Source) => Source): Contender => ({
        prepare: store.renew,
        run: Effect.gen(function* () {
          const source = change(yield* Effect.provideContext(NdjsonSource.make({ path }), services))
          const { frozenChunkCount } = yield* store.current().ingest(source)
          yield* requireWork(row, "chunks frozen", { expected: count / entriesPerChunk, actual: frozenChunkCount })
        })
      })
      const newStore = fresh(directory, (dataDir) =>
        Effect.provideContext(Store.make({ dataDir, geometry: { entriesPerChunk }, entriesPerCommit }), services)
      )
      return {
        unitsPerRound: count,
        subject: ingest(yield* newStore, (source) => source),
        reference:
          peer === "hot"
            ? // What can be read only once cannot be backfilled.
              ingest(yield* newStore, (source) => ({ ...source, isRepeatable: false }))
            : {
                run: Effect.all(
                  [
                    Program.output("zstd", ["-3", "-T0", "-q", "-f", "-o", `${directory}/reference`, path]),
                    Program.output("sha256sum", [path])
                  ],
                  { concurrency: "unbounded", discard: true }
                )
              }
      }
    })
  }
}

export const backfillRows: ReadonlyArray<Row> = enginePeers.flatMap((engine) => [
  backfillRow(engine, "hot"),
  backfillRow(engine, "zstd")
])
