import { assert, describe, it } from "@effect/vitest"
import { CatalogKey, Geometry, Layout } from "@icecore/catalog"
import { Engine } from "@icecore/engine"
import { Effect, Stream } from "effect"
import { encodeSeq, entriesKeyspace, hotKeyspaces, positionKey, sourceKeyspace } from "../src/format/HotFormat.ts"
import { AppendRefused } from "../src/History.ts"
import type { Source } from "../src/Source.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import {
  collect,
  entriesAt,
  entryAt,
  type Machine,
  makeMachine,
  smallGeometry,
  withStore
} from "./support/StoreHarness.ts"

/** Changes the catalog or a hot database behind the store's back. */
const meddle = (machine: Machine, path: string, keyspaces: ReadonlyArray<string>, change: Parameters<Database>[0]) =>
  Effect.scoped(
    Effect.gen(function* () {
      const engine = yield* Engine
      const database = yield* engine.open({ path, keyspaces, mode: "existing" })
      yield* database.write(change)
    })
  ).pipe(Effect.provide(machine.services))

type Database = import("@icecore/engine").Database["write"]

const catalogKey = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A store with 0 to 9 ingested: two chunks frozen, two entries hot. */
const machineWithTen = Effect.gen(function* () {
  const machine = makeMachine()
  yield* withStore(machine, ({ history, settled }) => Effect.andThen(history.append(entriesAt(0, 9)), settled))
  return machine
})

const failureOf = (machine: Machine) => Effect.flip(withStore(machine, () => Effect.void))

