import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { textOf } from "../support/KeyedLog.ts"
import { directory, type EngineName, engineNames } from "../support/LiveStore.ts"
import { awaitStatus, expect, failureLine, startDaemon, storeFlags } from "./support/Command.ts"
import { assertSameBytes, filesBelow, settledFiles, transactions } from "./support/Logs.ts"

/** Commits of one entry each cost a sync each: enough on one engine. */
const batches: Record<EngineName, ReadonlyArray<number>> = { sqlite: [1], lmdb: [50] }

const other: Record<EngineName, EngineName> = { sqlite: "lmdb", lmdb: "sqlite" }

describe("icecore ingest", () => {
  if (transactions === undefined) {
    it.skip("keeps a real log: skipped, ../shared/data/ethereum/transactions.ndjson is absent")
    return
  }
  const original = Fs.readFileSync(transactions)
  const originalLines = original.toString().trimEnd().split("\n")

  for (const engine of engineNames) {
    for (const batch of batches[engine]) {
      it.live(
        `keeps a real log on ${engine} with commits of ${batch}, redoes nothing, and goes on where it was`,
        () =>
          Effect.gen(function* () {
            const root = yield* directory
            const log = Path.join(root, "log.ndjson")
            const dataDir = Path.join(root, "data")
            const flags = storeFlags(dataDir, engine)
            Fs.writeFileSync(log, original)
            const ingest = (...more: ReadonlyArray<string>) =>
              Effect.map(
                expect(0, ["ingest", log, "--json", `--ingest.batch=${batch}`, ...flags, ...more]),
                ({ stdout }) => JSON.parse(stdout.toString())
              )
            const range = (to: number) =>
              Effect.map(expect(0, ["get", "0", "--to", `${to}`, ...flags]), (get) => get.stdout)
            const verifyAndWalk = Effect.fnUntraced(function* (entryCount: number) {
              const { stdout } = yield* expect(0, ["verify", "--json", ...flags])
              const { entries, findings } = JSON.parse(stdout.toString())
              assert.deepStrictEqual({ entries, findings }, { entries: entryCount, findings: [] })
              assert.deepStrictEqual(filesBelow(dataDir), settledFiles({ engine, entryCount, entriesPerChunk: 100 }))
            })

            const first = yield* ingest("--geometry.entries_per_chunk=100")
            assert.strictEqual(first.entryCount, 1_133)
            assert.deepStrictEqual(first.chunks, { frozen: 11, freezing: 0, hot: 1 })
            assert.deepStrictEqual(first.served, { floor: 0, latest: 1_132 })
            assertSameBytes(yield* range(1_132), original, "get 0 --to 1132")
            for (const seq of [0, 1_099, 1_132]) {
              const { stdout } = yield* expect(0, ["get", `${seq}`, ...flags])
              assertSameBytes(stdout, Buffer.from(`${originalLines[seq]}\n`), `get ${seq}`)
            }
            yield* verifyAndWalk(1_133)

            const packs = Path.join(dataDir, "entries", "00000")
            const identities = () =>
              Fs.readdirSync(packs).map((name) => {
                const { ino, mtimeMs, ctimeMs } = Fs.statSync(Path.join(packs, name))
                return { name, ino, mtimeMs, ctimeMs }
              })
            const before = identities()
            const second = yield* ingest()
            assert.strictEqual(second.entryCount, 0)
            assert.deepStrictEqual(identities(), before)

            const appended = Buffer.from('{"appended":1}\n\n{"appended":"\u00e9"}\n')
            Fs.appendFileSync(log, appended)
            const third = yield* ingest()
            assert.deepStrictEqual([third.entryCount, third.firstSeq, third.nextSeq], [3, 1_133, 1_136])
            assert.deepStrictEqual(identities(), before)
            assertSameBytes(yield* range(1_135), Buffer.concat([original, appended]), "get 0 --to 1135")
            yield* verifyAndWalk(1_136)
          }).pipe(Effect.scoped),
        180_000
      )
    }

    it.live(`refuses another engine than ${engine} for a store that has it, and harms nothing`, () =>
      Effect.gen(function* () {
        const root = yield* directory
        const dataDir = Path.join(root, "data")
        const log = Path.join(root, "log.ndjson")
        Fs.writeFileSync(
          log,
          originalLines
            .slice(0, 250)
            .map((line) => `${line}\n`)
            .join("")
        )
        const flags = storeFlags(dataDir, engine)
        yield* expect(0, ["ingest", log, "--ingest.batch=50", "--geometry.entries_per_chunk=100", ...flags])
        const before = filesBelow(dataDir)
        const switched = [
          { setting: "catalog", path: Path.join(dataDir, "catalog") },
          { setting: "hot", path: Path.join(dataDir, "hot", "00000002") }
        ]
        for (const { setting, path } of switched) {
          for (const command of [
            ["ingest", log],
            ["get", "0"]
          ]) {
            const ended = yield* expect(1, [...command, ...storeFlags(dataDir, engine, { [setting]: other[engine] })])
            assert.include(failureLine(ended), `Cannot use database ${path}: it is a database of engine ${engine}`)
          }
          assert.deepStrictEqual(filesBelow(dataDir), before)
        }
        const again = yield* expect(0, ["ingest", log, "--json", ...flags])
        assert.strictEqual(JSON.parse(again.stdout.toString()).entryCount, 0)
        yield* expect(0, ["verify", ...flags])
      }).pipe(Effect.scoped)
    )
  }

  it.live("gives every entry over HTTP and to get while the daemon holds the store", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const flags = [`--storage.data_dir=${Path.join(root, "data")}`, "--ingest.batch=100"]
      const daemon = yield* startDaemon([
        ...flags,
        `--source.path=${transactions}`,
        "--source.follow=false",
        "--geometry.entries_per_chunk=100"
      ])
      const ask = [daemon.address, ...flags]
      yield* awaitStatus(daemon, "all is ingested", ({ nextSeq }) => nextSeq === 1_133)
      const all = yield* expect(0, ["get", "0", "--to", "1132", ...ask])
      assertSameBytes(all.stdout, original, "get 0 --to 1132 through the daemon")
      const one = yield* expect(0, ["get", "5", "--json", ...ask])
      assert.strictEqual(JSON.parse(one.stdout.toString()).text, originalLines[5])
      const absent = yield* expect(1, ["get", "5000", ...ask])
      assert.include(failureLine(absent), "5000")
      const status = yield* expect(0, ["status", "--json", ...ask])
      assert.strictEqual(JSON.parse(status.stdout.toString()).nextSeq, 1_133)
    }).pipe(Effect.scoped)
  )
})

