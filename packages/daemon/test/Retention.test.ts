import { assert, describe, it } from "@effect/vitest"
import { Audit, CatalogKey, Geometry } from "@icecore/catalog"
import { Deferred, Effect, Fiber, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ArtifactWork } from "../src/ArtifactWork.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import { endOf, PositionInvalid, type Source } from "../src/Source.ts"
import type * as Store from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import { collect, type Machine, makeMachine, withStore } from "./support/StoreHarness.ts"

const geometry = { firstSeq: 0, entriesPerChunk: 4, chunksPerWindow: 3 } as const

const make = (): Machine => makeMachine({ domain: NdjsonDomain.layerWith({ keys: ["/hash"] }) })

const opened = <A, E>(
  machine: Machine,
  retention: Store.RetentionOptions,
  use: (store: Store.Store) => Effect.Effect<A, E, Store.StoreServices>,
  options: Partial<Store.StoreOptions> = {}
) => withStore(machine, use, { geometry, graceMillis: 0, retention, ...options })

const demo = (count: number): Source => DemoSource.make({ count })

/** Entries of the demo log, and others at some seqs. */
const withOthers = (count: number, isOther: (seq: number) => boolean): Source => ({
  ...demo(count),
  name: "other",
  entries: (options) =>
    Stream.map(demo(count).entries(options), (batch) => ({
      ...batch,
      entries: batch.entries.map((bytes, index) =>
        isOther(batch.firstSeq + index) ? DemoSource.entryAt(1000 + batch.firstSeq + index) : bytes
      )
    }))
})

/** Gives all 42 entries while it is compared with what is kept, and halts when it is read to be filled in. */
const haltingAt14 = (isOther: (seq: number) => boolean = () => false): Source => {
  let readCount = 0
  return {
    ...demo(42),
    entries: (options) => {
      if (options.from === 0) readCount++
      return readCount < 2
        ? withOthers(42, isOther).entries(options)
        : Stream.concat(withOthers(14, isOther).entries(options), Stream.never)
    }
  }
}

const keyOf = (seq: number): Uint8Array =>
  Uint8Array.from(Buffer.from(JSON.parse(new TextDecoder().decode(DemoSource.entryAt(seq))).hash, "hex"))

/** Exactly the entries `floor` to `latest` are served, by seq and by key, and nothing else lies on disk. */
const check = Effect.fnUntraced(function* (store: Store.Store, floor: number, latest: number) {
  const { history, catalog, settled } = store
  yield* settled
  assert.deepStrictEqual(yield* history.served, Option.some({ floor, latest }))
  assert.deepStrictEqual(
    (yield* collect(history)).map(({ seq, bytes }) => [seq, new TextDecoder().decode(bytes)]),
    Array.from({ length: latest - floor + 1 }, (_, index) => [
      floor + index,
      new TextDecoder().decode(DemoSource.entryAt(floor + index))
    ])
  )
  for (let seq = 0; seq <= latest; seq++)
    assert.strictEqual(Option.isSome(yield* history.find(keyOf(seq))), seq >= floor, `key of entry ${seq}`)
  assert.deepStrictEqual(yield* Stream.runCollect(Audit.findings(catalog)), [])
  assert.deepStrictEqual(yield* store.prunePlan, {
    ...(yield* store.prunePlan),
    floor,
    nextFloor: floor,
    chunkCount: 0,
    artifactCount: 0,
    hotCount: 0
  })
  const { chunks, retention } = yield* history.status
  assert.deepStrictEqual(chunks, {
    frozen: Math.floor((latest + 1) / 4) - Math.floor(floor / 4),
    freezing: 0,
    hot: 1
  })
  assert.deepStrictEqual(retention.problem, Option.none())
})

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

/** Entry `seq` of a log in which some entries have the bytes, so the key, of another. */
const repeating = (count: number, repeats: Readonly<Record<number, number>>): Source => ({
  ...demo(count),
  name: "repeating",
  entries: (options) =>
    Stream.map(demo(count).entries(options), (batch) => ({
      ...batch,
      entries: batch.entries.map((bytes, index) => {
        const repeated = repeats[batch.firstSeq + index]
        return repeated === undefined ? bytes : DemoSource.entryAt(repeated)
      })
    }))
})

