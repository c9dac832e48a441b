import { assert, describe, it } from "@effect/vitest"
import { Audit } from "@icecore/catalog"
import { type Engine, maxValueSizeBytes } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import * as FastCheck from "fast-check"
import { ArtifactWork } from "../src/ArtifactWork.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import type { Store } from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import {
  collect,
  entriesAt,
  entryAt,
  expectedRange,
  makeMachine,
  services,
  smallGeometry,
  withStore
} from "./support/StoreHarness.ts"

const tagOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => error._tag)

/** Everything about the log that must not depend on how it came to be. */
const checkLog = Effect.fnUntraced(function* ({ history }: Store, nextSeq: number) {
  const served = nextSeq === 0 ? Option.none() : Option.some({ floor: 0, latest: nextSeq - 1 })
  assert.deepStrictEqual(yield* history.served, served)
  assert.deepStrictEqual(yield* collect(history), expectedRange(0, nextSeq - 1))
  assert.deepStrictEqual(yield* collect(history, { order: "descending" }), expectedRange(0, nextSeq - 1).toReversed())
  for (let seq = 0; seq < nextSeq; seq++) assert.deepStrictEqual(yield* history.get(seq), entryAt(seq))
  assert.strictEqual(yield* tagOf(history.get(nextSeq)), "EntryNotIngested")
})

/** Files and catalog agree, and nothing is between two states. */
const checkSettled = Effect.fnUntraced(function* ({ catalog, settled, history }: Store) {
  yield* settled
  assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
  const { chunks, nextSeq } = yield* history.status
  assert.deepStrictEqual(chunks, { frozen: Math.floor(nextSeq / 4), freezing: 0, hot: 1 })
})

