import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { directory, engineNames } from "../support/LiveStore.ts"
import { awaitStatus, eventually, expect, type Running, start, startDaemon, storeFlags } from "./support/Command.ts"
import { assertSameBytes, filesBelow, lines, settledFiles, textOf } from "./support/Logs.ts"

const signals = ["SIGINT", "SIGTERM"] as const

/** A connection that says `text` and then nothing, and never reads. */
const silentClient = (url: string, text: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.promise(
        () =>
          new Promise<Net.Socket>((resolve) => {
            const { hostname, port } = new URL(url)
            const socket = Net.connect({ host: hostname, port: Number(port) }, () => {
              socket.pause()
              socket.write(text, () => resolve(socket))
            })
            socket.on("error", () => undefined)
          })
      ),
      (socket) => Effect.sync(() => socket.destroy())
    )
  )

const stop = Effect.fnUntraced(function* (running: Running, signal: (typeof signals)[number], status: number) {
  const sentAt = performance.now()
  yield* running.kill(signal)
  const ended = yield* Effect.orDie(Effect.timeout(running.ended, "15 seconds"))
  assert.isBelow(performance.now() - sentAt, 10_000)
  assert.deepStrictEqual([ended.status, ended.signal], [status, null], ended.stderr)
  assert.notInclude(ended.stderr, "internal error")
})

describe("icecore", () => {
  for (const [index, signal] of signals.entries()) {
    const engine = engineNames[index]!

    it.live(`run stops on ${signal} within 10 seconds, whatever its clients and its freezing do`, () =>
      Effect.gen(function* () {
        const root = yield* directory
        const log = Path.join(root, "log.ndjson")
        const dataDir = Path.join(root, "data")
        const flags = [...storeFlags(dataDir, engine), "--geometry.entries_per_chunk=20"]
        Fs.writeFileSync(log, textOf(lines(0, 20_000)))
        const daemon = yield* startDaemon([...flags, `--source.path=${log}`, "--ingest.batch=20"])
        yield* awaitStatus(daemon, "chunks freeze", ({ chunks }) => chunks.frozen >= 3)
        const { host } = new URL(daemon.url)
        yield* silentClient(daemon.url, "GET /v1/status HTTP/1.1\r\nHost: ")
        yield* silentClient(daemon.url, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
        yield* silentClient(
          daemon.url,
          `GET /v1/entries?from=0&limit=1000 HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(200)
        )
        const { nextSeq } = yield* awaitStatus(daemon, "the daemon still answers", () => true)
        assert.isBelow(nextSeq, 20_000, "it is stopped in the middle")
        yield* stop(daemon, signal, 0)
        const { stdout } = yield* expect(0, ["get", "0", "--to", `${nextSeq - 1}`, ...flags])
        assertSameBytes(stdout, Buffer.from(textOf(lines(0, nextSeq))), "what was acknowledged")
        yield* expect(0, ["verify", ...flags])
      }).pipe(Effect.scoped)
    )

    it.live(`ingest stops on ${signal} in the middle, and the next one goes on there`, () =>
      Effect.gen(function* () {
        const root = yield* directory
        const log = Path.join(root, "log.ndjson")
        const dataDir = Path.join(root, "data")
        const flags = [...storeFlags(dataDir, engine), "--geometry.entries_per_chunk=50"]
        const lineCount = 4_000
        Fs.writeFileSync(log, textOf(lines(0, lineCount)))
        const ingest = yield* start(["ingest", log, ...flags])
        const packs = Path.join(dataDir, "entries", "00000")
        // Several chunks are made at once: with so many files the first of them are frozen.
        yield* eventually("a chunk is frozen", () =>
          Fs.existsSync(packs) && Fs.readdirSync(packs).length > 8 ? true : undefined
        )
        yield* stop(ingest, signal, 130)
        const again = yield* expect(0, ["ingest", log, "--json", "--ingest.batch=100", ...flags])
        const { firstSeq, nextSeq } = JSON.parse(again.stdout.toString())
        assert.isAtLeast(firstSeq, 50)
        assert.isBelow(firstSeq, lineCount, "it was stopped in the middle")
        assert.strictEqual(nextSeq, lineCount)
        const { stdout } = yield* expect(0, ["get", "0", "--to", `${lineCount - 1}`, ...flags])
        assertSameBytes(stdout, Fs.readFileSync(log), "all lines")
        assert.deepStrictEqual(
          filesBelow(dataDir),
          settledFiles({ engine, entryCount: lineCount, entriesPerChunk: 50 })
        )
      }).pipe(Effect.scoped)
    )
  }

  it.live("run that has nothing to do stops at once, with an idle connection kept alive", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const daemon = yield* startDaemon([
        `--storage.data_dir=${Path.join(root, "data")}`,
        `--source.path=${Path.join(root, "none.ndjson")}`
      ])
      yield* Effect.promise(() => fetch(`${daemon.url}/healthz`, { keepalive: true }))
      yield* stop(daemon, "SIGTERM", 0)
    }).pipe(Effect.scoped)
  )
})
