import { assert, describe, it } from "@effect/vitest"
import { type Engine, EngineFailed } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Disk } from "@icecore/packfile"
import { FaultEnumerator } from "@icecore/packfile/testing"
import { Effect, Fiber, Option, type Scope, Stream } from "effect"
import * as Store from "../src/Store.ts"
import * as DemoSource from "../src/source/DemoSource.ts"
import {
  collect,
  entryAt,
  expectedRange,
  makeMachine,
  services,
  smallGeometry,
  withStore
} from "./support/StoreHarness.ts"

const entryCount = 10

/** Two more attempts, at once: what is to be seen is that they are harmless, not that they wait. */
const retry = { firstDelay: "1 millis", longestDelay: "1 millis", times: 2 } as const

const open = Store.make({ dataDir: "/store", geometry: smallGeometry, retry })

/** Appends one entry after the other until the first failure; returns how many were acknowledged. */
const appendAll = (acknowledged: { count: number }) =>
  Effect.gen(function* () {
    const { history, settled } = yield* open
    for (let seq = acknowledged.count; seq < entryCount; seq++) {
      yield* history.append([entryAt(seq)])
      acknowledged.count++
    }
    yield* settled
  })

/** Without faults everything comes to rest, with all that was acknowledged, in its place. */
const check = (acknowledged: { readonly count: number }) =>
  Effect.gen(function* () {
    const { history, settled, verify } = yield* open
    yield* settled
    const { nextSeq, chunks } = yield* history.status
    assert.isAtLeast(nextSeq, acknowledged.count)
    assert.deepStrictEqual(yield* collect(history), expectedRange(0, nextSeq - 1))
    assert.deepStrictEqual(chunks, { frozen: Math.floor(nextSeq / 4), freezing: 0, hot: 1 })
    const checked = yield* Stream.runCollect(verify)
    assert.deepStrictEqual(
      checked.flatMap(({ findings }) => findings),
      []
    )
  })

const onMedium = <A, E>(
  medium: MemoryEngine.MemoryMedium,
  effect: Effect.Effect<A, E, Store.StoreServices | Scope.Scope>
): Effect.Effect<A, E, Disk | Scope.Scope> =>
  Effect.flatMap(Disk, (disk) => Effect.provide(effect, services(disk, MemoryEngine.make(medium))))

