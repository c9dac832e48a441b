import { assert, describe, it } from "@effect/vitest"
import { CrashRecorder } from "@icecore/packfile/testing"
import { Effect, Layer, Stream } from "effect"
import { type Database, Engine, type Reader, type Row, type WriteBatch } from "../src/Engine.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { RecordStoreModelMismatch, recordStoreModel } from "../src/testing/index.ts"
import { crashIn } from "./RecordCrashes.ts"

/** An engine with one fault: the store on it is wrong, and the model must say so. */
interface Mutant {
  readonly name: string
  readonly spoil: (database: Database) => Partial<Database>
}

type Call = (batch: WriteBatch) => void

/** What a build asks for, call by call. */
const callsOf = (
  build: (batch: WriteBatch) => void
): ReadonlyArray<readonly [keyspace: string, kind: string, call: Call]> => {
  const calls: Array<readonly [string, string, Call]> = []
  build({
    put: (keyspace, key, value) => {
      const [keptKey, keptValue] = [key.slice(), value.slice()]
      calls.push([keyspace, "put", (batch) => batch.put(keyspace, keptKey, keptValue)])
    },
    delete: (keyspace, key) => {
      const kept = key.slice()
      calls.push([keyspace, "delete", (batch) => batch.delete(keyspace, kept)])
    },
    deleteRange: (keyspace, range) => {
      calls.push([keyspace, "deleteRange", (batch) => batch.deleteRange(keyspace, range)])
    }
  })
  return calls
}

/** The database with only those calls of a write that are wanted; the number counts them. */
const dropping = (isDropped: (keyspace: string, kind: string, number: number) => boolean) => (database: Database) => {
  let number = 0
  return {
    write: ((build, options) =>
      database.write((batch) => {
        for (const [keyspace, kind, call] of callsOf(build)) if (!isDropped(keyspace, kind, number++)) call(batch)
      }, options)) satisfies Database["write"]
  }
}

const readersOf = (database: Database, spoil: (reader: Reader) => Partial<Reader>): Partial<Database> => ({
  ...spoil(database),
  snapshot: Effect.map(database.snapshot, (reader) => ({ ...reader, ...spoil(reader) }))
})

const mutants: ReadonlyArray<Mutant> = [
  {
    name: "takes what is to be synced as buffered",
    spoil: (database) => ({ write: (build) => database.write(build, { durability: "buffered" }) })
  },
  {
    name: "does not flush and makes only runs durable",
    spoil: (database) => ({
      flush: Effect.void,
      write: (build) =>
        database.write(build, {
          durability: callsOf(build).every(([keyspace]) => keyspace === "syncs") ? "synced" : "buffered"
        })
    })
  },
  {
    name: "makes two writes of one",
    spoil: (database) => ({
      write: (build, options) =>
        Effect.suspend(() => {
          const calls = callsOf(build)
          const half = calls.length >> 1
          const some = (from: number, to?: number) =>
            database.write((batch) => {
              for (const [, , call] of calls.slice(from, to)) call(batch)
            }, options)
          return Effect.andThen(some(0, half), some(half))
        })
    })
  },
  {
    name: "keeps rows of indexes that are deleted",
    spoil: dropping((keyspace, kind) => keyspace === "indexes" && kind === "delete")
  },
  {
    name: "loses a row of an index now and then",
    spoil: dropping((keyspace, kind, number) => keyspace === "indexes" && kind === "put" && number % 97 === 96)
  },
  {
    name: "keeps records that are deleted",
    spoil: dropping((keyspace, kind) => keyspace === "records" && kind === "delete")
  },
  {
    name: "keeps the records of syncs that are cleaned up",
    spoil: (database) => ({
      replace: (replacements) => database.replace(replacements.filter(({ keyspace }) => keyspace !== "records"))
    })
  },
  {
    name: "keeps the bookkeeping as it was",
    spoil: dropping((keyspace, _kind, number) => keyspace === "meta" && number % 13 === 12)
  },
  {
    name: "takes the row before a key for the row at it",
    spoil: (database) =>
      readersOf(database, (reader) => ({
        floorMany: (keyspace, keys) =>
          Effect.forEach(keys, (key) =>
            Effect.map(Stream.runHead(reader.scan(keyspace, { lt: key, reverse: true, limit: 1 })), (row) => row)
          )
      }))
  },
  {
    name: "leaves out the last row of a scan",
    spoil: (database) =>
      readersOf(database, (reader) => ({
        page: (keyspace, options) =>
          Effect.map(reader.page(keyspace, options), (page) =>
            page.isEnd && keyspace !== "meta" ? { ...page, rows: page.rows.slice(0, -1) } : page
          ),
        scan: (keyspace, options) =>
          keyspace === "meta"
            ? reader.scan(keyspace, options)
            : Stream.fromIterableEffect(
                Effect.map(
                  Stream.runCollect(reader.scan(keyspace, options)),
                  (rows): ReadonlyArray<Row> => rows.slice(0, -1)
                )
              )
      }))
  }
]

const spoiled = (layer: Layer.Layer<Engine>, { spoil }: Mutant): Layer.Layer<Engine> =>
  Layer.effect(
    Engine,
    Effect.map(Engine, (engine) => ({
      ...engine,
      open: (options) => Effect.map(engine.open(options), (database) => ({ ...database, ...spoil(database) }))
    }))
  ).pipe(Layer.provide(layer))

describe("recordStoreModel", () => {
  for (const mutant of mutants) {
    it.live(`parts with a store whose engine ${mutant.name}`, () =>
      Effect.gen(function* () {
        const recorder = CrashRecorder.make()
        const run = recordStoreModel({ path: "/mutant", seed: 1, operations: 4_000, crash: crashIn(recorder) })
        const layer = spoiled(MemoryEngine.layerCrashing(recorder), mutant)
        const mismatch = yield* Effect.flip(Effect.provide(run, layer))
        assert.instanceOf(mismatch, RecordStoreModelMismatch)
        if (process.env.ICECORE_SHOW_FIGURES !== undefined) yield* Effect.logFatal(mismatch.message.slice(0, 300))
      })
    )
  }
})
