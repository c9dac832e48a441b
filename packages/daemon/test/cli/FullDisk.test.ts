import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { directory, engineNames } from "../support/LiveStore.ts"
import { awaitStatus, type Daemon, expect, failureLine, run, startDaemon, storeFlags } from "./support/Command.ts"
import { assertSameBytes, lines, textOf } from "./support/Logs.ts"

/** Room for the log that SQLite writes ahead before it takes it into the database: 8 MiB a database. */
const diskSizeBytes = 24 * 1024 * 1024

const mount = (path: string): boolean =>
  spawnSync("mount", ["-t", "tmpfs", "-o", `size=${diskSizeBytes}`, "tmpfs", path]).status === 0

/** A small file system, for the scope. */
const smallDisk: Effect.Effect<string, never, Scope.Scope> = Effect.flatMap(directory, (path) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      assert.isTrue(mount(path))
      return path
    }),
    () => Effect.sync(() => void spawnSync("umount", ["-l", path]))
  )
)

const canMount = (): boolean => {
  const path = Fs.mkdtempSync(Path.join(Fs.realpathSync(process.env.TMPDIR ?? "/tmp"), "icecore-mount-"))
  const mounted = mount(path)
  if (mounted) spawnSync("umount", ["-l", path])
  Fs.rmdirSync(path)
  return mounted
}

/** Takes all space but `leaveBytes` of a file system, or all of it when somebody else takes more meanwhile. */
const fill = (disk: string, leaveBytes: number): void => {
  const { bavail, bsize } = Fs.statfsSync(disk)
  try {
    Fs.appendFileSync(Path.join(disk, "filler"), Buffer.alloc(Math.max(0, Math.floor(bavail * bsize - leaveBytes))))
  } catch (error) {
    assert.include(String(error), "ENOSPC")
  }
}

const makeRoom = (disk: string): void => Fs.rmSync(Path.join(disk, "filler"))

