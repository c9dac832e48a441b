/**
 * From the start of the daemon's process to its first answers, by seq and by key, and the memory it has by then: over 1,000 chunks,
 * beside 100.
 */
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { NdjsonSource, Store } from "@icecore/daemon"
import { Effect, Layer } from "effect"
import * as KeyedLines from "../fixtures/KeyedLines.ts"
import { withLineFeeds } from "../fixtures/Lines.ts"
import { type EnginePeer, enginePeers } from "../peers/EnginePeers.ts"
import * as Icecore from "../peers/Icecore.ts"
import { type Contender, type Row, RowSkipped, requireWork } from "../Row.ts"
import { storeServices } from "./StoreServices.ts"

const entriesPerChunk = 20
const chunksPerWindow = 100

const coldStartRow = ({ name, engine }: EnginePeer): Row => {
  const row = `daemon/${name}/cold-start`
  return {
    name: row,
    work: "start icecore run over 1,000 chunks in windows of 100, until it answered by seq and by key",
    reference: "the same over 100 chunks",
    unit: "starts",
    targets: [
      { kind: "rate", atLeast: 1 },
      { kind: "time", atMost: 1.25 },
      { kind: "memory", atMostBytes: 150_000_000 }
    ],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      if (process.platform !== "linux")
        return yield* new RowSkipped({ row, detail: "this system does not tell the memory of another process" })
      const services = yield* Layer.build(
        Layer.merge(storeServices(engine, { keys: [KeyedLines.keyPointer] }), NodeServices.layer)
      )
      const contender = Effect.fnUntraced(function* (chunkCount: number) {
        const count = chunkCount * entriesPerChunk
        const { lines, keys } = KeyedLines.make(count)
        const path = `${directory}/${chunkCount}.ndjson`
        const dataDir = `${directory}/${chunkCount}`
        yield* Effect.sync(() => writeFileSync(path, withLineFeeds(lines)))
        yield* Effect.gen(function* () {
          const store = yield* Store.make({ dataDir, geometry: { entriesPerChunk, chunksPerWindow } })
          yield* store.ingest(yield* NdjsonSource.make({ path }))
        }).pipe(Effect.scoped, Effect.provideContext(services))
        const flags = [
          `--storage.data_dir=${dataDir}`,
          `--source.path=${path}`,
          `--engine.hot=${name}`,
          `--engine.catalog=${name}`
        ]
        const seq = Math.floor(count / 3)
        let seconds = Number.NaN
        let peakBytes = Number.NaN
        const made: Contender = {
          run: Effect.gen(function* () {
            const start = performance.now()
            const daemon = yield* Icecore.run(flags)
            for (const what of [`entries/${seq}`, `keys/${Buffer.from(keys[seq]!).toString("hex")}`]) {
              const answer = yield* Effect.promise(async () => (await fetch(`${daemon.url}/v1/${what}`)).arrayBuffer())
              const isRight = Buffer.compare(Buffer.from(answer), lines[seq]!) === 0
              yield* requireWork(row, `right answers to ${what}`, { expected: 1, actual: isRight ? 1 : 0 })
            }
            seconds = (performance.now() - start) / 1_000
            peakBytes = yield* daemon.peakBytes
          }).pipe(Effect.scoped),
          seconds: Effect.sync(() => seconds),
          peakBytes: Effect.sync(() => peakBytes)
        }
        return made
      })
      return {
        unitsPerRound: 1,
        subject: yield* contender(isQuick ? 100 : 1_000),
        reference: yield* contender(isQuick ? 50 : 100)
      }
    })
  }
}

export const coldStartRows: ReadonlyArray<Row> = enginePeers.map(coldStartRow)
