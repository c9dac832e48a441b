import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Engine } from "@icecore/engine"
import { Effect, Option, References, Stream } from "effect"
import * as CatalogImage from "../../src/audit/CatalogImage.ts"
import * as Store from "../../src/Store.ts"
import * as StoreAudit from "../../src/StoreAudit.ts"
import * as KeyedLog from "../support/KeyedLog.ts"
import { directory, type EngineName, engineNames, services } from "../support/LiveStore.ts"
import { anySeed, randomFrom } from "../support/Random.ts"
import { eventually, expect, type Running, run, start, storeFlags } from "./support/Command.ts"
import { assertSameBytes } from "./support/Logs.ts"

/** Kills on each engine. */
const killCount = Number(process.env.ICECORE_KILLS ?? 50)
/** Of `ingest`, which backfills, and then of `run`, which fills in what is missing, follows, freezes, rolls and prunes. */
const ingestKillCount = Math.ceil(0.4 * killCount)

const entriesPerChunk = 20
const chunksPerWindow = 5
/** Chunks that are made at once, and threads that make them. */
const workerCount = 2

/** Lines that are appended whenever there may be no work left for the next kill to meet. */
const linesAtOnce = 400
const linesWhileRunning = 200

/** What the daemon keeps, from one start to the next: less and more, so that it prunes and fills in. */
const keptChunks = [30, 12, 24, 7, 18]

interface Pack {
  /** Which file it is: another one has another, also under the same path. */
  readonly identity: string
  /** What the catalog says of the chunk's entries. */
  readonly state: "freezing" | "frozen" | "pruning" | undefined
}

const packNames = (dataDir: string): ReadonlyArray<string> => {
  const root = Path.join(dataDir, "entries")
  const names = Fs.existsSync(root) ? Fs.readdirSync(root, { recursive: true, encoding: "utf8" }) : []
  return names.filter((name) => name.endsWith(".pack"))
}

const chunkOf = (name: string): number => Number.parseInt(Path.basename(name), 10)

/** Every pack that lies on disk, by its chunk. */
const packsOf = (dataDir: string): Effect.Effect<ReadonlyMap<number, Pack>, never, Engine> =>
  Effect.gen(function* () {
    const engine = yield* Engine
    const database = yield* engine.open({
      path: Path.join(dataDir, "catalog"),
      keyspaces: [CatalogImage.keyspace],
      mode: "readOnly"
    })
    const states = new Map<number, Pack["state"]>()
    yield* Stream.runForEach(CatalogImage.chunks(yield* database.snapshot), (found) =>
      Effect.sync(() => states.set(found.chunk, found.states.entries))
    )
    const packs = new Map<number, Pack>()
    for (const name of packNames(dataDir)) {
      const { ino, mtimeNs } = Fs.statSync(Path.join(dataDir, "entries", name), { bigint: true })
      packs.set(chunkOf(name), { identity: `${ino} ${mtimeNs}`, state: states.get(chunkOf(name)) })
    }
    return packs
  }).pipe(Effect.scoped, Effect.orDie)

