import { assert, describe, it } from "@effect/vitest"
import { type Zstd, ZstdLive } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Data, Effect, Fiber, Layer, Option, Stream } from "effect"
import { ArtifactWork, layerInline } from "../src/ArtifactWork.ts"
import { Domain } from "../src/Domain.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import type { Entry } from "../src/Entry.ts"
import * as WorkerPool from "../src/live/WorkerPool.ts"
import * as FaultyDomain from "./support/FaultyDomain.ts"
import { directory } from "./support/LiveDirectory.ts"
import { chunkJob, contentOf, keyedEntries, keyedEntry, keyOptions, namesIn } from "./support/WorkHarness.ts"

const ports = Layer.mergeAll(LiveDisk.layer, ZstdLive.layer)

interface PoolBench {
  readonly work: ArtifactWork
  readonly directory: string
}

const withPool = <A, E>(
  use: (bench: PoolBench) => Effect.Effect<A, E, Disk | Zstd>,
  { domain, ...options }: Partial<WorkerPool.WorkerPoolOptions> & { readonly domain: Domain }
) => {
  const pool = WorkerPool.layer({ workers: 1, ...options }).pipe(Layer.provide(Layer.succeed(Domain, domain)))
  return Effect.gen(function* () {
    return yield* use({ work: yield* ArtifactWork, directory: yield* directory })
  }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(pool, ports)))
}

const shared = () => new SharedArrayBuffer(8)
const faulty = (options: Partial<FaultyDomain.FaultyOptions> = {}): Domain =>
  FaultyDomain.make({ shared: shared(), ...options })

const textEntry = (seq: number, text: string): Entry => ({ seq, bytes: new TextEncoder().encode(text) })

/** Entries with `text` as the last one. */
const endingWith = (count: number, text: string): Stream.Stream<ReadonlyArray<Entry>> =>
  Stream.concat(keyedEntries(130, count - 1), Stream.make([textEntry(130 + count - 1, text)]))

/** One turn of the event loop. */
const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.asVoid(Effect.repeat(Effect.andThen(turn, condition), { until: (isMet) => isMet }))

class EntriesBroken extends Data.Error {
  readonly _tag = "EntriesBroken"
}