describe("Store", () => {
  it.effect("serves an empty log as one that has nothing yet", () =>
    withStore(makeMachine(), ({ history }) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* history.served, Option.none())
        assert.deepStrictEqual(yield* collect(history), [])
        assert.deepStrictEqual(yield* collect(history, { order: "descending", limit: 3 }), [])
        assert.strictEqual(yield* tagOf(history.get(0)), "EntryNotIngested")
        assert.strictEqual(yield* tagOf(collect(history, { from: 0 })), "EntryNotIngested")
        assert.deepStrictEqual(yield* history.append([]), { firstSeq: 0, lastSeq: -1 })
      })
    )
  )

  it.effect("answers for every entry, hot and frozen, before and after a restart", () => {
    const machine = makeMachine()
    return Effect.gen(function* () {
      yield* withStore(machine, (store) =>
        Effect.gen(function* () {
          for (let seq = 0; seq < 18; seq++) {
            assert.deepStrictEqual(yield* store.history.append([entryAt(seq)]), { firstSeq: seq, lastSeq: seq })
            yield* checkLog(store, seq + 1)
          }
          yield* checkSettled(store)
          yield* checkLog(store, 18)
        })
      )
      yield* withStore(machine, (store) => Effect.andThen(checkLog(store, 18), checkSettled(store)))
    })
  })

  it.effect("does not count a chunk as frozen that is complete while the next one is being opened", () => {
    const base = makeMachine()
    const engine = MemoryEngine.make(base.medium)
    const reached = Deferred.makeUnsafe<void>()
    const gate = Deferred.makeUnsafe<void>()
    const slow: Engine = {
      ...engine,
      open: (options) =>
        options.path.endsWith("/hot/00000001")
          ? Effect.andThen(
              Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(gate)),
              engine.open(options)
            )
          : engine.open(options)
    }
    return withStore({ ...base, services: services(base.disk.disk, slow) }, ({ history, settled }) =>
      Effect.gen(function* () {
        const appending = yield* Effect.forkChild(history.append(entriesAt(0, 3)))
        yield* Deferred.await(reached)
        assert.deepInclude(yield* history.status, { nextSeq: 4, chunks: { frozen: 0, freezing: 0, hot: 1 } })
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(appending)
        yield* settled
        assert.deepStrictEqual((yield* history.status).chunks, { frozen: 1, freezing: 0, hot: 1 })
      })
    )
  })

  it.effect("appends a list that spans several chunks and commits", () =>
    withStore(
      makeMachine(),
      (store) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* store.history.append(entriesAt(0, 29)), { firstSeq: 0, lastSeq: 29 })
          yield* checkLog(store, 30)
          yield* checkSettled(store)
          yield* checkLog(store, 30)
        }),
      { entriesPerCommit: 3, maxUnfrozenChunks: 2 }
    )
  )

  it.effect("opens the next chunk as soon as one is complete", () => {
    const machine = makeMachine()
    return Effect.gen(function* () {
      yield* withStore(machine, ({ history }) =>
        Effect.gen(function* () {
          yield* history.append(entriesAt(0, 7))
          assert.strictEqual((yield* history.status).liveChunk, 2)
        })
      )
      yield* withStore(machine, (store) => Effect.andThen(checkSettled(store), checkLog(store, 8)))
    })
  })

  it.effect("refuses what cannot be an entry, and appends none of the list", () =>
    withStore(makeMachine(), ({ history }) =>
      Effect.gen(function* () {
        const long = new Uint8Array(maxValueSizeBytes + 1)
        assert.strictEqual(yield* tagOf(history.append([entryAt(0), long])), "EntryTooLarge")
        const line = new TextEncoder().encode("two\nlines")
        const refused = yield* Effect.flip(history.append([entryAt(0), line]))
        assert.strictEqual(
          refused.message,
          "Cannot append entry 1: byte 3 is a line feed, an entry is one line without it"
        )
        assert.deepStrictEqual(yield* history.served, Option.none())
      })
    )
  )

  it.effect("takes an entry of exactly the largest size, and freezes and reads it", () => {
    const long = new Uint8Array(maxValueSizeBytes).fill(7)
    return withStore(
      makeMachine(),
      ({ history, settled }) =>
        Effect.gen(function* () {
          yield* history.append([long, long, entryAt(2)])
          yield* settled
          assert.isTrue(Buffer.compare(yield* history.get(1), long) === 0)
          assert.deepStrictEqual(yield* history.get(2), entryAt(2))
        }),
      { geometry: { entriesPerChunk: 3 } }
    )
  })

  it.effect("appends at the expected seq or not at all", () =>
    withStore(makeMachine(), ({ history }) =>
      Effect.gen(function* () {
        yield* history.append(entriesAt(0, 2), { expectedSeq: 0 })
        const conflict = yield* Effect.flip(history.append(entriesAt(0, 2), { expectedSeq: 0 }))
        assert.strictEqual(conflict.message, "Cannot append at 0: the log goes on at 3")
        yield* history.append(entriesAt(3, 4), { expectedSeq: 3 })
        assert.deepStrictEqual(yield* collect(history), expectedRange(0, 4))
      })
    )
  )

  it.effect("keeps concurrent appends apart and whole", () =>
    withStore(
      makeMachine(),
      ({ history }) =>
        Effect.gen(function* () {
          const lists = Array.from({ length: 20 }, (_, list) =>
            Array.from({ length: 5 }, (_, index) => new TextEncoder().encode(`${list}/${index}`))
          )
          const appended = yield* Effect.forEach(lists, (list) => history.append(list), { concurrency: "unbounded" })
          for (const [list, { firstSeq, lastSeq }] of appended.entries()) {
            const entries = yield* collect(history, { from: firstSeq, to: lastSeq })
            assert.deepStrictEqual(
              entries.map(({ bytes }) => bytes),
              lists[list]
            )
          }
        }),
      { entriesPerCommit: 2 }
    )
  )

  it.effect("tells invalid, below the floor, and not ingested apart, each with what is served", () =>
    withStore(
      makeMachine(),
      ({ history }) =>
        Effect.gen(function* () {
          yield* history.append(entriesAt(0, 9))
          const below = yield* Effect.flip(history.get(9))
          assert.strictEqual(below.message, "Cannot read entry 9: it is below the floor; entries 10 to 19 are served")
          const ahead = yield* Effect.flip(history.get(20))
          assert.strictEqual(ahead.message, "Cannot read entry 20: it is not ingested yet; entries 10 to 19 are served")
          for (const seq of [-1, 1.5, Number.NaN, 2 ** 53])
            assert.strictEqual(yield* tagOf(history.get(seq)), "HistoryRequestInvalid")
          assert.strictEqual(yield* tagOf(collect(history, { from: 9 })), "EntryBelowFloor")
          assert.strictEqual(yield* tagOf(collect(history, { to: 9 })), "EntryBelowFloor")
          assert.strictEqual(yield* tagOf(collect(history, { from: 20 })), "EntryNotIngested")
          assert.strictEqual(yield* tagOf(collect(history, { from: 12, to: 11 })), "HistoryRequestInvalid")
          assert.strictEqual(yield* tagOf(collect(history, { limit: 0 })), "HistoryRequestInvalid")
          assert.strictEqual((yield* collect(history, { from: 15, to: 99 })).length, 5)
        }),
      { geometry: { firstSeq: 10, entriesPerChunk: 4 } }
    )
  )

  it.effect("gives any range, ascending and descending, over the seam of hot and frozen", () =>
    withStore(makeMachine(), ({ history, settled }) =>
      Effect.gen(function* () {
        const latest = 29
        yield* history.append(entriesAt(0, latest))
        yield* settled
        const all = expectedRange(0, latest)
        const bound = FastCheck.option(FastCheck.nat({ max: latest }), { nil: undefined })
        const requests = FastCheck.sample(
          FastCheck.record({
            bounds: FastCheck.tuple(bound, bound),
            order: FastCheck.constantFrom("ascending" as const, "descending" as const),
            limit: FastCheck.option(FastCheck.integer({ min: 1, max: 40 }), { nil: undefined })
          }),
          { numRuns: 400, seed: 7 }
        )
        for (const { bounds, order, limit } of requests) {
          const [left, right] = bounds
          const isSwapped = left !== undefined && right !== undefined && left > right
          const [from, to] = isSwapped ? [right, left] : [left, right]
          const found = yield* collect(history, {
            order,
            ...(from === undefined ? {} : { from }),
            ...(to === undefined ? {} : { to }),
            ...(limit === undefined ? {} : { limit })
          })
          const wanted = all.slice(from ?? 0, (to ?? latest) + 1)
          const ordered = order === "ascending" ? wanted : wanted.toReversed()
          assert.deepStrictEqual(found, ordered.slice(0, limit))
        }
      })
    )
  )

  it.effect("goes on with a range that began before its chunks were frozen and discarded", () =>
    withStore(makeMachine(), ({ history, settled, catalog }) =>
      Effect.gen(function* () {
        yield* history.append(entriesAt(0, 3))
        const found: Array<number> = []
        yield* Stream.runForEach(history.range({ from: 0 }), (batch) =>
          Effect.gen(function* () {
            if (found.length === 0) {
              yield* history.append(entriesAt(4, 17))
              yield* Effect.yieldNow
            }
            found.push(...batch.map(({ seq }) => seq))
          })
        )
        assert.deepStrictEqual(found, [0, 1, 2, 3])
        yield* settled
        assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
      })
    )
  )

  it.effect("discards a hot database only when its last reader has left", () =>
    withStore(makeMachine(), ({ history, settled }) =>
      Effect.gen(function* () {
        yield* history.append(entriesAt(0, 2))
        const iterator = yield* Stream.toPull(history.range())
        const first = yield* iterator
        yield* history.append(entriesAt(3, 9))
        const waiting = yield* Effect.forkChild(settled)
        for (let turn = 0; turn < 200; turn++) yield* Effect.yieldNow
        assert.isUndefined(waiting.pollUnsafe())
        assert.strictEqual((yield* history.status).chunks.frozen, 2)
        assert.deepStrictEqual(first.flat(), expectedRange(0, 2))
        yield* Effect.ignore(iterator)
      }).pipe(Effect.scoped, Effect.andThen(settled))
    )
  )

  it.effect("publishes what is served, the newest first for those who come late", () =>
    withStore(makeMachine(), ({ history }) =>
      Effect.gen(function* () {
        yield* history.append(entriesAt(0, 2))
        const next = yield* Effect.forkChild(Stream.runCollect(Stream.take(history.changes, 2)))
        yield* Effect.yieldNow
        yield* Effect.yieldNow
        yield* history.append(entriesAt(3, 3))
        assert.deepStrictEqual(yield* Fiber.join(next), [
          Option.some({ floor: 0, latest: 2 }),
          Option.some({ floor: 0, latest: 3 })
        ])
      })
    )
  )

  it.effect("refuses a second store on the same directory, and another geometry or domain", () => {
    const machine = makeMachine()
    return Effect.gen(function* () {
      const second = yield* withStore(machine, () => tagOf(withStore(machine, () => Effect.void)))
      assert.strictEqual(second, "StorageLocked")
      const geometry = { firstSeq: 0, entriesPerChunk: 5, chunksPerWindow: 10 }
      assert.strictEqual(yield* tagOf(withStore(machine, () => Effect.void, { geometry })), "CatalogPinMismatch")
    })
  })

  it.effect("opens for reading only without changing a thing", () => {
    const machine = makeMachine()
    return Effect.gen(function* () {
      assert.strictEqual(yield* tagOf(withStore(machine, () => Effect.void, { mode: "readOnly" })), "StoreNotFound")
      yield* withStore(machine, ({ history }) => history.append(entriesAt(0, 9)))
      const before = yield* withStore(
        machine,
        (store) =>
          Effect.gen(function* () {
            yield* checkLog(store, 10)
            assert.strictEqual(yield* tagOf(store.history.append([entryAt(10)])), "StoreReadOnly")
            assert.strictEqual(yield* tagOf(store.ingest(DemoSource.make({ count: 1 }))), "StoreReadOnly")
            yield* store.settled
            return (yield* store.history.status).chunks
          }),
        { mode: "readOnly" }
      )
      const again = yield* withStore(machine, ({ history }) => history.status, { mode: "readOnly" })
      assert.deepStrictEqual(again.chunks, before)
      yield* withStore(machine, (store) => Effect.andThen(checkSettled(store), checkLog(store, 10)))
    })
  })

  it.effect("refuses an entry that is no Uint8Array, which could not be read again", () =>
    withStore(makeMachine(), (store) =>
      Effect.gen(function* () {
        for (const wrong of ["text", null, [1, 2], Uint16Array.of(1, 2), new ArrayBuffer(2)])
          assert.strictEqual(
            yield* tagOf(store.history.append([entryAt(0), wrong as unknown as Uint8Array])),
            "EntryRefused"
          )
        yield* store.history.append([entryAt(0), Buffer.from(entryAt(1))])
        yield* checkLog(store, 2)
      })
    )
  )

  it.effect("numbers no entry that a number cannot hold", () =>
    withStore(
      makeMachine(),
      ({ history }) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* tagOf(history.append(entriesAt(0, 1))), "LogFull")
          const last = Number.MAX_SAFE_INTEGER
          assert.deepStrictEqual(yield* history.append(entriesAt(0, 0)), { firstSeq: last, lastSeq: last })
          assert.strictEqual(yield* tagOf(history.append(entriesAt(0, 0))), "LogFull")
          assert.deepStrictEqual(yield* history.get(last), entryAt(0))
        }),
      { geometry: { ...smallGeometry, firstSeq: Number.MAX_SAFE_INTEGER } }
    )
  )

  it.effect("ends the ingestion of an entry that it cannot take, instead of trying it again for ever", () =>
    withStore(makeMachine(), (store) => {
      const batch = {
        firstSeq: 0,
        entries: [new Uint8Array(maxValueSizeBytes + 1)],
        positionAfter: () => new Uint8Array(1)
      }
      const source = { ...DemoSource.make({ count: 1 }), entries: () => Stream.succeed(batch) }
      return Effect.gen(function* () {
        assert.strictEqual(yield* tagOf(store.ingest(source)), "EntryTooLarge")
        assert.strictEqual((yield* store.history.status).ingestion.state, "failed")
      })
    })
  )

  it.effect("keeps no more packs open than it was told, however many were read", () => {
    let openCount = 0
    const machine = makeMachine({
      mapDisk: (disk) => ({
        ...disk,
        open: (path, mode) => {
          const count = (change: number) =>
            Effect.sync(() => {
              if (path.endsWith(".pack")) openCount += change
            })
          return Effect.acquireRelease(
            Effect.andThen(disk.open(path, mode), (file) => Effect.as(count(1), file)),
            () => count(-1)
          )
        }
      })
    })
    return withStore(
      machine,
      (store) =>
        Effect.gen(function* () {
          yield* store.history.append(entriesAt(0, 40))
          yield* checkSettled(store)
          assert.strictEqual(openCount, 0)
          for (let round = 0; round < 3; round++) {
            yield* checkLog(store, 41)
            assert.strictEqual(openCount, 2)
          }
        }),
      { idlePackCount: 2 }
    )
  })

  it.effect("frees everything when it is interrupted while it freezes", () => {
    const machine = makeMachine()
    return Effect.gen(function* () {
      for (let round = 0; round < 10; round++) {
        const exit = yield* Effect.exit(
          withStore(machine, ({ history }) =>
            Effect.andThen(history.append(entriesAt(round * 7, round * 7 + 6)), Effect.interrupt)
          )
        )
        assert.isTrue(Exit.isFailure(exit))
      }
      yield* withStore(machine, (store) => Effect.andThen(checkSettled(store), checkLog(store, 70)))
    })
  })

  it.effect("refuses work that derives files through another domain, whose runs would have no keys", () => {
    const { services } = makeMachine({ domain: NdjsonDomain.layerWith({ keys: ["/hash"] }) })
    const other = Effect.map(
      ArtifactWork,
      (work): ArtifactWork => ({ ...work, domain: { ...work.domain, options: "" } })
    )
    const machine = { ...makeMachine(), services: Layer.provideMerge(Layer.effect(ArtifactWork, other), services) }
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(withStore(machine, () => Effect.void))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.match(
        String(exit),
        /Cannot open a store of domain ndjson version 1, options .* with ArtifactWork of domain/
      )
    })
  })
})
