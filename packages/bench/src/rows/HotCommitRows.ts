/**
 * The commit that every new entry waits for, synced, with its keys and events, beside the same rows in one transaction of the bare
 * library.
 */
import { Engine } from "@icecore/engine"
import { Effect, Layer } from "effect"
import { make as makeRows } from "../fixtures/KeyedRows.ts"
import * as Bare from "../peers/Bare.ts"
import { type EnginePeer, enginePeers } from "../peers/EnginePeers.ts"
import type { Row } from "../Row.ts"
import { fresh } from "./Fresh.ts"

const entrySizeBytes = 20_000
const keyCount = 300
const keySizeBytes = 32
const eventCount = 1_000
const eventSizeBytes = 250

const commitsOf = (isQuick: boolean): number => (isQuick ? 10 : 100)

const keyspaces = ["entries", "keys", "events"]

/** What one entry leads to: a row of its own, one a key in no order, one an event behind the last. */
interface EntryRow {
  readonly table: number
  readonly key: Uint8Array
  readonly value: Uint8Array
}

const makeEntries = (count: number): ReadonlyArray<ReadonlyArray<EntryRow>> => {
  const ascending = (rows: number, valueSizeBytes: number) =>
    makeRows({ count: rows, order: "ascending", keySizeBytes: 12, valueSizeBytes })
  const entries = ascending(count, entrySizeBytes)
  const keys = makeRows({ count: count * keyCount, order: "random", keySizeBytes, valueSizeBytes: 8 })
  const events = ascending(count * eventCount, eventSizeBytes)
  const rowsOf = (table: number, { keys, values }: typeof entries, from: number, size: number) =>
    Array.from({ length: size }, (_, at): EntryRow => ({ table, key: keys[from + at]!, value: values[from + at]! }))
  return Array.from({ length: count }, (_, entry) => [
    ...rowsOf(0, entries, entry, 1),
    ...rowsOf(1, keys, entry * keyCount, keyCount),
    ...rowsOf(2, events, entry * eventCount, eventCount)
  ])
}

const hotCommitRow = ({ name, engine, bare }: EnginePeer): Row => ({
  name: `engine/${name}/hot-commit`,
  work: "commit one entry (20 KB, 300 keys, 1,000 events of 250 B) at a time, synced",
  reference: `${bare.name}, one transaction an entry`,
  unit: "commits",
  targets: [{ kind: "time", atMost: 1.3 }],
  setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
    const entries = makeEntries(commitsOf(isQuick))
    const services = yield* Layer.build(engine)
    const open = (path: string) =>
      Effect.flatMap(Engine, (library) => library.open({ path: `${path}/database`, keyspaces }))
    const subject = yield* fresh(directory, (path) => Effect.provideContext(open(path), services))
    const reference = yield* fresh(directory, (path) => Bare.scoped(bare, path, keyspaces))
    return {
      unitsPerRound: entries.length,
      subject: {
        prepare: subject.renew,
        run: Effect.suspend(() => {
          const database = subject.current()
          return Effect.forEach(
            entries,
            (rows) =>
              database.write((batch) => {
                for (const { table, key, value } of rows) batch.put(keyspaces[table]!, key, value)
              }),
            { discard: true }
          )
        })
      },
      reference: {
        prepare: reference.renew,
        run: Effect.sync(() => {
          const database = reference.current()
          for (const rows of entries) {
            database.write((put) => {
              for (const { table, key, value } of rows) put(table, key, value)
            })
          }
        })
      }
    }
  })
})

export const hotCommitRows: ReadonlyArray<Row> = enginePeers.map(hotCommitRow)
