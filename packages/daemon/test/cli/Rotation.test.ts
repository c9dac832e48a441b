import * as Fs from "node:fs"
import * as Path from "node:path"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "../support/LiveStore.ts"
import { awaitStatus, expect, startDaemon } from "./support/Command.ts"
import { assertSameBytes, lines, textOf } from "./support/Logs.ts"

describe("icecore run", () => {
  it.live("follows a log through renaming, copying and truncating, and restarts in the middle of them", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const log = Path.join(root, "app.log")
      const flags = [`--storage.data_dir=${Path.join(root, "data")}`, "--geometry.entries_per_chunk=30"]
      const serve = startDaemon([...flags, "--source.follow=true", `--source.path=${log}`, "--ingest.batch=10"])
      let lineCount = 0
      const append = (count: number) => {
        Fs.appendFileSync(log, textOf(lines(lineCount, lineCount + count)))
        lineCount += count
      }
      const rename = () => {
        if (Fs.existsSync(`${log}.1`)) Fs.renameSync(`${log}.1`, `${log}.2`)
        Fs.renameSync(log, `${log}.1`)
      }

      append(100)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const daemon = yield* serve
          const caughtUp = Effect.suspend(() =>
            awaitStatus(daemon, `${lineCount} lines are there`, ({ nextSeq }) => nextSeq === lineCount)
          )
          yield* caughtUp
          append(7)
          rename()
          append(50)
          yield* caughtUp
          // What a writer still has open goes on to grow under its new name for a while.
          const late = Fs.openSync(log, "a")
          rename()
          Fs.writeSync(late, textOf(lines(lineCount, lineCount + 9)))
          Fs.closeSync(late)
          lineCount += 9
          append(20)
          yield* caughtUp
          yield* daemon.kill("SIGKILL")
          yield* daemon.ended
        })
      )

      // Rotated twice while nobody followed, the second time by copying.
      append(11)
      rename()
      append(40)
      Fs.renameSync(`${log}.2`, `${log}.3`)
      Fs.renameSync(`${log}.1`, `${log}.2`)
      Fs.copyFileSync(log, `${log}.1`)
      Fs.truncateSync(log)
      append(5)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const daemon = yield* serve
          yield* awaitStatus(daemon, `${lineCount} lines are there`, ({ nextSeq }) => nextSeq === lineCount)
        })
      )
      const { stdout } = yield* expect(0, ["get", "0", "--to", `${lineCount - 1}`, ...flags])
      assertSameBytes(stdout, Buffer.from(textOf(lines(0, lineCount))), "every line of every generation")
    }).pipe(Effect.scoped)
  )

  it.live(
    "stops ingestion at a log that was truncated without a copy, keeps serving, and goes on where it is told to",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const log = Path.join(root, "app.log")
        const flags = [`--storage.data_dir=${Path.join(root, "data")}`, `--source.path=${log}`]
        Fs.writeFileSync(log, textOf(lines(0, 50)))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const daemon = yield* startDaemon(flags)
            yield* awaitStatus(daemon, "50 lines are there", ({ nextSeq }) => nextSeq === 50)
            Fs.truncateSync(log)
            yield* awaitStatus(daemon, "ingestion has failed", ({ ingestion }) => ingestion.state === "failed")
            yield* expect(0, ["get", "49", daemon.address, ...flags])
          })
        )
        Fs.writeFileSync(log, textOf(lines(50, 60)))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const daemon = yield* startDaemon([...flags, "--source.on_gap=continue"])
            yield* awaitStatus(daemon, "60 lines are there", ({ nextSeq }) => nextSeq === 60)
            Fs.truncateSync(log)
            Fs.appendFileSync(log, textOf(lines(60, 63)))
            yield* awaitStatus(daemon, "63 lines are there", ({ nextSeq }) => nextSeq === 63)
          })
        )
        const { stdout } = yield* expect(0, ["get", "0", "--to", "62", ...flags])
        assertSameBytes(stdout, Buffer.from(textOf(lines(0, 63))), "every line")
      }).pipe(Effect.scoped)
  )
})