describe("WorkerPool", () => {
  it.live("writeChunk in a worker writes the same files as inline", () =>
    withPool(
      ({ work, directory }) =>
        Effect.gen(function* () {
          const job = chunkJob(directory, { entryCount: 5000, hasKeys: true })
          const other = {
            ...job,
            entries: Option.some({ path: `${directory}/inline.pack` }),
            keys: Option.some({ path: `${directory}/inline.bin` })
          }
          const written = yield* work.writeChunk(job, keyedEntries(130, 5000))
          const domain = Layer.succeed(Domain, NdjsonDomain.make(keyOptions))
          const inline = yield* Effect.provide(ArtifactWork, Layer.provide(layerInline, Layer.merge(domain, ports)))
          assert.deepStrictEqual(yield* inline.writeChunk(other, keyedEntries(130, 5000)), written)
          assert.deepStrictEqual(yield* contentOf(`${directory}/3.pack`), yield* contentOf(`${directory}/inline.pack`))
          assert.deepStrictEqual(yield* contentOf(`${directory}/3.bin`), yield* contentOf(`${directory}/inline.bin`))
          const runJob = { ...job, packPath: `${directory}/3.pack`, runPath: `${directory}/run` }
          assert.deepStrictEqual(yield* work.writeRun(runJob), Option.getOrThrow(written.keys))
        }),
      { domain: NdjsonDomain.make(keyOptions) }
    )
  )

  it.live("buildIndex in a worker builds the same index as inline, and fails with the same error", () =>
    withPool(
      ({ work, directory }) =>
        Effect.gen(function* () {
          const job = chunkJob(directory, { entryCount: 500, hasKeys: true })
          const { keys } = yield* work.writeChunk(job, keyedEntries(130, 500))
          const run = { path: `${directory}/3.bin`, expected: Option.getOrThrow(keys) }
          const options = {
            path: `${directory}/a.idx`,
            runs: [run],
            coverage: { window: 0, lo: 3, hi: 3 },
            windowFirstSeq: 100,
            coverageFirstSeq: 130,
            coverageLastSeq: 629
          }
          const domain = Layer.succeed(Domain, NdjsonDomain.make(keyOptions))
          const inline = yield* Effect.provide(ArtifactWork, Layer.provide(layerInline, Layer.merge(domain, ports)))
          const built = yield* work.buildIndex(options)
          assert.strictEqual(built.keyCount, 1000)
          assert.deepStrictEqual(yield* inline.buildIndex({ ...options, path: `${directory}/b.idx` }), built)
          assert.deepStrictEqual(yield* contentOf(`${directory}/a.idx`), yield* contentOf(`${directory}/b.idx`))
          const again = {
            ...chunkJob(directory, { entryCount: 1 }),
            firstSeq: 630,
            entries: Option.none(),
            keys: Option.some({ path: `${directory}/4.bin` })
          }
          yield* work.writeChunk(again, Stream.make([{ seq: 630, bytes: keyedEntry(130).bytes }]))
          const twice = {
            ...options,
            path: `${directory}/c.idx`,
            runs: [run, { path: `${directory}/4.bin` }],
            coverage: { window: 0, lo: 3, hi: 4 },
            coverageLastSeq: 630
          }
          const error = yield* Effect.flip(work.buildIndex(twice))
          assert.strictEqual(error._tag, "KeyIndexDuplicateKey")
          assert.strictEqual(error.message, (yield* Effect.flip(inline.buildIndex(twice))).message)
          assert.deepStrictEqual(yield* namesIn(directory), ["3.bin", "3.pack", "4.bin", "a.idx", "b.idx"])
        }),
      { domain: NdjsonDomain.make(keyOptions) }
    )
  )

  it.live("writeChunk sends the entries again where records would be too large", () =>
    withPool(
      ({ work, directory }) =>
        Effect.gen(function* () {
          const bytes = new Uint8Array(2 * 1024 * 1024)
          let runs = 0
          const entries = Stream.suspend(() => {
            runs++
            return Stream.map(Stream.range(130, 139), (seq): ReadonlyArray<Entry> => [{ seq, bytes }])
          })
          const written = yield* work.writeChunk(chunkJob(directory, { entryCount: 10 }), entries)
          assert.strictEqual(Option.getOrThrow(written.entries).itemsPerRecord, 8)
          assert.strictEqual(runs, 2)
          assert.strictEqual(bytes.length, 2 * 1024 * 1024)
        }),
      { domain: faulty(), inFlightBytes: 1024 * 1024 }
    )
  )

  it.live("writeChunk fails with the same error as inline, and leaves no file", () =>
    withPool(
      ({ work, directory }) =>
        Effect.gen(function* () {
          const job = chunkJob(directory, { entryCount: 20 })
          const refused = yield* Effect.flip(work.writeChunk(job, endingWith(20, "refuse")))
          assert.strictEqual(refused._tag, "EntryRefused")
          assert.strictEqual(refused.message, "Cannot append entry 149: it says so")
          const holed = Stream.concat(keyedEntries(130, 5), keyedEntries(136, 15))
          const uncovered = yield* Effect.flip(work.writeChunk(job, holed))
          assert.strictEqual(
            uncovered.message,
            "Cannot freeze chunk 3: entry 135 is not to be had: entry 136 came in its place"
          )
          const nowhere = { ...job, entries: Option.some({ path: `${directory}/none/3.pack` }) }
          const missing = yield* Effect.flip(work.writeChunk(nowhere, keyedEntries(130, 20)))
          assert.strictEqual(missing._tag, "DiskNotFound")
          assert.deepStrictEqual(yield* namesIn(directory), [])
          yield* work.writeChunk(job, keyedEntries(130, 20))
        }),
      { domain: faulty() }
    )
  )

  it.live("writeChunk fails with the error of the entries, once the files are gone", () =>
    withPool(
      ({ work, directory }) =>
        Effect.gen(function* () {
          const job = chunkJob(directory, { entryCount: 2000 })
          const broken = Stream.concat(keyedEntries(130, 1500), Stream.fail(new EntriesBroken()))
          assert.strictEqual((yield* Effect.flip(work.writeChunk(job, broken)))._tag, "EntriesBroken")
          assert.deepStrictEqual(yield* namesIn(directory), [])
        }),
      { domain: faulty() }
    )
  )

  it.live("writeChunk dies of a bug in the worker, which goes on", () =>
    withPool(
      ({ work, directory }) =>
        Effect.gen(function* () {
          const job = chunkJob(directory, { entryCount: 20 })
          const exit = yield* Effect.exit(work.writeChunk(job, endingWith(20, "throw")))
          assert.include(String(exit), "a domain that throws")
          yield* work.writeChunk(job, keyedEntries(130, 20))
        }),
      { domain: faulty() }
    )
  )

  it.live("writeChunk ends an interruption once the worker has removed the files", () =>
    withPool(
      ({ work, directory }) =>
        Effect.gen(function* () {
          const job = chunkJob(directory, { entryCount: 2000 })
          const endless = Stream.concat(keyedEntries(130, 1500), Stream.never)
          const writing = yield* Effect.forkChild(work.writeChunk(job, endless))
          yield* until(Effect.map(namesIn(directory), (names) => names.length > 0))
          yield* Fiber.interrupt(writing)
          assert.deepStrictEqual(yield* namesIn(directory), [])
          yield* work.writeChunk(job, keyedEntries(130, 2000))
        }),
      { domain: faulty(), inFlightBytes: 16 * 1024 }
    )
  )

  it.live("writeChunk fails with WorkerLost when its thread ends, and the next job has another", () =>
    withPool(
      ({ work, directory }) =>
        Effect.gen(function* () {
          const job = chunkJob(directory, { entryCount: 200 })
          const error = yield* Effect.flip(work.writeChunk(job, endingWith(200, "exit")))
          assert.strictEqual(error.message, "Cannot finish work in worker 1: it exited with status 3")
          const next = { ...job, entries: Option.some({ path: `${directory}/next.pack` }) }
          yield* work.writeChunk(next, keyedEntries(130, 200))
          const again = yield* Effect.flip(
            work.writeChunk({ ...next, entries: Option.none() }, endingWith(200, "exit"))
          )
          assert.strictEqual(again.message, "Cannot finish work in worker 2: it exited with status 3")
        }),
      { domain: faulty() }
    )
  )

  it.live("writeChunk fails with WorkerLost when the module makes another domain, or none", () =>
    Effect.gen(function* () {
      const failsWith = (domain: Domain) =>
        withPool(
          ({ work, directory }) =>
            Effect.map(
              Effect.flip(work.writeChunk(chunkJob(directory, { entryCount: 1 }), keyedEntries(130, 1))),
              ({ message }) => message
            ),
          { domain }
        )
      const cannot = "Cannot finish work in worker 1:"
      assert.strictEqual(
        yield* failsWith(faulty({ fault: "other name" })),
        `${cannot} its domain has name "other", expected "faulty"`
      )
      const { url } = Option.getOrThrow(faulty().module)
      assert.strictEqual(
        yield* failsWith(faulty({ fault: "throws" })),
        `${cannot} cannot make the domain of ${url}: no domain today`
      )
      const unknown = { ...faulty(), module: Option.some({ url: `${url}.missing`, options: undefined }) }
      assert.include(yield* failsWith(unknown), `${cannot} cannot make the domain of ${url}.missing: `)
      const unpostable = { ...faulty(), module: Option.some({ url, options: () => 1 }) }
      assert.include(yield* failsWith(unpostable), `${cannot} cannot post the options of its domain: `)
    })
  )

  it.live("writeChunk posts no more bytes than are taken up", () =>
    Effect.gen(function* () {
      const numbers = new Int32Array(shared())
      const inFlightBytes = 256 * 1024
      const entrySizeBytes = 1000
      const entryCount = 20_000
      yield* withPool(
        ({ work, directory }) =>
          Effect.gen(function* () {
            let taken = 0
            const entries = Stream.paginate(130, (seq) =>
              Effect.sync(() => {
                taken++
                const entry = seq === 130 ? textEntry(seq, "wait") : { seq, bytes: new Uint8Array(entrySizeBytes) }
                return [[[entry]], taken < entryCount ? Option.some(seq + 1) : Option.none()] as const
              })
            )
            const job = chunkJob(directory, { entryCount })
            const writing = yield* Effect.forkChild(work.writeChunk(job, entries))
            let before = -1
            yield* until(
              Effect.gen(function* () {
                for (let turns = 0; turns < 50; turns++) yield* turn
                const isStill = taken > 0 && taken === before
                before = taken
                return isStill
              })
            )
            // What is in flight, the batch that the worker works on, and the one that waits for room.
            assert.isAtLeast(taken * entrySizeBytes, inFlightBytes / 2)
            assert.isAtMost(taken * entrySizeBytes, inFlightBytes + 3 * (inFlightBytes / 16))
            Atomics.store(numbers, 0, 1)
            Atomics.notify(numbers, 0)
            yield* Fiber.join(writing)
            assert.strictEqual(taken, entryCount)
          }),
        { domain: faulty({ shared: numbers.buffer }), inFlightBytes }
      )
    })
  )

  it.live("writeChunk runs more jobs than there are workers, none waiting for another", () =>
    Effect.gen(function* () {
      const numbers = new Int32Array(shared())
      yield* withPool(
        ({ work, directory }) =>
          Effect.gen(function* () {
            // Each job's entries come only when those of the one started after it have all been taken.
            const count = 5
            const finished = Array.from({ length: count + 1 }, (_, index) => index === count)
            const jobs = Array.from({ length: count }, (_, index) => {
              const job = {
                ...chunkJob(directory, { entryCount: 50 }),
                entries: Option.some({ path: `${directory}/${index}.pack` })
              }
              const turnCame = Stream.fromEffectDrain(until(Effect.sync(() => finished[index + 1] === true)))
              return Effect.tap(work.writeChunk(job, Stream.concat(turnCame, keyedEntries(130, 50))), () =>
                Effect.sync(() => {
                  finished[index] = true
                })
              )
            })
            yield* Effect.all(jobs, { concurrency: "unbounded" })
            assert.strictEqual((yield* namesIn(directory)).length, count)
            assert.strictEqual(Atomics.load(numbers, 1), 2)
          }),
        { domain: faulty({ shared: numbers.buffer }), workers: 2 }
      )
    })
  )

  it.live("layer starts no thread before the first job", () =>
    Effect.gen(function* () {
      const numbers = new Int32Array(shared())
      yield* withPool(({ work }) => Effect.sync(() => assert.strictEqual(work.workerCount, 3)), {
        domain: faulty({ shared: numbers.buffer }),
        workers: 3
      })
      assert.strictEqual(Atomics.load(numbers, 1), 0)
    })
  )

  it.live("layer works on the calling thread with no workers, and for a domain without a module", () =>
    Effect.gen(function* () {
      const numbers = new Int32Array(shared())
      const domain = faulty({ shared: numbers.buffer })
      const count = ({ work, directory }: PoolBench) =>
        Effect.as(work.writeChunk(chunkJob(directory, { entryCount: 10 }), keyedEntries(130, 10)), work.workerCount)
      assert.strictEqual(yield* withPool(count, { domain, workers: 0 }), 0)
      assert.strictEqual(yield* withPool(count, { domain: { ...domain, module: Option.none() } }), 0)
      assert.strictEqual(Atomics.load(numbers, 1), 0)
    })
  )
})