const problemOf = ({ history }: Store.Store) =>
  Effect.map(history.status, ({ served, retention }) => [served, Option.getOrNull(retention.problem)])

describe("Store widening", () => {
  it.effect("ends at a chunk that the source cannot give, though those behind it are frozen still", () => {
    const machine = makeMachine()
    const torn: Source = {
      ...demo(30),
      name: "torn",
      entries: (options) =>
        Stream.map(demo(30).entries(options), (batch) => ({
          ...batch,
          entries: batch.entries.map((bytes, index) =>
            batch.firstSeq + index === 1 ? new TextEncoder().encode("two\nlines") : bytes
          )
        }))
    }
    return Effect.gen(function* () {
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(30))
          yield* store.catalog.setBeginSeq(20)
          yield* store.catalog.demote([CatalogKey.chunkKey(Geometry.ChunkId(0), "entries")])
        })
      )
      yield* opened(
        machine,
        {},
        (store) =>
          Effect.gen(function* () {
            yield* store.ingest(torn)
            assert.deepStrictEqual(yield* store.history.served, Option.some({ floor: 20, latest: 29 }))
          }),
        { backfill: { workers: 8 } }
      )
    })
  })
})

describe("Store widening from a source that is not the log", () => {
  const failureOf = (store: Store.Store, source: Source) =>
    Effect.map(Effect.flip(store.ingest(source)), (e) => e.message)

  it.effect("fails at the first kept entry that the source gives otherwise, and serves nothing of it", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(30)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const problem = "Cannot ingest from source other: its entry 22 is not the one that was ingested before"
          assert.strictEqual(
            yield* failureOf(
              store,
              withOthers(30, (seq) => seq === 22 || seq < 20)
            ),
            problem
          )
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 20, latest: 29 }),
            `entries 0 to 19 were not filled in: ${problem}`
          ])
          assert.strictEqual((yield* store.history.status).builds.chunks, 0)
        })
      )
      yield* opened(machine, {}, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 0, 29)))
    })
  })

  it.effect("fills nothing in from a source that cannot go on at the position", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(30)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const lost: Source = {
            ...demo(30),
            entries: (options) =>
              options.resume === undefined
                ? demo(30).entries(options)
                : Stream.fail(new PositionInvalid({ source: "lost", detail: "line 30 changed" }))
          }
          assert.strictEqual(yield* failureOf(store, lost), "Cannot resume source lost: line 30 changed")
          assert.strictEqual((yield* store.history.status).builds.chunks, 0)
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 20, latest: 29 }),
            "entries 0 to 19 were not filled in: Cannot resume source lost: line 30 changed"
          ])
        })
      )
    })
  })

  it.effect("fills nothing in from a source that ends before all that is kept of a log with no position", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) =>
        Effect.forEach(Array.from({ length: 30 }), (_, seq) => store.history.append([DemoSource.entryAt(seq)])).pipe(
          Effect.andThen(store.settled)
        )
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* Effect.ignore(store.ingest(demo(20)))
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 20, latest: 29 }),
            "entries 0 to 19 were not filled in: source demo ends before entry 20, so that nothing of it can be compared"
          ])
        })
      )
      yield* opened(machine, {}, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 0, 29)))
    })
  })

  it.effect("compares the source, though as many views are open as readers may have", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(30)))
      yield* opened(
        machine,
        {},
        (store) =>
          Effect.gen(function* () {
            const stalled = yield* Deferred.make<void>()
            const stall = Effect.andThen(Deferred.succeed(stalled, undefined), Effect.never)
            const reading = yield* Effect.forkChild(Stream.runForEach(store.history.range(), () => stall))
            yield* Deferred.await(stalled)
            assert.strictEqual((yield* Effect.flip(store.history.get(20)))._tag, "ViewsExhausted")
            yield* store.ingest(demo(30))
            yield* Fiber.interrupt(reading)
            yield* check(store, 0, 29)
          }),
        { views: { maxCount: 1 } }
      )
    })
  })

  it.effect("makes chunks of an earlier attempt anew of which the source gives other entries", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(42)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const running = yield* Effect.forkChild(store.ingest(haltingAt14((seq) => seq === 6 || seq === 11)))
          yield* Effect.repeat(store.history.status, { until: ({ builds }) => builds.chunks === 3 })
          yield* Fiber.interrupt(running)
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          assert.deepInclude(yield* store.ingest(demo(42)), { builtChunkCount: 7 })
          yield* check(store, 0, 41)
        })
      )
    })
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

  it.effect("ends a widening at a key that a newer entry has taken since, and says of which entries", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(30))
          yield* store.history.append([DemoSource.entryAt(9)])
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const before = yield* store.history.served
          // What is wrong with the source beyond the widening is met by ordinary ingestion.
          yield* Effect.ignore(store.ingest(demo(30)))
          yield* store.settled
          assert.deepStrictEqual(yield* problemOf(store), [
            before,
            "entries 0 to 19 were not filled in: entries 9 and 30 have one key"
          ])
          assert.strictEqual(Option.getOrThrow(yield* store.history.find(keyOf(9))).seq, 30)
        })
      )
    })
  })

  it.effect("ends a widening at a key that two of its own chunks have, in one window and in two", () =>
    Effect.gen(function* () {
      for (const [first, second] of [
        [1, 6],
        [2, 17]
      ] as const) {
        const machine = make()
        yield* opened(machine, { earliest: 20 }, (store) => store.ingest(repeating(30, { [second]: first })))
        yield* opened(machine, { earliest: "genesis" }, (store) =>
          Effect.gen(function* () {
            yield* store.ingest(repeating(30, { [second]: first }))
            assert.deepStrictEqual(yield* problemOf(store), [
              Option.some({ floor: 20, latest: 29 }),
              `entries 0 to 19 were not filled in: entries ${first} and ${second} have one key`
            ])
            yield* store.settled
          })
        )
      }
    })
  )

  it.effect("holds what an interrupted widening left against what was appended since", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, { chunks: 2 }, (store) => store.ingest(demo(42)))
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          const running = yield* Effect.forkChild(store.ingest(haltingAt14()))
          yield* Effect.repeat(store.history.status, { until: ({ builds }) => builds.chunks === 3 })
          yield* Fiber.interrupt(running)
          // Of a chunk that is frozen, and not served.
          yield* store.history.append([DemoSource.entryAt(6)])
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* Effect.ignore(store.ingest(demo(42)))
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 32, latest: 42 }),
            "entries 0 to 31 were not filled in: entries 6 and 42 have one key"
          ])
        })
      )
    })
  })

  for (const [what, appended, expected] of [
    ["takes them as they are", 30, [Option.some({ floor: 0, latest: 30 }), null]],
    [
      "names a key that was taken since",
      3,
      [Option.some({ floor: 20, latest: 30 }), "entries 0 to 19 were not filled in: entries 3 and 30 have one key"]
    ]
  ] as const)
    it.effect(`widens over chunks that are all frozen still: ${what}`, () => {
      const machine = make()
      return Effect.gen(function* () {
        yield* opened(machine, {}, (store) =>
          Effect.gen(function* () {
            yield* store.ingest(demo(30))
            // As a crash leaves it between the mark and the prune.
            yield* store.catalog.setBeginSeq(20)
          })
        )
        yield* opened(machine, {}, (store) =>
          Effect.gen(function* () {
            yield* store.history.append([DemoSource.entryAt(appended)])
            yield* Effect.ignore(store.ingest(demo(30)))
            yield* store.settled
            assert.deepStrictEqual(yield* problemOf(store), [...expected])
          })
        )
      })
    })

  it.effect("ends a widening at a chunk that failed, though later ones are frozen still", () => {
    const machine = make()
    return Effect.gen(function* () {
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(demo(30))
          yield* store.catalog.setBeginSeq(20)
          const chunk = Geometry.ChunkId(0)
          yield* store.catalog.demote([CatalogKey.chunkKey(chunk, "entries")])
        })
      )
      yield* opened(machine, {}, (store) =>
        Effect.gen(function* () {
          yield* store.ingest(repeating(30, { 1: 25 }))
          assert.deepStrictEqual(yield* problemOf(store), [
            Option.some({ floor: 20, latest: 29 }),
            "entries 0 to 19 were not filled in: entries 1 and 25 have one key"
          ])
        })
      )
      yield* opened(machine, {}, (store) => Effect.andThen(store.ingest(demo(30)), check(store, 0, 29)))
    })
  })
})
