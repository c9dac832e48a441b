import { assert, describe, it } from "@effect/vitest"
import { Audit } from "@icecore/catalog"
import { Effect, Fiber, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ArtifactWork } from "../src/ArtifactWork.ts"
import { endOf, PositionInvalid, type Source } from "../src/Source.ts"
import type * as Store from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { check, demo, geometry, haltingAt14, make, opened } from "./support/RetainedLog.ts"

describe("Store retention", () => {
  it.effect("keeps so many complete chunks, while it goes on and after a restart", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 3 }, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(30))
          yield* check(store, 16, 29)
          for (let seq = 30; seq < 45; seq++) {
            yield* store.history.append([DemoSource.entryAt(seq)])
            yield* check(store, Math.floor((seq + 1) / 4) * 4 - 12, seq)
          }
        })
      )
      yield* opened(machine, { chunks: 3 }, (store) => check(store, 32, 44))
    })
  })

  it.effect("prunes when it is narrowed, and fills in from the source when it is widened", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, {}, (store) => Effect.andThen(store.ingest(demo(50)), check(store, 0, 49)))
      yield* opened(machine, { chunks: 2 }, (store) => check(store, 40, 49))
      yield* opened(machine, { chunks: 5 }, (store) =>
        Effect.gen(function* () {
          // Until the source has been asked, history begins where it did.
          assert.deepStrictEqual(yield* store.history.served, Option.some({ floor: 40, latest: 49 }))
          const { retention } = yield* store.history.status
          assert.deepStrictEqual(retention, {
            chunks: 5,
            earliestSeq: 0,
            wantedFloor: 28,
            problem: Option.some("entries 28 to 39 are not in the store yet")
          })
          const report = yield* store.ingest(demo(50))
          assert.deepInclude(report, { entryCount: 0, backfilledChunkCount: 3, builtChunkCount: 3 })
          yield* check(store, 28, 49)
        })
      )
      yield* opened(machine, { earliest: 9 }, (store) => Effect.andThen(store.ingest(demo(60)), check(store, 9, 59)))
      // What is not said is what is pinned.
      yield* opened(machine, {}, (store) => check(store, 9, 59))
      yield* opened(machine, { earliest: "genesis" }, (store) =>
        Effect.andThen(store.ingest(demo(60)), check(store, 0, 59))
      )
      yield* opened(machine, { earliest: 33 }, (store) => check(store, 33, 59))
    })
  })

  it.effect("serves more of the chunk that it begins in at once when it is widened within it, without a source", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { earliest: 11 }, (store) => Effect.andThen(store.ingest(demo(20)), check(store, 11, 19)))
      yield* opened(machine, { earliest: 9 }, (store) => check(store, 9, 19))
      yield* opened(machine, { earliest: 6 }, (store) => Effect.andThen(store.ingest(demo(20)), check(store, 6, 19)))
      yield* opened(machine, { earliest: 5 }, (store) => check(store, 5, 19))
    })
  })

  it.effect("grows the index of a finished window downwards", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { earliest: 20 }, (store) => Effect.andThen(store.ingest(demo(36)), check(store, 20, 35)))
      yield* opened(machine, { earliest: 12 }, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(36))
          yield* check(store, 12, 35)
          assert.deepInclude(Option.getOrThrow((yield* store.history.status).keys), {
            indexCount: 2,
            uncoveredRunCount: 0
          })
        })
      )
    })
  })

  it.effect("leaves the floor where history begins when the source cannot give more, and says so", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(30)))
      const poor: Source = {
        ...demo(30),
        name: "poor",
        entries: (options) =>
          options.from < 8
            ? Stream.fail(new PositionInvalid({ source: "poor", detail: "it has no more" }))
            : Stream.empty
      }
      yield* opened(machine, { chunks: 0 }, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(poor)
          assert.deepStrictEqual(yield* store.history.served, Option.some({ floor: 20, latest: 29 }))
          const { retention } = yield* store.history.status
          assert.strictEqual(
            Option.getOrThrow(retention.problem),
            "entries 0 to 19 were not filled in: Cannot resume source poor: it has no more"
          )
        })
      )
      yield* opened(machine, { chunks: 0 }, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 0, 29)))
    })
  })

  it.effect("keeps what was filled in before it was interrupted, and serves none of it until all is there", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(42)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const running = yield* Effect.forkChild(store.ingest(haltingAt14()))
          yield* Effect.repeat(store.history.status, { until: ({ builds }) => builds.chunks === 3 })
          yield* Fiber.interrupt(running)
          assert.deepStrictEqual(yield* store.history.served, Option.some({ floor: 32, latest: 41 }))
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          assert.deepInclude(yield* store.ingest(demo(42)), { builtChunkCount: 5 })
          yield* check(store, 0, 41)
        })
      )
    })
  })

  it.effect("begins at the end of the source when it is told now, and keeps to that", () => {
    const machine = make()
    const options = { sourceEnd: (firstSeq: number) => endOf(demo(22), firstSeq) }
    return Effect.gen(function* () {
      yield* opened(
        machine,
        { earliest: "now" },
        (store) =>
          Effect.gen(function* () {
            assert.strictEqual(store.catalog.pins.earliestSeq, 22)
            assert.deepStrictEqual(yield* store.history.served, Option.none())
            yield* store.ingest(demo(31))
            yield* check(store, 22, 30)
          }),
        options
      )
      yield* opened(machine, { earliest: "now" }, (store) => check(store, 22, 30), {
        sourceEnd: () => Effect.die("asked again")
      })
    })
  })

  it.effect("refuses to begin behind the end of a log that has entries, and keeps what is pinned", () => {
    const machine = make()
    const refused = (earliest: number) =>
      Effect.map(Effect.flip(opened(machine, { earliest }, () => Effect.void)), (error) => ({ ...error }))
    return Effect.gen(function* () {
      yield* opened(machine, { earliest: 6 }, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 6, 29)))
      for (const earliest of [30, 31, 1_000_000])
        assert.deepInclude(yield* refused(earliest), { _tag: "EarliestBeyondEnd", earliest, latest: 29 })
      yield* opened(machine, {}, (store) => check(store, 6, 29))
      yield* opened(machine, { earliest: 29 }, (store) => check(store, 29, 29))
    })
  })

  it.effect("begins a log without entries anywhere, also at another seq than before", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { earliest: 5 }, () => Effect.void)
      yield* opened(machine, { earliest: 22 }, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 22, 29)))
    })
  })

  it.effect("destroys nothing before its grace is over, and then without being told", () => {
    const machine = make()
    return opened(
      machine,
      { chunks: 1 },
      (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(30))
          const findings = Effect.map(Stream.runCollect(Audit.findings(store.catalog)), ({ length }) => length)
          yield* store.settled
          assert.isAbove(yield* findings, 0)
          yield* TestClock.adjust("29 seconds")
          yield* store.settled
          assert.isAbove(yield* findings, 0)
          yield* TestClock.adjust("40 seconds")
          yield* store.settled
          assert.strictEqual(yield* findings, 0)
        }),
      { graceMillis: 30_000 }
    )
  })

  it.effect("gives up the keys of no chunk that is still served when a window is finished", () => {
    const machine = make()
    let store: Store.Store | undefined
    /** Chunk that an index begins with, and the first seq that was served when it was built. */
    const built: Array<readonly [number, number]> = []
    const watched = Layer.effect(
      ArtifactWork,
      Effect.map(
        ArtifactWork,
        (work): ArtifactWork => ({
          ...work,
          buildIndex: (job) =>
            Effect.gen(function* () {
              const { floor } = Option.getOrThrow(yield* store!.history.served)
              built.push([job.coverage.lo, floor])
              return yield* work.buildIndex(job)
            })
        })
      )
    ).pipe(Layer.provideMerge(machine.services))
    return opened({ ...machine, services: watched }, { chunks: 2 }, (opening) =>
      Effect.gen(function* () {
        store = opening
        for (let seq = 0; seq < 24; seq++) yield* opening.history.append([DemoSource.entryAt(seq)])
        yield* check(opening, 16, 23)
        assert.isAbove(built.length, 0)
        for (const [lo, floor] of built) assert.isAtMost(lo * geometry.entriesPerChunk, floor)
      })
    )
  })
})

