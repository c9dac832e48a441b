import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "../support/LiveStore.ts"
import { awaitStatus, eventually, expect, failureLine, start, startDaemon } from "./support/Command.ts"

const entriesPerChunk = 100
const entryCount = 1_250

const keyOf = (seq: number): string => createHash("sha256").update(String(seq)).digest("hex")

const lineAt = (seq: number): string => JSON.stringify({ hash: `0x${keyOf(seq)}`, seq, text: "x".repeat(seq % 50) })

/** A store of 12 frozen chunks in windows of four, with one hot, and the log it was made from. */
const prepared = Effect.gen(function* () {
  const root = yield* directory
  const log = Path.join(root, "log.ndjson")
  Fs.writeFileSync(log, Array.from({ length: entryCount }, (_, seq) => `${lineAt(seq)}\n`).join(""))
  const dataDir = Path.join(root, "data")
  const flags = [
    `--storage.data_dir=${dataDir}`,
    `--source.path=${log}`,
    '--domain.keys=["/hash"]',
    `--geometry.entries_per_chunk=${entriesPerChunk}`,
    "--geometry.chunks_per_window=4"
  ]
  yield* expect(0, ["ingest", log, "--ingest.batch=100", ...flags])
  return { root, log, dataDir, flags }
})

const pack = (dataDir: string, chunk: number): string =>
  Path.join(dataDir, "entries", "00000", `${String(chunk).padStart(8, "0")}.pack`)

const flip = (path: string): void => {
  const bytes = Fs.readFileSync(path)
  bytes[60]! ^= 0x10
  Fs.writeFileSync(path, bytes)
}

interface Finding {
  readonly fault: string
  readonly key: string | null
  readonly path: string
}

const findingsOf = (stdout: Buffer): ReadonlyArray<Finding> => JSON.parse(stdout.toString()).findings

describe("icecore repair", () => {
  it.live("mends what the audit names, and until then no start gives a wrong answer", () =>
    Effect.gen(function* () {
      const { dataDir, flags } = yield* prepared
      yield* expect(0, ["audit", "--deep", ...flags])
      const elsewhere = flags.map((flag) => (flag.startsWith("--source.path=") ? "--source.path=gone.ndjson" : flag))
      const gone = yield* expect(1, ["audit", "--deep", "--json", ...elsewhere])
      assert.match(gone.stderr, /Cannot compare with source ndjson .*: Cannot read gone\.ndjson: it does not exist\n$/)
      assert.deepStrictEqual(findingsOf(gone.stdout), [])
      const index = Path.join(dataDir, "keys", "index", "00000001", "00000004-00000007.idx")
      // A bit, an end, a whole file, and two files in each other's places.
      flip(pack(dataDir, 1))
      Fs.truncateSync(pack(dataDir, 2), Fs.statSync(pack(dataDir, 2)).size - 7)
      Fs.rmSync(pack(dataDir, 4))
      const third = Fs.readFileSync(pack(dataDir, 3))
      Fs.copyFileSync(pack(dataDir, 5), pack(dataDir, 3))
      Fs.writeFileSync(pack(dataDir, 5), third)
      flip(index)
      const expected = [
        ...[1, 2, 3, 4, 5].map((chunk) => `chunk:0000000${chunk}:entries`),
        "index:00000001:00000004:00000007"
      ]

      const audited = yield* expect(1, ["audit", "--json", ...flags])
      const named = findingsOf(audited.stdout).filter(({ fault }) => fault === "damaged" || fault === "missing")
      assert.sameMembers([...new Set(named.map(({ key }) => key))], expected)
      assert.deepStrictEqual(
        findingsOf(audited.stdout).filter(({ fault }) => fault === "wrong-read"),
        []
      )

      const daemon = yield* startDaemon(flags)
      yield* Effect.promise(async () => {
        for (let seq = 0; seq < entryCount; seq += 17) {
          const bySeq = await fetch(`${daemon.url}/v1/entries/${seq}`)
          const byKey = await fetch(`${daemon.url}/v1/keys/${keyOf(seq)}`)
          for (const response of [bySeq, byKey]) {
            const body = await response.text()
            if (response.status === 200) assert.strictEqual(body, lineAt(seq))
            else assert.strictEqual(response.status, 500, body)
          }
          const chunk = Math.floor(seq / entriesPerChunk)
          if (chunk === 0 || chunk > 5) assert.strictEqual(bySeq.status, 200)
        }
      })
      yield* daemon.kill("SIGTERM")
      yield* daemon.ended

      const none = yield* expect(1, ["repair", "/nowhere.ndjson", "--json", ...flags])
      assert.match(failureLine(none), /The repair left \d+ faults/)
      assert.isTrue(Fs.existsSync(pack(dataDir, 1)))
      const planned = yield* expect(1, ["repair", "--dry-run", "--json", ...flags])
      const actions: ReadonlyArray<{ key: string; outcome: string }> = JSON.parse(planned.stdout.toString()).actions
      assert.sameMembers(
        actions.filter(({ outcome }) => outcome === "mendable").map(({ key }) => key),
        expected
      )
      yield* expect(0, ["repair", ...flags])
      yield* expect(0, ["audit", "--deep", ...flags])
      yield* expect(0, ["verify", ...flags])
      const read = yield* expect(0, ["get", "0", "--to", String(entryCount - 1), ...flags])
      assert.strictEqual(read.stdout.toString().split("\n")[350], lineAt(350))
    }).pipe(Effect.scoped)
  )
})