/** Reads everything that the daemon says it serves, page by page. */
const readServed = (daemon: Daemon, expected: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.promise(async () => {
    for (let from = 0; from < expected.length; from += 1_000) {
      const to = Math.min(from + 999, expected.length - 1)
      const response = await fetch(`${daemon.url}/v1/entries?from=${from}&to=${to}&limit=1000`)
      const body = Buffer.from(await response.arrayBuffer())
      assert.strictEqual(response.status, 200, body.toString())
      assertSameBytes(body, Buffer.from(textOf(expected.slice(from, to + 1))), `entries ${from} to ${to}`)
    }
  })

describe("icecore run", () => {
  if (!canMount()) {
    it.skip("meets a full disk: skipped, a tmpfs cannot be mounted here")
    return
  }

  for (const engine of engineNames) {
    it.live(
      `waits when the disk is full during ingestion on ${engine}, loses nothing, and goes on with space, also after a kill`,
      () =>
        Effect.gen(function* () {
          const root = yield* directory
          const disk = yield* smallDisk
          const log = Path.join(root, "log.ndjson")
          const flags = [...storeFlags(Path.join(disk, "data"), engine), `--source.path=${log}`]
          // Two databases fit, with what each writes ahead; a third one would be there while a chunk waits for its freeze.
          const args = [...flags, "--ingest.batch=50", "--ingest.max_unfrozen=1"]
          const all = lines(0, 24_000)
          const firstHalf = 12_000
          Fs.writeFileSync(log, textOf(all.slice(0, firstHalf)))
          const isWaiting = ({ ingestion }: { ingestion: { state: string } }) => ingestion.state === "waiting"

          const full = yield* Effect.scoped(
            Effect.gen(function* () {
              fill(disk, 1_400_000)
              const daemon = yield* startDaemon(args)
              const waiting = yield* awaitStatus(daemon, "ingestion waits", isWaiting)
              assert.match(daemon.stderr(), /Ingestion waits: Cannot write to .*(no space left|are free)/)
              assert.isAbove(waiting.nextSeq, 0)
              assert.isBelow(waiting.nextSeq, firstHalf)
              yield* readServed(daemon, all.slice(0, waiting.nextSeq))
              makeRoom(disk)
              yield* awaitStatus(daemon, "ingestion goes on to the end", ({ nextSeq }) => nextSeq === firstHalf, 60)
              yield* readServed(daemon, all.slice(0, firstHalf))

              fill(disk, 200_000)
              Fs.appendFileSync(log, textOf(all.slice(firstHalf)))
              const again = yield* awaitStatus(daemon, "ingestion waits again", isWaiting, 60)
              yield* daemon.kill("SIGKILL")
              yield* daemon.ended
              return again
            })
          )
          assert.isBelow(full.nextSeq, all.length)
          makeRoom(disk)
          const daemon = yield* startDaemon(args)
          yield* awaitStatus(daemon, "the rest is there", ({ nextSeq }) => nextSeq === all.length, 60)
          yield* readServed(daemon, all)
        }).pipe(Effect.scoped),
      300_000
    )

    it.live(`starts again on a full disk with ${engine}, or says that it needs space, and harms nothing`, () =>
      Effect.gen(function* () {
        const root = yield* directory
        const disk = yield* smallDisk
        const log = Path.join(root, "log.ndjson")
        const flags = storeFlags(Path.join(disk, "data"), engine)
        const all = lines(0, 1_000)
        Fs.writeFileSync(log, textOf(all))
        yield* expect(0, ["ingest", log, "--ingest.batch=100", "--geometry.entries_per_chunk=300", ...flags])
        fill(disk, 0)
        const get = yield* run(["get", "0", "--to", "999", ...flags])
        const ingest = yield* run(["ingest", log, ...flags])
        // SQLite needs 32 KiB beside each database to open it.
        if (engine === "sqlite") {
          assert.deepStrictEqual([get.status, ingest.status], [1, 1])
          assert.include(failureLine(get), "no space left")
          assert.include(failureLine(ingest), "no space left")
        } else assert.strictEqual(get.stdout.toString(), textOf(all))
        makeRoom(disk)
        const again = yield* expect(0, ["ingest", log, "--json", ...flags])
        assert.strictEqual(JSON.parse(again.stdout.toString()).entryCount, 0)
        const { stdout } = yield* expect(0, ["get", "0", "--to", "999", ...flags])
        assert.strictEqual(stdout.toString(), textOf(all))
        yield* expect(0, ["verify", ...flags])
      }).pipe(Effect.scoped)
    )

    it.live(
      `waits when the disk is full during a freeze on ${engine}, keeps the chunks hot, and freezes them with space`,
      () =>
        Effect.gen(function* () {
          const root = yield* directory
          const disk = yield* smallDisk
          const log = Path.join(root, "log.ndjson")
          const flags = [
            ...storeFlags(Path.join(root, "data"), engine),
            `--storage.entries_dir=${Path.join(disk, "entries")}`,
            "--geometry.entries_per_chunk=200"
          ]
          const all = lines(0, 900)
          Fs.writeFileSync(log, textOf(all))
          fill(disk, 12_000)
          const daemon = yield* startDaemon([
            ...flags,
            `--source.path=${log}`,
            "--ingest.batch=100",
            "--ingest.max_unfrozen=5"
          ])
          const full = yield* awaitStatus(
            daemon,
            "freezing waits",
            ({ freezing, nextSeq }) => freezing.state === "waiting" && nextSeq === all.length
          )
          assert.match(daemon.stderr(), /Cannot freeze now: Cannot write to .* are free/)
          assert.strictEqual(full.chunks.frozen, 0)
          assert.strictEqual(full.chunks.hot, 5)
          yield* readServed(daemon, all)
          makeRoom(disk)
          yield* awaitStatus(
            daemon,
            "all complete chunks are frozen",
            ({ chunks, freezing }) => chunks.frozen === 4 && chunks.hot === 1 && freezing.problem === null
          )
          yield* readServed(daemon, all)
          yield* daemon.kill("SIGTERM")
          yield* daemon.ended
          yield* expect(0, ["verify", ...flags])
        }).pipe(Effect.scoped)
    )
  }
})