describe("Store", () => {
  it.effect("refuses to open over a chunk that is neither frozen nor hot", () =>
    Effect.gen(function* () {
      const machine = yield* machineWithTen
      yield* meddle(machine, "/store/catalog", [CatalogKey.keyspace], (batch) =>
        batch.delete(CatalogKey.keyspace, catalogKey("chunk:00000000:entries"))
      )
      assert.strictEqual(
        (yield* failureOf(machine)).message,
        "Cannot open store /store: chunk 0 (entries 0 to 3) is neither frozen nor hot"
      )
    })
  )

  it.effect("refuses to open over a hot chunk that ends before the next one begins", () =>
    Effect.gen(function* () {
      const machine = makeMachine()
      machine.disk.setCapacityBytes(1_500)
      yield* withStore(machine, ({ history }) => history.append(entriesAt(0, 5)))
      yield* meddle(machine, "/store/hot/00000000", hotKeyspaces, (batch) =>
        batch.delete(entriesKeyspace, encodeSeq(3))
      )
      assert.strictEqual(
        (yield* failureOf(machine)).message,
        "Cannot read hot chunk 0 at /store/hot/00000000, entry 3: it is missing, and later chunks have entries"
      )
    })
  )

  it.effect("refuses to open over a hot database that is gone or holds another chunk's entries", () =>
    Effect.gen(function* () {
      const gone = yield* machineWithTen
      yield* Effect.flatMap(Engine, (engine) => engine.destroy("/store/hot/00000002")).pipe(
        Effect.provide(gone.services)
      )
      assert.strictEqual((yield* failureOf(gone))._tag, "HotDatabaseLost")
      const foreign = yield* machineWithTen
      yield* meddle(foreign, "/store/hot/00000002", hotKeyspaces, (batch) =>
        batch.put(entriesKeyspace, encodeSeq(77), entryAt(77))
      )
      assert.strictEqual((yield* failureOf(foreign))._tag, "HotChunkDamaged")
      const unplaced = yield* machineWithTen
      yield* meddle(unplaced, "/store/hot/00000002", hotKeyspaces, (batch) =>
        batch.put(sourceKeyspace, positionKey, new Uint8Array(3))
      )
      assert.strictEqual((yield* failureOf(unplaced))._tag, "HotChunkDamaged")
    })
  )

  it.effect("answers EntryAbsent for an entry that should be there and is not, and finds it in a verification", () =>
    Effect.gen(function* () {
      const machine = yield* machineWithTen
      yield* meddle(machine, "/store/hot/00000002", hotKeyspaces, (batch) =>
        batch.delete(entriesKeyspace, encodeSeq(8))
      )
      yield* withStore(machine, ({ history, verify }) =>
        Effect.gen(function* () {
          assert.strictEqual(
            (yield* Effect.flip(history.get(8))).message,
            "Cannot read entry 8: chunk 2 should hold it: its hot database does not have it; entries 0 to 9 are served"
          )
          assert.strictEqual((yield* Effect.flip(collect(history)))._tag, "HotChunkDamaged")
          const findings = (yield* Stream.runCollect(verify)).flatMap((checked) => checked.findings)
          assert.deepStrictEqual(
            findings.map(({ message }) => message),
            ["Cannot read hot chunk 2 at /store/hot/00000002, entry 8: it is missing"]
          )
        })
      )
    })
  )

  it.effect("refuses a frozen file that is whole but not this chunk's", () =>
    Effect.gen(function* () {
      const machine = yield* machineWithTen
      const other = makeMachine()
      const geometry = { ...smallGeometry, entriesPerChunk: 3 }
      yield* withStore(other, ({ history, settled }) => Effect.andThen(history.append(entriesAt(0, 3)), settled), {
        geometry
      })
      const layout = yield* Layout.make({ dataDir: "/store" })
      const path = Layout.entriesPath(layout, Geometry.ChunkId(0))
      const pack = yield* Effect.scoped(
        Effect.gen(function* () {
          const file = yield* other.disk.disk.open(path, "read")
          const bytes = new Uint8Array(yield* file.size)
          yield* file.readAt(bytes, 0)
          return bytes
        })
      )
      yield* Effect.scoped(Effect.flatMap(machine.disk.disk.open(path, "replace"), (file) => file.writeAt(pack, 0)))
      yield* withStore(machine, ({ history }) =>
        Effect.gen(function* () {
          assert.strictEqual(
            (yield* Effect.flip(history.get(1))).message,
            "Cannot use /store/entries/00000/00000000.pack for chunk 0: it has 3 items, expected 4"
          )
          assert.deepStrictEqual(yield* history.get(5), entryAt(5))
        })
      )
    })
  )

  it.effect("refuses the frozen file of another chunk, whose entries would pass for this one's", () =>
    Effect.gen(function* () {
      const machine = yield* machineWithTen
      const layout = yield* Layout.make({ dataDir: "/store" })
      const [path, other] = [0, 1].map((chunk) => Layout.entriesPath(layout, Geometry.ChunkId(chunk)))
      yield* machine.disk.disk.rename({ source: other!, target: path! })
      yield* Effect.scoped(machine.disk.disk.open(other!, "create"))
      yield* withStore(machine, (store) =>
        Effect.gen(function* () {
          const message = "Cannot use /store/entries/00000/00000000.pack for chunk 0: its first entry is 4, expected 0"
          assert.strictEqual((yield* Effect.flip(store.history.get(1))).message, message)
          assert.strictEqual((yield* Effect.flip(collect(store.history, { to: 2 }))).message, message)
          const checked = yield* Stream.runCollect(store.verify)
          assert.include(
            checked.flatMap(({ findings }) => findings).map((finding) => finding.message),
            message
          )
        })
      )
    })
  )

  it.effect("lets one source at a time feed the log, and no program beside it", () =>
    withStore(makeMachine(), ({ history, ingest }) =>
      Effect.gen(function* () {
        const endless: Source = { ...DemoSource.make(), entries: () => Stream.never }
        yield* Effect.forkChild(ingest(endless))
        yield* Effect.yieldNow
        assert.instanceOf(yield* Effect.flip(history.append([entryAt(0)])), AppendRefused)
        assert.instanceOf(yield* Effect.flip(ingest(DemoSource.make({ count: 1 }))), AppendRefused)
      })
    )
  )

  it.effect("compares what a source repeats with what was appended beside it", () =>
    Effect.gen(function* () {
      const machine = makeMachine()
      const demo = Array.from({ length: 12 }, (_, seq) => DemoSource.entryAt(seq))
      yield* withStore(machine, ({ history, ingest }) =>
        Effect.gen(function* () {
          yield* ingest(DemoSource.make({ count: 3 }))
          yield* history.append(demo.slice(3, 7))
          assert.strictEqual((yield* ingest(DemoSource.make({ count: 9 }))).entryCount, 2)
          yield* history.append([entryAt(9)])
          const error = yield* Effect.flip(ingest(DemoSource.make({ count: 12 })))
          assert.strictEqual(
            error.message,
            "Cannot ingest from source demo: its entry 9 is not the one that was ingested before"
          )
        })
      )
    })
  )
})