describe("icecore backup", () => {
  it.live("copies the store of a running daemon, and the copy restores", () =>
    Effect.gen(function* () {
      const { root, flags } = yield* prepared
      const daemon = yield* startDaemon(flags)
      yield* awaitStatus(daemon, "all is ingested", ({ nextSeq }) => nextSeq === entryCount)
      const copy = Path.join(root, "copy")
      const made = yield* expect(0, ["backup", copy, "--json", daemon.address, ...flags])
      assert.deepInclude(JSON.parse(made.stdout.toString()), { directory: copy, entryCount })
      const again = yield* expect(1, ["backup", copy, daemon.address, ...flags])
      assert.include(again.stderr, `icecore: Cannot back up to ${copy}: it is not empty`)
      yield* Effect.promise(async () => {
        const body = JSON.stringify({ directory: Path.join(root, "other") })
        const unproven = await fetch(`${daemon.url}/v1/backup`, { method: "POST", body })
        assert.strictEqual(unproven.status, 403)
        const proof = { "icecore-store": unproven.headers.get("icecore-store") ?? "" }
        const relative = await fetch(`${daemon.url}/v1/backup`, {
          method: "POST",
          headers: { ...proof, "content-type": "application/json" },
          body: '{"directory":"here"}'
        })
        assert.strictEqual(relative.status, 400)
        const got = await fetch(`${daemon.url}/v1/backup`)
        assert.deepStrictEqual([got.status, got.headers.get("allow")], [405, "POST"])
      })
      yield* daemon.kill("SIGKILL")
      yield* daemon.ended
      const restored = [`--storage.data_dir=${copy}`, ...flags.slice(1)]
      const rehearsed = yield* expect(0, ["backup", "--rehearse", copy, "--json", ...flags])
      assert.deepInclude(JSON.parse(rehearsed.stdout.toString()), {
        served: { floor: 0, latest: entryCount - 1 },
        findings: []
      })
      yield* expect(0, ["audit", "--deep", ...restored])
      const found = yield* expect(0, ["get", keyOf(1_234), ...restored])
      assert.strictEqual(found.stdout.toString(), `${lineAt(1_234)}\n`)
    }).pipe(Effect.scoped)
  )

  it.live("leaves nothing that looks whole when it is killed, and the next one clears it", () =>
    Effect.gen(function* () {
      const { root, flags } = yield* prepared
      const copy = Path.join(root, "copy")
      const partial = `${copy}.partial`
      for (const until of ["icecore-backup.partial", "catalog.pending", "entries/00000"]) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const running = yield* start(["backup", copy, ...flags])
            yield* eventually(`${until} is there`, () =>
              running.hasEnded() || Fs.existsSync(Path.join(partial, until)) ? true : undefined
            )
            yield* running.kill("SIGKILL")
            yield* running.ended
          })
        )
        if (Fs.existsSync(copy)) {
          yield* expect(0, ["backup", "--rehearse", copy, ...flags])
          Fs.rmSync(copy, { recursive: true })
        } else assert.isFalse(Fs.existsSync(Path.join(partial, "catalog")), until)
      }
      yield* expect(0, ["backup", copy, ...flags])
      assert.isFalse(Fs.existsSync(partial))
      yield* expect(0, ["backup", "--rehearse", copy, ...flags])
    }).pipe(Effect.scoped)
  )
})

