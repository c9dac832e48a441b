/**
 * Finding entries by key over frozen history, warm, beside reading the same entries by seq.
 */
import { writeFileSync } from "node:fs"
import { NodeServices } from "@effect/platform-node"
import { NdjsonSource, Store } from "@icecore/daemon"
import { Effect, Layer, Option } from "effect"
import * as KeyedLines from "../fixtures/KeyedLines.ts"
import { randomIndexes } from "../fixtures/KeyedRows.ts"
import { withLineFeeds } from "../fixtures/Lines.ts"
import { enginePeers } from "../peers/EnginePeers.ts"
import { type Row, requireWork } from "../Row.ts"
import { storeServices } from "./StoreServices.ts"

const entriesPerChunk = 10_000
const name = "daemon/lookup/by-key"

export const lookupRows: ReadonlyArray<Row> = [
  {
    name,
    work: "find entries of 200 bytes by key in frozen chunks that one index covers, in no order, warm",
    reference: "the same entries by seq",
    unit: "entries",
    targets: [],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const count = (isQuick ? 2 : 20) * entriesPerChunk
      const { lines, keys } = KeyedLines.make(count)
      const path = `${directory}/lines.ndjson`
      yield* Effect.sync(() => writeFileSync(path, withLineFeeds(lines)))
      const services = yield* Layer.build(
        Layer.merge(storeServices(enginePeers[0]!.engine, { keys: [KeyedLines.keyPointer] }), NodeServices.layer)
      )
      const store = yield* Effect.provideContext(
        Store.make({ dataDir: `${directory}/store`, geometry: { entriesPerChunk } }),
        services
      )
      yield* store.ingest(yield* Effect.provideContext(NdjsonSource.make({ path }), services))
      const seqs = randomIndexes(isQuick ? 1_000 : 20_000, count)
      const { history } = store
      let foundCount = 0
      return {
        unitsPerRound: seqs.length,
        subject: {
          prepare: Effect.sync(() => {
            foundCount = 0
          }),
          run: Effect.andThen(
            Effect.forEach(
              seqs,
              (seq) =>
                Effect.map(history.find(keys[seq]!), (found) => {
                  if (Option.isSome(found) && found.value.seq === seq) foundCount++
                }),
              { discard: true }
            ),
            Effect.suspend(() => requireWork(name, "entries found", { expected: seqs.length, actual: foundCount }))
          )
        },
        reference: { run: Effect.forEach(seqs, (seq) => history.get(seq), { discard: true }) }
      }
    })
  }
]