const survive = Effect.fnUntraced(function* (engine: EngineName, seed: number) {
  const random = randomFrom(seed)
  const root = yield* directory
  const dataDir = Path.join(root, "data")
  const log = Path.join(root, "log.ndjson")
  const flags = [
    ...storeFlags(dataDir, engine),
    `--source.path=${log}`,
    `--domain.keys=["${KeyedLog.keyPointer}"]`,
    `--geometry.entries_per_chunk=${entriesPerChunk}`,
    `--geometry.chunks_per_window=${chunksPerWindow}`,
    `--backfill.workers=${workerCount}`,
    `--workers.count=${workerCount}`,
    "--serve.deadline=900 millis",
    "--retention.grace=1 seconds",
    "--ingest.batch=10"
  ]
  let lineCount = 0
  const grow = (count: number) =>
    Effect.sync(() => {
      Fs.appendFileSync(log, KeyedLog.textOf(lineCount, lineCount + count))
      lineCount += count
    })

  let packs: ReadonlyMap<number, Pack> = new Map()
  const builds = { begun: 0, finished: 0, killed: 0 }
  /** Files that were there before the last life are the same, or gone; what is new was built in it. */
  const count = Effect.fnUntraced(function* () {
    const before = packs
    packs = yield* packsOf(dataDir)
    for (const [chunk, { identity, state }] of packs) {
      const known = before.get(chunk)
      if (known?.identity === identity) continue
      builds.begun++
      // One that is pruned already was frozen in the same life.
      if (state !== "freezing") builds.finished++
      if (known?.state === "frozen" && state === "frozen")
        assert.fail(`chunk ${chunk} was frozen and has been built again`)
    }
  })

  /** Opens the store as a start does, without changing it, and audits what lies there. */
  const audit = (kept: number) =>
    Effect.gen(function* () {
      const { catalog, history } = yield* Store.make({ dataDir, mode: "readOnly", retention: { chunks: kept } })
      const findings = yield* StoreAudit.findings({
        layout: catalog.layout,
        history,
        keptChunks: kept,
        settled: false
      })
      assert.deepStrictEqual(findings, [])
    }).pipe(Effect.scoped)

  /** A moment in the start, or at work, counted in packs that were not there before: however busy the machine is. */
  const killMoment = (running: Running) =>
    Effect.suspend(() => {
      const target = Math.floor(random() * 10) - 1
      if (target < 0) return Effect.sleep(startMillis * (0.4 + random() * 0.6))
      const isMet = () => packNames(dataDir).filter((name) => !packs.has(chunkOf(name))).length > target
      return Effect.andThen(
        eventually(`${target} chunks are built`, () => isMet() || running.hasEnded() || undefined, {
          everyMillis: 4,
          seconds: 60,
          describe: running.stderr
        }),
        Effect.sleep(random() * 40)
      )
    })

  const killed = Effect.fnUntraced(function* (running: Running, kept: number) {
    assert.isFalse(running.hasEnded(), running.stderr())
    yield* running.kill("SIGKILL")
    yield* running.ended
    builds.killed++
    if (!Fs.existsSync(Path.join(dataDir, "catalog", engine === "sqlite" ? "data.sqlite" : "data.mdb"))) return
    yield* count()
    yield* audit(kept)
  })

  yield* grow(linesAtOnce)
  const startedAt = performance.now()
  yield* run(["verify", ...flags])
  const startMillis = performance.now() - startedAt

  while (builds.killed < ingestKillCount)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const ingest = yield* start(["ingest", log, ...flags])
        yield* killMoment(ingest)
        if (!ingest.hasEnded()) return yield* killed(ingest, 0)
        const { status, stderr } = yield* ingest.ended
        assert.strictEqual(status, 0, stderr)
        yield* count()
        yield* grow(linesAtOnce)
      })
    )

  for (let life = 0; life < killCount - ingestKillCount; life++) {
    const kept = keptChunks[life % keptChunks.length]!
    yield* Effect.scoped(
      Effect.gen(function* () {
        const daemon = yield* start(["run", "--serve.address=127.0.0.1:0", `--retention.chunks=${kept}`, ...flags])
        // What comes once it serves goes through hot databases, what was there before is backfilled.
        if (random() < 0.6)
          yield* eventually(
            "the daemon serves",
            () => /Serving /.test(daemon.stderr()) || daemon.hasEnded() || undefined,
            {
              describe: daemon.stderr
            }
          )
        yield* grow(linesWhileRunning)
        yield* killMoment(daemon)
        yield* killed(daemon, kept)
      })
    )
  }
  assert.strictEqual(builds.killed, killCount)
  assert.isAbove(builds.finished, 2 * killCount)
  assert.isAtMost(builds.begun, builds.finished + builds.killed * workerCount, "one build a worker is lost with a kill")

  const kept = Math.max(...keptChunks) + chunksPerWindow
  const settings = [`--retention.chunks=${kept}`, ...flags]
  yield* expect(0, ["ingest", log, ...settings])
  yield* count()
  // The start after that removes what was left to readers for the time of grace.
  yield* expect(0, ["ingest", log, ...settings])
  yield* expect(0, ["audit", "--deep", "--settled", ...settings])
  const floor = (Math.floor(lineCount / entriesPerChunk) - kept) * entriesPerChunk
  const { stdout } = yield* expect(0, ["get", `${floor}`, "--to", `${lineCount - 1}`, ...settings])
  assertSameBytes(stdout, Buffer.from(KeyedLog.textOf(floor, lineCount)), "every line that is kept, once and in order")
  yield* Effect.gen(function* () {
    const { history } = yield* Store.make({ dataDir, mode: "readOnly", retention: { chunks: kept } })
    assert.deepStrictEqual(yield* history.served, Option.some({ floor, latest: lineCount - 1 }))
    for (let seq = 0; seq < lineCount; seq++) {
      const found = yield* history.find(KeyedLog.keyAt(seq))
      assert.strictEqual(Option.getOrUndefined(found)?.seq, seq < floor ? undefined : seq)
    }
  }).pipe(Effect.scoped)
})

describe("icecore", () => {
  it.live(
    "is right after every kill of a backfill or of a lifecycle whose retention moves, and does nothing twice that was done, on both engines",
    () =>
      Effect.forEach(
        engineNames,
        (engine) => {
          const seed = anySeed()
          return survive(engine, seed).pipe(
            Effect.scoped,
            Effect.provide(services(engine, KeyedLog.domain)),
            Effect.onError(() => Effect.logError(`The kills of ${engine} came from seed ${seed}`)),
            Effect.provideService(References.MinimumLogLevel, "Warn")
          )
        },
        { concurrency: 2, discard: true }
      ),
    // Some 30 seconds of two processors; other work on the machine stretches it.
    900_000
  )
})