describe("icecore prune", () => {
  it.live("says what retention would remove, and removes just that", () =>
    Effect.gen(function* () {
      const { dataDir, flags } = yield* prepared
      const kept = [...flags, "--retention.chunks=3"]
      const told = yield* expect(0, ["prune", "--dry-run", "--json", ...kept])
      const plan = JSON.parse(told.stdout.toString())
      assert.deepInclude(plan, { floorChunk: 9, chunkCount: 9, nextFloor: 900 })
      assert.isTrue(plan.paths.every((path: string) => Fs.existsSync(path)))
      assert.isAbove(plan.sizeBytes, 0)
      yield* expect(0, ["audit", ...flags])
      yield* expect(0, ["prune", ...kept])
      assert.isFalse(plan.paths.some((path: string) => Fs.existsSync(path)))
      yield* expect(0, ["audit", "--settled", ...kept])
      assert.sameMembers(Fs.readdirSync(Path.join(dataDir, "entries", "00000")), [
        "00000009.pack",
        "00000010.pack",
        "00000011.pack"
      ])
      const nothing = yield* expect(0, ["prune", "--dry-run", ...kept])
      assert.match(nothing.stdout.toString(), /^Nothing to remove: entry 900 is the first to keep/)
    }).pipe(Effect.scoped)
  )

  it.live("tells what another retention.earliest would remove, and pins it only when it does", () =>
    Effect.gen(function* () {
      const { flags } = yield* prepared
      const dry = (...more: ReadonlyArray<string>) =>
        Effect.map(expect(0, ["prune", "--dry-run", "--json", ...flags, ...more]), ({ stdout }) =>
          JSON.parse(stdout.toString())
        )
      const told = yield* dry("--retention.earliest=350")
      assert.deepInclude(told, { nextFloor: 350, floorChunk: 3, chunkCount: 3 })
      assert.deepInclude(yield* dry(), { nextFloor: 0, artifactCount: 0 })
      const done = yield* expect(0, ["prune", "--json", ...flags, "--retention.earliest=350"])
      assert.deepInclude(JSON.parse(done.stdout.toString()), { nextFloor: 350, artifactCount: told.artifactCount })
      assert.isFalse(told.paths.some((path: string) => Fs.existsSync(path)))
    }).pipe(Effect.scoped)
  )
})

describe("icecore inspect", () => {
  it.live("says what key runs and key indexes hold", () =>
    Effect.gen(function* () {
      const { dataDir } = yield* prepared
      const index = Path.join(dataDir, "keys", "index", "00000000", "00000000-00000003.idx")
      const shown = yield* expect(0, ["inspect", "--json", index])
      assert.deepInclude(JSON.parse(shown.stdout.toString()), {
        kind: "key index",
        keyCount: 400,
        coverage: { window: 0, lo: 0, hi: 3 },
        coverageLastSeq: 399,
        payloadSizeBytes: 3
      })
      assert.include((yield* expect(0, ["inspect", index])).stdout.toString(), "chunks 0 to 3 of window 0")
      const run = Path.join(dataDir, "loose.bin")
      // Two keys of entries 0 and 7.
      const bytes = new Uint8Array(8 + 40)
      bytes[0] = 2
      bytes[28] = 1
      bytes[28 + 16] = 7
      Fs.writeFileSync(run, bytes)
      const report = JSON.parse((yield* expect(0, ["inspect", "--json", run])).stdout.toString())
      assert.deepInclude(report, { kind: "key run", keyCount: 2, offsets: { minimum: 0, maximum: 7 } })
      assert.deepStrictEqual(report.keysPerEntry, [{ keys: 1, entries: 2 }])
      yield* expect(0, ["verify", index, run])
      bytes[28] = 0
      bytes[8] = 1
      Fs.writeFileSync(run, bytes)
      flip(index)
      const ended = yield* expect(1, ["verify", "--json", index, run])
      assert.deepStrictEqual(
        findingsOf(ended.stdout).map(({ path }) => path),
        [index, run]
      )
    }).pipe(Effect.scoped)
  )
})
