import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory, type EngineName, engineNames } from "../support/LiveStore.ts"
import { anySeed, randomFrom } from "../support/Random.ts"
import { expect, run, start, storeFlags } from "./support/Command.ts"
import { assertSameBytes, filesBelow, lines, settledFiles, textOf } from "./support/Logs.ts"

/** Kills on each engine, beside those of KillLifecycle.test.ts. */
const killCount = Number(process.env.ICECORE_KILLS ?? 15)
/** Of `ingest`, and then of `run`. */
const ingestKillCount = Math.ceil(killCount / 1.5)

const entriesPerChunk = 40

/** Lines that are appended whenever the command has caught up, so that every kill meets work. */
const linesAtOnce = 500

interface Kills {
  readonly engine: EngineName
  readonly seed: number
}

const survive = Effect.fnUntraced(function* ({ engine, seed }: Kills) {
  const random = randomFrom(seed)
  const root = yield* directory
  const dataDir = Path.join(root, "data")
  const log = Path.join(root, "log.ndjson")
  const flags = [...storeFlags(dataDir, engine), `--geometry.entries_per_chunk=${entriesPerChunk}`]
  const ingestArgs = ["ingest", log, "--ingest.batch=3", ...flags]
  const runArgs = ["run", `--source.path=${log}`, "--serve.address=127.0.0.1:0", "--ingest.batch=3", ...flags]
  let lineCount = 0
  const grow = Effect.sync(() => {
    Fs.appendFileSync(log, textOf(lines(lineCount, lineCount + linesAtOnce)))
    lineCount += linesAtOnce
  })
  let startMillis = 0
  /** Verifies what there is, and measures anew how long a start takes, because the machine may be busy. */
  const verify = Effect.gen(function* () {
    const startedAt = performance.now()
    const { status, stdout, stderr } = yield* run(["verify", ...flags])
    startMillis = performance.now() - startedAt
    const hasStore =
      Fs.existsSync(Path.join(dataDir, "hot", "00000000")) || Fs.existsSync(Path.join(dataDir, "entries", "00000"))
    if (hasStore || !stderr.includes("there is none")) assert.strictEqual(status, 0, `${stderr}${stdout}`)
  })
  /** From while the store is being opened until well into the work. */
  const killMoment = Effect.suspend(() => Effect.sleep(startMillis * 0.6 + random() * 700))

  yield* verify
  yield* grow
  for (let killed = 0; killed < ingestKillCount; ) {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const ingest = yield* start(ingestArgs)
        yield* Effect.raceFirst(killMoment, ingest.ended)
        if (ingest.hasEnded()) {
          const { status, stderr } = yield* ingest.ended
          assert.strictEqual(status, 0, stderr)
          return yield* grow
        }
        yield* ingest.kill("SIGKILL")
        yield* ingest.ended
        killed++
        if (killed % 5 === 0) yield* verify
      })
    )
  }

  for (let killed = ingestKillCount; killed < killCount; killed++) {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const daemon = yield* start(runArgs)
        yield* Effect.andThen(Effect.sleep(startMillis), grow)
        yield* Effect.raceFirst(Effect.sleep(random() * 500), daemon.ended)
        assert.isFalse(daemon.hasEnded(), daemon.stderr())
        yield* daemon.kill("SIGKILL")
        yield* daemon.ended
      })
    )
  }

  yield* expect(0, ["ingest", log, "--ingest.batch=100", ...flags])
  const { stdout } = yield* expect(0, ["get", "0", "--to", `${lineCount - 1}`, ...flags])
  assertSameBytes(stdout, Fs.readFileSync(log), "every line, once and in order")
  const beyond = yield* run(["get", `${lineCount}`, ...flags])
  assert.strictEqual(beyond.status, 1, "nothing comes after the last line")
  yield* verify
  assert.deepStrictEqual(filesBelow(dataDir), settledFiles({ engine, entryCount: lineCount, entriesPerChunk }))
})

describe("icecore", () => {
  it.live(
    "keeps every line exactly once through kills of ingest and run at random moments, on both engines",
    () =>
      Effect.forEach(
        engineNames,
        (engine) => {
          const seed = anySeed()
          return Effect.onError(Effect.scoped(survive({ engine, seed })), () =>
            Effect.logError(`The kills of ${engine} came from seed ${seed}`)
          )
        },
        { concurrency: 2, discard: true }
      ),
    // Some 15 seconds of two processors; other work on the machine stretches it.
    900_000
  )
})
