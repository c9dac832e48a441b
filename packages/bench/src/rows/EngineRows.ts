/**
 * What the engine port costs: the same rows through an adapter and through the library under it.
 *
 * The adapter also checks sizes, keeps a CRC32C beside every row and verifies it on every read; the library alone does not.
 */
import { type Database, Engine } from "@icecore/engine"
import { Effect, Layer, type Scope, Stream } from "effect"
import { type KeyedRows, type KeyOrder, make as makeRows, randomIndexes } from "../fixtures/KeyedRows.ts"
import * as Bare from "../peers/Bare.ts"
import { type EnginePeer, enginePeers } from "../peers/EnginePeers.ts"
import { type Row, requireWork } from "../Row.ts"
import { fresh } from "./Fresh.ts"

const keySizeBytes = 40
const valueSizeBytes = 120
const rowSizeBytes: number = keySizeBytes + valueSizeBytes
const keyspace = "rows"

/** Random puts change a page a row: a million of them would measure the disk, for minutes. */
const countOf = (isQuick: boolean, order: KeyOrder): number =>
  isQuick ? 30_000 : order === "ascending" ? 1_000_000 : 200_000
const batchRowsOf = (isQuick: boolean): number => (isQuick ? 1_000 : 10_000)
const getCountOf = (isQuick: boolean): number => (isQuick ? 10_000 : 200_000)

const rowsOf = (isQuick: boolean, order: KeyOrder): KeyedRows =>
  makeRows({ count: countOf(isQuick, order), order, keySizeBytes, valueSizeBytes })

const putRow = ({ name, engine, bare }: EnginePeer, order: KeyOrder): Row => ({
  name: `engine/${name}/put/${order}`,
  work: `put rows of ${rowSizeBytes} bytes in ${order} order, synced batches of 10,000`,
  reference: `${bare.name}, one transaction a batch`,
  unit: "puts",
  targets: [{ kind: "time", atMost: 1.15 }],
  setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
    const rows = rowsOf(isQuick, order)
    const batchRows = batchRowsOf(isQuick)
    const services = yield* Layer.build(engine)
    const subject = yield* fresh(directory, (path) => Effect.provideContext(openDatabase(path), services))
    const reference = yield* fresh(directory, (path) => Bare.scoped(bare, path, [keyspace]))
    return {
      unitsPerRound: rows.keys.length,
      subject: { prepare: subject.renew, run: Effect.suspend(() => putAll(subject.current(), rows, batchRows)) },
      reference: {
        prepare: reference.renew,
        run: Effect.sync(() => putAllBare(reference.current(), rows, batchRows))
      }
    }
  })
})

const scanRow = (peer: EnginePeer): Row => {
  const { name, bare } = peer
  const row = `engine/${name}/scan`
  return {
    name: row,
    work: `read all rows of ${rowSizeBytes} bytes in key order`,
    reference: `${bare.name}, one iteration`,
    unit: "rows",
    targets: [{ kind: "time", atMost: 1.3 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const { database, reference } = yield* loaded(peer, directory, isQuick)
      const expected = countOf(isQuick, "ascending") * rowSizeBytes
      const requireAll = (actual: number) => requireWork(row, "bytes read", { expected, actual })
      return {
        unitsPerRound: countOf(isQuick, "ascending"),
        subject: { run: Effect.flatMap(scannedBytes(database), requireAll) },
        reference: { run: Effect.suspend(() => requireAll(reference.scan(0))) }
      }
    })
  }
}

const getRow = (peer: EnginePeer): Row => {
  const { name, bare } = peer
  const row = `engine/${name}/get`
  return {
    name: row,
    work: `look up keys of ${keySizeBytes} bytes in random order, one by one, warm`,
    reference: `${bare.name}, in one read transaction`,
    unit: "gets",
    targets: [{ kind: "time", atMost: 1.5 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const { database, reference, rows } = yield* loaded(peer, directory, isQuick)
      const count = getCountOf(isQuick)
      const keys = Array.from(randomIndexes(count, rows.keys.length), (index) => rows.keys[index]!)
      const requireAll = (actual: number) =>
        requireWork(row, "bytes read", { expected: count * valueSizeBytes, actual })
      return {
        unitsPerRound: count,
        subject: { run: Effect.flatMap(gottenBytes(database, keys), requireAll) },
        reference: { run: Effect.suspend(() => requireAll(reference.getAll(0, keys))) }
      }
    })
  }
}

export const engineRows: ReadonlyArray<Row> = enginePeers.flatMap((peer) => [
  putRow(peer, "ascending"),
  putRow(peer, "random"),
  scanRow(peer),
  getRow(peer)
])

const openDatabase = (directory: string) =>
  Effect.flatMap(Engine, (engine) => engine.open({ path: `${directory}/database`, keyspaces: [keyspace] }))

const putAll = (database: Database, { keys, values }: KeyedRows, batchRows: number) => {
  let from = 0
  return Effect.whileLoop({
    while: () => from < keys.length,
    body: () =>
      database.write((batch) => {
        const to = Math.min(from + batchRows, keys.length)
        for (; from < to; from++) batch.put(keyspace, keys[from]!, values[from]!)
      }),
    step: () => undefined
  })
}

const putAllBare = (database: Bare.BareDatabase, { keys, values }: KeyedRows, batchRows: number): void => {
  for (let from = 0; from < keys.length; ) {
    database.write((put) => {
      const to = Math.min(from + batchRows, keys.length)
      for (; from < to; from++) put(0, keys[from]!, values[from]!)
    })
  }
}

/** Both databases with the same rows. */
const loaded = Effect.fnUntraced(function* (
  { engine, bare }: EnginePeer,
  directory: string,
  isQuick: boolean
): Effect.fn.Return<
  { readonly database: Database; readonly reference: Bare.BareDatabase; readonly rows: KeyedRows },
  unknown,
  Scope.Scope
> {
  const rows = rowsOf(isQuick, "ascending")
  const database = yield* Effect.provideContext(openDatabase(directory), yield* Layer.build(engine))
  const reference = yield* Bare.scoped(bare, directory, [keyspace])
  yield* putAll(database, rows, batchRowsOf(isQuick))
  yield* Effect.sync(() => putAllBare(reference, rows, batchRowsOf(isQuick)))
  return { database, reference, rows }
})

const scannedBytes = (database: Database) =>
  Effect.suspend(() => {
    let bytes = 0
    return Effect.map(
      Stream.runForEachArray(database.scan(keyspace), (rows) =>
        Effect.sync(() => {
          for (const { key, value } of rows) bytes += key.length + value.length
        })
      ),
      () => bytes
    )
  })

const gottenBytes = (database: Database, keys: ReadonlyArray<Uint8Array>) =>
  Effect.suspend(() => {
    let next = 0
    let bytes = 0
    return Effect.map(
      Effect.whileLoop({
        while: () => next < keys.length,
        body: () => database.get(keyspace, keys[next++]!),
        step: (value) => {
          if (value._tag === "Some") bytes += value.value.length
        }
      }),
      () => bytes
    )
  })
