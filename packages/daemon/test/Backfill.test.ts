import { assert, describe, it } from "@effect/vitest"
import { Audit, Geometry, HotEngine, Layout } from "@icecore/catalog"
import { Disk, DiskFull } from "@icecore/packfile"
import { Effect, Fiber, type Layer, Option, Stream } from "effect"
import type { Domain } from "../src/Domain.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import { encodePosition, hotKeyspaces, positionKey, sourceKeyspace } from "../src/format/HotFormat.ts"
import type { EntriesOptions, Source, SourceBatch } from "../src/Source.ts"
import type * as Store from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { collect, type Machine, makeMachine, withStore } from "./support/StoreHarness.ts"

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const domain: Layer.Layer<Domain> = NdjsonDomain.layerWith({ keys: ["/hash"] })

const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 3 } as const

const options: Partial<Store.StoreOptions> = { geometry, graceMillis: 0, backfill: { workers: 3 } }

const keyOf = (seq: number): Uint8Array =>
  Uint8Array.from(Buffer.from(JSON.parse(new TextDecoder().decode(DemoSource.entryAt(seq))).hash, "hex"))

/** A source over a list, in batches of five, that counts what it gave. */
const listSource = (
  entries: ReadonlyArray<Uint8Array>
): { readonly source: Source; readonly given: () => number; readonly asked: ReadonlyArray<EntriesOptions> } => {
  let given = 0
  const asked: Array<EntriesOptions> = []
  const batches = (wanted: EntriesOptions): Array<SourceBatch> => {
    const { from } = wanted
    asked.push(wanted)
    const found: Array<SourceBatch> = []
    for (let seq = from; seq < entries.length; seq += 5)
      found.push({
        firstSeq: seq,
        entries: entries.slice(seq, seq + 5),
        positionAfter: (count) => text(String(seq + count - 1))
      })
    return found
  }
  const source: Source = {
    ...DemoSource.make({ count: entries.length }),
    name: "list",
    entries: (wanted) =>
      Stream.suspend(() => Stream.fromIterable(batches(wanted))).pipe(
        Stream.rechunk(1),
        Stream.tap((batch) =>
          Effect.sync(() => {
            given += batch.entries.length
          })
        )
      )
  }
  return { source, given: () => given, asked }
}

const demo = (count: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: count }, (_, seq) => DemoSource.entryAt(seq))

/** Everything is served as the source gave it, by seq and by key, and what lies on disk explains itself. */
const checkAll = Effect.fnUntraced(function* ({ history, catalog, settled }: Store.Store, count: number) {
  yield* settled
  const entries = yield* collect(history)
  assert.deepStrictEqual(
    entries.map(({ bytes }) => bytes),
    demo(count)
  )
  for (let seq = 0; seq < count; seq++)
    assert.strictEqual(Option.getOrThrow(yield* history.find(keyOf(seq))).seq, seq, `key of entry ${seq}`)
  assert.isTrue(Option.isNone(yield* history.find(keyOf(count))))
  assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
})

/** Bytes of every frozen file with the suffix, in hexadecimal. */
const filesOf = (machine: Machine, { catalog }: Store.Store, suffix: string) =>
  Effect.gen(function* () {
    const disk = yield* Disk
    const found: Record<string, string> = {}
    const artifacts = Stream.unwrap(Effect.map(catalog.snapshot, (snapshot) => snapshot.artifacts({ state: "frozen" })))
    yield* Stream.runForEach(artifacts, ({ key }) =>
      Effect.forEach(
        Layout.filesOf(catalog.layout, key).filter((path) => path.endsWith(suffix)),
        Effect.fnUntraced(function* (path) {
          const file = yield* disk.open(path, "read")
          const bytes = new Uint8Array(yield* file.size)
          yield* file.readAt(bytes, 0)
          found[path] = Buffer.from(bytes).toString("hex")
        }, Effect.scoped)
      )
    )
    return found
  }).pipe(Effect.provide(machine.services))