describe("Store", () => {
  it.live(
    "loses no acknowledged entry, and comes to rest afterwards, whichever operation of the disk fails",
    () => {
      let medium = MemoryEngine.makeMedium()
      let acknowledged = { count: 0 }
      return Effect.gen(function* () {
        const report = yield* FaultEnumerator.enumerateFaults({
          name: "store: append and freeze",
          prepare: Effect.sync(() => {
            medium = MemoryEngine.makeMedium()
            acknowledged = { count: 0 }
          }),
          scenario: Effect.suspend(() => onMedium(medium, appendAll(acknowledged))),
          check: () => Effect.suspend(() => onMedium(medium, check(acknowledged)))
        })
        yield* Effect.log(report.summary)
        assert.isAtLeast(report.runCount, 200)
      })
    },
    300_000
  )

  it.live(
    "loses no acknowledged entry, and comes to rest afterwards, whichever operation of the engine fails",
    () =>
      Effect.gen(function* () {
        for (const point of ["create", "commit", "sync", "destroy"] as const)
          for (const code of ["EIO", "ENOSPC"] as const)
            for (const failureCount of [1, Number.POSITIVE_INFINITY])
              for (let afterCount = 0; afterCount < 34; afterCount++) {
                const machine = makeMachine()
                const acknowledged = { count: 0 }
                machine.medium.inject({ point, code, afterCount, failureCount })
                const run = Effect.scoped(appendAll(acknowledged))
                yield* Effect.ignore(Effect.provide(run, machine.services))
                machine.medium.heal()
                yield* Effect.provide(Effect.scoped(check(acknowledged)), machine.services)
              }
      }),
    300_000
  )

  it.live("waits while a hot database cannot grow, serves meanwhile, and goes on by itself", () => {
    const machine = makeMachine()
    return withStore(
      machine,
      ({ history, ingest }) =>
        Effect.gen(function* () {
          const path = "/store/hot/00000001"
          machine.medium.inject({ point: "commit", code: "ENOSPC", afterCount: 2, failureCount: 20, path })
          // What can be read only once goes through hot databases.
          const source = { ...DemoSource.make({ count: 30 }), isRepeatable: false }
          const ingesting = yield* Effect.forkChild(ingest(source))
          const status = yield* Effect.repeat(history.status, {
            until: ({ ingestion }) => ingestion.state === "waiting"
          })
          assert.match(Option.getOrThrow(status.ingestion.problem), /no space left|earlier write failed/)
          for (let seq = 0; seq < status.nextSeq; seq++)
            assert.deepStrictEqual(yield* history.get(seq), DemoSource.entryAt(seq))
          machine.medium.heal()
          assert.strictEqual((yield* Fiber.join(ingesting)).entryCount, 30)
          const entries = yield* collect(history)
          assert.deepStrictEqual(
            entries.map(({ bytes }) => bytes),
            Array.from({ length: 30 }, (_, seq) => DemoSource.entryAt(seq))
          )
          assert.deepStrictEqual((yield* history.status).ingestion, { state: "idle", problem: Option.none() })
        }),
      { retry: { firstDelay: "2 millis", longestDelay: "10 millis" } }
    )
  })

  it.live("removes what a failed commit left all the same, entries and position", () => {
    const machine = makeMachine()
    const inner = MemoryEngine.make(machine.medium)
    let lies = 0
    // Commits, and then says that it did not: what a disk does whose acknowledgement is lost.
    const lying: Engine = {
      ...inner,
      open: (options) =>
        Effect.map(inner.open(options), (database) => ({
          ...database,
          write: (build, write) =>
            Effect.andThen(
              database.write(build, write),
              Effect.suspend(() =>
                lies > 0 && lies-- > 0
                  ? Effect.fail(new EngineFailed({ path: options.path, operation: "write", detail: "EIO" }))
                  : Effect.void
              )
            )
        }))
    }
    const liar = { ...machine, services: services(machine.disk.disk, lying) }
    const options = { entriesPerCommit: 2, retry: { firstDelay: "2 millis", longestDelay: "10 millis" } } as const
    return Effect.gen(function* () {
      yield* withStore(
        liar,
        ({ history, ingest }) =>
          Effect.gen(function* () {
            yield* ingest(DemoSource.make({ count: 2 }))
            lies = 1
            assert.strictEqual((yield* Effect.flip(history.append([entryAt(2), entryAt(3)])))._tag, "EngineFailed")
            assert.strictEqual((yield* history.status).nextSeq, 2)
            assert.strictEqual((yield* Effect.flip(history.get(2)))._tag, "EntryNotIngested")
            yield* history.append([DemoSource.entryAt(2)])
          }),
        options
      )
      yield* withStore(
        machine,
        ({ history, ingest }) =>
          Effect.gen(function* () {
            assert.strictEqual((yield* history.status).nextSeq, 3)
            assert.strictEqual((yield* ingest(DemoSource.make({ count: 9 }))).entryCount, 6)
            const entries = yield* collect(history)
            assert.deepStrictEqual(
              entries.map(({ bytes }) => bytes),
              Array.from({ length: 9 }, (_, seq) => DemoSource.entryAt(seq))
            )
          }),
        options
      )
    })
  })

  it.live("goes on by itself after the catalog could not be written for a while", () => {
    const machine = makeMachine()
    return withStore(
      machine,
      ({ history, ingest, settled }) =>
        Effect.gen(function* () {
          yield* history.append([DemoSource.entryAt(0)])
          machine.medium.inject({ point: "sync", code: "ENOSPC", failureCount: 6, path: "/store/catalog" })
          assert.strictEqual((yield* ingest(DemoSource.make({ count: 30 }))).frozenChunkCount, 7)
          yield* settled
          const entries = yield* collect(history)
          assert.deepStrictEqual(
            entries.map(({ bytes }) => bytes),
            Array.from({ length: 30 }, (_, seq) => DemoSource.entryAt(seq))
          )
        }),
      { retry: { firstDelay: "2 millis", longestDelay: "10 millis" } }
    )
  })

  it.live("does not begin a freeze that cannot fit, and freezes when space returns", () => {
    const machine = makeMachine()
    return withStore(
      machine,
      ({ history, settled }) =>
        Effect.gen(function* () {
          machine.disk.setCapacityBytes(1_500)
          for (let seq = 0; seq < 6; seq++) yield* history.append([entryAt(seq)])
          const status = yield* Effect.repeat(history.status, { until: ({ freezing }) => freezing.state === "waiting" })
          assert.match(
            Option.getOrThrow(status.freezing.problem),
            /^Cannot write to \/store\/entries: it may take \d+ bytes, \d+ are free$/
          )
          assert.strictEqual(status.chunks.frozen, 0)
          assert.deepStrictEqual(yield* collect(history), expectedRange(0, 5))
          machine.disk.setCapacityBytes(2 ** 40)
          yield* settled
          assert.strictEqual((yield* history.status).chunks.frozen, 1)
          assert.deepStrictEqual(yield* collect(history), expectedRange(0, 5))
        }),
      { retry: { firstDelay: "2 millis", longestDelay: "10 millis" } }
    )
  })

  it.live("holds ingestion back while too many complete chunks wait for their freeze", () => {
    const machine = makeMachine()
    return withStore(
      machine,
      ({ history, settled }) =>
        Effect.gen(function* () {
          machine.disk.setCapacityBytes(1_500)
          const appending = yield* Effect.forkChild(
            Effect.forEach(
              Array.from({ length: 30 }, (_, seq) => seq),
              (seq) => history.append([entryAt(seq)])
            )
          )
          yield* Effect.repeat(history.status, { until: ({ chunks }) => chunks.freezing === 3 })
          for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
          assert.strictEqual((yield* history.status).nextSeq, 12)
          assert.isUndefined(appending.pollUnsafe())
          machine.disk.setCapacityBytes(2 ** 40)
          yield* Fiber.join(appending)
          yield* settled
          assert.deepStrictEqual(yield* collect(history), expectedRange(0, 29))
        }),
      { maxUnfrozenChunks: 3, retry: { firstDelay: "2 millis", longestDelay: "10 millis" } }
    )
  })
})