describe("icecore ingest that prunes", () => {
  it.live("removes all that it demotes before it exits, so that the store is settled", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const log = Path.join(root, "log.ndjson")
      const flags = [`--storage.data_dir=${Path.join(root, "data")}`]
      const pinned = ["--geometry.entries_per_chunk=50", "--geometry.chunks_per_window=3", "--domain.keys=/key"]
      const append = (from: number, to: number) => Fs.appendFileSync(log, textOf(from, to))
      append(0, 320)
      yield* expect(0, ["ingest", log, ...flags, ...pinned])
      yield* expect(0, ["audit", "--settled", ...flags])
      append(320, 610)
      const { stderr } = yield* expect(0, ["ingest", log, ...flags, "--retention.chunks=4"])
      assert.match(stderr, /100% {2}290 entries/)
      yield* expect(0, ["audit", "--settled", "--retention.chunks=4", ...flags])
      assert.deepStrictEqual(
        filesBelow(Path.join(root, "data", "entries")).filter((name) => name.endsWith(".pack")),
        ["08", "09", "10", "11"].map((chunk) => `00000/000000${chunk}.pack`)
      )
      const status = yield* expect(0, ["status", ...flags, "--retention.chunks=4"])
      assert.match(status.stdout.toString(), /^ingestion +idle$/m)
      assert.notMatch(status.stdout.toString(), /freezing\.|problem|undefined/)
    }).pipe(Effect.scoped)
  )
})