describe("Backfill", () => {
  it.effect("freezes whole chunks without a hot database, and leaves the rest to ingestion", () => {
    const machine = makeMachine({ domain })
    const { source } = listSource(demo(27))
    return withStore(
      machine,
      (store) =>
        Effect.gen(function* () {
          const report = yield* store.ingest(source)
          assert.deepInclude(report, {
            entryCount: 27,
            firstSeq: 0,
            nextSeq: 27,
            backfilledChunkCount: 6,
            builtChunkCount: 6,
            frozenChunkCount: 6
          })
          assert.strictEqual(
            report.byteCount,
            demo(27).reduce((sum, bytes) => sum + bytes.length, 0)
          )
          yield* checkAll(store, 27)
          const { chunks, keys } = yield* store.history.status
          assert.deepStrictEqual(chunks, { frozen: 6, freezing: 0, hot: 1 })
          assert.deepStrictEqual(keys, Option.some({ indexCount: 2, indexedChunkCount: 6, uncoveredRunCount: 0 }))
        }),
      options
    ).pipe(Effect.andThen(withStore(machine, (store) => checkAll(store, 27), options)))
  })

  it.effect("makes the same runs and the same log, whatever the number of jobs and the bytes in flight", () =>
    Effect.gen(function* () {
      const seen: Array<Record<string, string>> = []
      for (const backfill of [{ workers: 1 }, { workers: 4 }, { workers: 3, bufferBytes: 1 }]) {
        const machine = makeMachine({ domain })
        yield* withStore(
          machine,
          (store) =>
            Effect.gen(function* () {
              // Runs stay until their window is finished, so one window holds all.
              const { backfilledChunkCount } = yield* store.ingest(listSource(demo(40)).source)
              assert.strictEqual(backfilledChunkCount, 10)
              seen.push(yield* filesOf(machine, store, ".bin"))
              yield* checkAll(store, 40)
            }),
          { ...options, geometry: { ...geometry, chunksPerWindow: 100 }, backfill }
        )
      }
      assert.strictEqual(Object.keys(seen[0]!).length, 10)
      assert.deepStrictEqual(seen[1], seen[0])
      assert.deepStrictEqual(seen[2], seen[0])
    })
  )

  it.live("works on several chunks at once, and freezes them in order", () => {
    let writing = 0
    let most = 0
    const machine = makeMachine({
      domain,
      mapDisk: (disk) => ({
        ...disk,
        open: (path, mode) =>
          path.endsWith(".pack") && mode !== "read"
            ? Effect.acquireRelease(
                Effect.tap(disk.open(path, mode), () => {
                  most = Math.max(most, ++writing)
                  // Later chunks are done sooner.
                  return Effect.sleep(`${10 - (Number(path.slice(-6, -5)) % 8)} millis`)
                }),
                () =>
                  Effect.sync(() => {
                    writing--
                  })
              )
            : disk.open(path, mode)
      })
    })
    return withStore(
      machine,
      (store) =>
        Effect.gen(function* () {
          const nexts: Array<number> = []
          yield* Effect.forkChild(
            Stream.runForEach(store.history.changes, (served) =>
              Effect.sync(() =>
                nexts.push(Option.match(served, { onNone: () => 0, onSome: ({ latest }) => latest + 1 }))
              )
            )
          )
          yield* store.ingest(listSource(demo(32)).source)
          assert.isAbove(most, 1)
          assert.deepStrictEqual(
            nexts.filter((next) => next % 4 !== 0),
            []
          )
          assert.deepStrictEqual(
            nexts,
            nexts.toSorted((left, right) => left - right)
          )
        }),
      options
    )
  })

  const duplicates: ReadonlyArray<readonly [string, number, number]> = [
    ["of its own chunk", 9, 11],
    ["of an earlier chunk of its window", 13, 20],
    ["of another window", 2, 17],
    ["of the chunk before, in the first entry of a chunk", 7, 8]
  ]
  for (const [where, firstSeq, secondSeq] of duplicates)
    it.effect(`keeps everything before an entry with a key ${where}, and nothing from it on`, () => {
      const machine = makeMachine({ domain })
      const entries = demo(40).map((bytes, seq) => (seq === secondSeq ? DemoSource.entryAt(firstSeq) : bytes))
      const refused = (store: Store.Store) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(store.ingest(listSource(entries).source))
          assert.deepInclude(error, { _tag: "DuplicateKey", firstSeq, secondSeq })
          yield* checkAll(store, secondSeq)
        })
      return Effect.andThen(withStore(machine, refused, options), withStore(machine, refused, options))
    })

  it.effect("takes duplicate keys by the domain's policy", () =>
    Effect.gen(function* () {
      for (const policy of ["first", "last"] as const) {
        const machine = makeMachine({ domain: NdjsonDomain.layerWith({ keys: ["/hash"], duplicates: policy }) })
        const entries = demo(26).map((bytes, seq) =>
          seq === 9 || seq === 22 || seq === 25 ? DemoSource.entryAt(2) : bytes
        )
        yield* withStore(
          machine,
          (store) =>
            Effect.gen(function* () {
              assert.strictEqual((yield* store.ingest(listSource(entries).source)).backfilledChunkCount, 6)
              const found = yield* store.history.find(keyOf(2))
              assert.strictEqual(Option.getOrThrow(found).seq, policy === "first" ? 2 : 25)
            }),
          options
        )
      }
    })
  )

  it.effect(
    "goes on where the log ends when the position was kept later than the catalog, as a backup may have it",
    () => {
      const machine = makeMachine({ domain })
      const { source } = listSource(demo(30))
      const ahead = { seq: 19, token: text("19") }
      return Effect.gen(function* () {
        const path = yield* withStore(
          machine,
          (store) =>
            Effect.as(
              store.ingest(listSource(demo(12)).source),
              Layout.hotPath(store.catalog.layout, Geometry.ChunkId(3))
            ),
          options
        )
        yield* Effect.gen(function* () {
          const { engine } = yield* HotEngine.HotEngine
          const database = yield* engine.open({ path, keyspaces: hotKeyspaces, mode: "existing" })
          yield* database.write((batch) => batch.put(sourceKeyspace, positionKey, encodePosition(ahead)))
        }).pipe(Effect.scoped, Effect.provide(machine.services))
        yield* withStore(machine, (store) => Effect.andThen(store.ingest(source), checkAll(store, 30)), options)
      })
    }
  )

  it.effect("takes chunks whose entries have no keys", () => {
    const entries = demo(18).map((bytes, seq) => (seq < 10 ? text(`line ${seq}`) : bytes))
    return withStore(
      makeMachine({ domain }),
      (store) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* store.ingest(listSource(entries).source)).backfilledChunkCount, 4)
          assert.isTrue(Option.isNone(yield* store.history.find(keyOf(3))))
          assert.strictEqual(Option.getOrThrow(yield* store.history.find(keyOf(12))).seq, 12)
        }),
      options
    )
  })

  it.effect("goes on at a refused entry with everything before it", () => {
    const machine = makeMachine({ domain })
    const entries = demo(30).map((bytes, seq) => (seq === 14 ? text("two\nlines") : bytes))
    return withStore(
      machine,
      (store) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(store.ingest(listSource(entries).source))
          assert.strictEqual(
            error.message,
            "Cannot append entry 14: byte 3 is a line feed, an entry is one line without it"
          )
          yield* checkAll(store, 14)
          assert.strictEqual((yield* store.history.status).builds.chunks, 3)
        }),
      options
    )
  })

  it.effect("redoes no chunk and reads no entry twice after it was interrupted", () => {
    const machine = makeMachine({ domain })
    return Effect.gen(function* () {
      const { source } = listSource(demo(40))
      const halting: Source = {
        ...source,
        entries: (wanted) =>
          Stream.concat(
            Stream.takeWhile(source.entries(wanted), ({ firstSeq }) => firstSeq < 25),
            Stream.never
          )
      }
      const frozen = yield* withStore(
        machine,
        (store) =>
          Effect.gen(function* () {
            const running = yield* Effect.forkChild(store.ingest(halting))
            const { nextSeq } = yield* Effect.repeat(store.history.status, { until: (status) => status.nextSeq >= 24 })
            yield* Fiber.interrupt(running)
            return nextSeq / 4
          }),
        options
      )
      assert.strictEqual(frozen, 6)
      const again = listSource(demo(40))
      yield* withStore(
        machine,
        (store) =>
          Effect.gen(function* () {
            const report = yield* store.ingest(again.source)
            assert.strictEqual(report.builtChunkCount, 4)
            assert.isAtMost(again.given(), 16 + 5)
            assert.deepStrictEqual(again.asked[0], { from: 24, resume: text("23") })
            yield* checkAll(store, 40)
          }),
        options
      )
      const third = listSource(demo(40))
      yield* withStore(
        machine,
        (store) =>
          Effect.gen(function* () {
            assert.deepInclude(yield* store.ingest(third.source), { entryCount: 0, builtChunkCount: 0 })
          }),
        options
      )
      assert.strictEqual(third.given(), 0)
    })
  })

  it.effect("finishes a chunk that was begun, and compares what came some other way", () => {
    const machine = makeMachine({ domain })
    return withStore(
      machine,
      (store) =>
        Effect.gen(function* () {
          yield* store.history.append(demo(6))
          const report = yield* store.ingest(listSource(demo(21)).source)
          assert.deepInclude(report, { entryCount: 15, backfilledChunkCount: 3, builtChunkCount: 5 })
          yield* store.history.append([DemoSource.entryAt(21)])
          yield* store.ingest(listSource(demo(33)).source)
          yield* checkAll(store, 33)
          yield* store.history.append([DemoSource.entryAt(99)])
          const error = yield* Effect.flip(store.ingest(listSource(demo(50)).source))
          assert.deepInclude(error, { _tag: "SourceDiverged", seq: 33 })
        }),
      options
    )
  })

  it.effect("compares whole chunks that came some other way before it goes on behind them", () =>
    withStore(
      makeMachine({ domain }),
      (store) =>
        Effect.gen(function* () {
          yield* store.ingest(listSource(demo(20)).source)
          yield* store.history.append([20, 21, 99, 23].map(DemoSource.entryAt))
          const error = yield* Effect.flip(store.ingest(listSource(demo(50)).source))
          assert.deepInclude(error, { _tag: "SourceDiverged", seq: 22 })
          assert.strictEqual((yield* store.history.status).nextSeq, 24)
        }),
      options
    )
  )

  it.live("reads a chunk again from the source when its files could not be written", () => {
    let failures = 2
    const machine = makeMachine({
      domain,
      mapDisk: (disk) => ({
        ...disk,
        open: (path, mode) =>
          path.endsWith("00000003.pack") && mode !== "read" && failures-- > 0
            ? Effect.fail(new DiskFull({ operation: "open", path, code: "ENOSPC" }))
            : disk.open(path, mode)
      })
    })
    return withStore(
      machine,
      (store) =>
        Effect.gen(function* () {
          const report = yield* store.ingest(listSource(demo(30)).source)
          assert.strictEqual(report.backfilledChunkCount, 7)
          yield* checkAll(store, 30)
        }),
      { ...options, retry: { firstDelay: "1 millis", longestDelay: "1 millis" } }
    )
  })

  it.live("takes entries through hot databases while files cannot be written, and freezes them when they can", () => {
    let isFull = true
    const machine = makeMachine({
      domain,
      mapDisk: (disk) => ({
        ...disk,
        open: (path, mode) =>
          isFull && Number(path.slice(-13, -5)) >= 2 && path.endsWith(".pack") && mode !== "read"
            ? Effect.fail(new DiskFull({ operation: "open", path, code: "ENOSPC" }))
            : disk.open(path, mode)
      })
    })
    return withStore(
      machine,
      (store) =>
        Effect.gen(function* () {
          const ingesting = yield* Effect.forkChild(store.ingest(listSource(demo(23)).source))
          const { chunks } = yield* Effect.repeat(store.history.status, { until: ({ nextSeq }) => nextSeq === 23 })
          assert.deepStrictEqual(chunks, { frozen: 2, freezing: 3, hot: 4 })
          isFull = false
          const report = yield* Fiber.join(ingesting)
          assert.deepInclude(report, { entryCount: 23, backfilledChunkCount: 2, builtChunkCount: 5 })
          yield* checkAll(store, 23)
        }),
      {
        ...options,
        backfill: { workers: 2, maxRetries: 1 },
        retry: { firstDelay: "1 millis", longestDelay: "2 millis" }
      }
    )
  })
})