describe("Store keys where the floor moves", () => {
  it.effect(
    "refuses the key of an entry below the floor while its chunk is kept, which an index of the chunk holds",
    () => {
      const machine = make()
      return Effect.gen(function* () {
        const appended = (store: Store.Store, ...seqs: ReadonlyArray<number>) =>
          store.history.append(seqs.map(DemoSource.entryAt))
        yield* opened(machine, {}, (store) => appended(store, 0, 1, 2, 3, 4, 5))
        yield* opened(machine, { earliest: 2 }, (store) =>
          Effect.gen(function* () {
            assert.deepInclude(yield* Effect.flip(appended(store, 0)), {
              _tag: "DuplicateKey",
              firstSeq: 0,
              secondSeq: 6
            })
            yield* appended(store, 6, 7, 8)
            assert.deepInclude(yield* Effect.flip(appended(store, 1)), {
              _tag: "DuplicateKey",
              firstSeq: 1,
              secondSeq: 9
            })
            yield* check(store, 2, 8)
          })
        )
        yield* opened(machine, { earliest: 4 }, (store) =>
          Effect.gen(function* () {
            yield* store.settled
            // The chunk of entry 0 is gone.
            assert.deepInclude(yield* appended(store, 0), { firstSeq: 9 })
            yield* store.settled
          })
        )
      })
    }
  )

  it.effect("refuses a key of the chunk where the log begins before the floor is reached", () =>
    opened(make(), { earliest: 6 }, (store) =>
      Effect.gen(function* () {
        const append = store.history.append([DemoSource.entryAt(4)])
        assert.deepInclude(yield* append, { firstSeq: 4 })
        assert.deepInclude(yield* Effect.flip(append), { _tag: "DuplicateKey", firstSeq: 4, secondSeq: 5 })
      })
    )
  )
})
