import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "../support/LiveStore.ts"
import { expect, failureLine, startDaemon } from "./support/Command.ts"

const hashOf = (seq: number): string => createHash("sha256").update(`${seq}`).digest("hex")

const line = (seq: number): string => JSON.stringify({ hash: `0x${hashOf(seq)}`, seq })

const config = `
[geometry]
entries_per_chunk = 8
chunks_per_window = 2
[domain]
keys = ["/hash"]
[ingest]
batch = 8
[source]
kind = "ndjson"
path = "log.ndjson"
`

/** A directory with a log of 43 lines, ingested: two whole windows, a chunk more, and three entries of the live one. */
const ingested = Effect.gen(function* () {
  const root = yield* directory
  Fs.writeFileSync(Path.join(root, "icecore.toml"), config)
  Fs.writeFileSync(Path.join(root, "log.ndjson"), Array.from({ length: 43 }, (_, seq) => `${line(seq)}\n`).join(""))
  yield* expect(0, ["ingest"], { cwd: root })
  return root
})

describe("icecore get KEY", () => {
  it.live("prints the entry that has the key, and says which parts of the store were asked", () =>
    Effect.gen(function* () {
      const root = yield* ingested
      const get = (status: number, ...args: ReadonlyArray<string>) => expect(status, ["get", ...args], { cwd: root })
      for (const [seq, text] of [
        [5, hashOf(5)],
        [42, `0x${hashOf(42)}`]
      ] as const)
        assert.strictEqual((yield* get(0, text)).stdout.toString(), `${line(seq)}\n`)
      const described = JSON.parse((yield* get(0, hashOf(20), "--json")).stdout.toString())
      assert.deepInclude(described, { seq: 20, text: line(20) })

      const explained = (yield* get(0, hashOf(5), "--explain")).stdout.toString()
      assert.match(explained, /^1\. hot chunk 5 at .*\/hot\/00000005: no candidate; .*\n/)
      assert.match(explained, /key index of window 0, chunks 0 to 1 at .*\.idx: candidate \(entry 5\); .*\n/)
      assert.match(explained, /pack of chunk 0 at .*\.pack: answered \(entry 5\); .*\n/)
      assert.include(explained, `key 0x${hashOf(5)}: entry 5, ${line(5).length} bytes; reads `)
      const bySeq = JSON.parse((yield* get(0, "42", "--explain", "--json")).stdout.toString())
      assert.deepInclude(bySeq, { request: { seq: 42 }, served: { floor: 0, latest: 42 } })
      const nothing = (yield* get(0, hashOf(43), "--explain")).stdout.toString()
      assert.include(nothing, `key 0x${hashOf(43)}: not found; reads `)

      assert.include(failureLine(yield* get(1, hashOf(43))), `Cannot get key 0x${hashOf(43)}: no entry has it`)
      assert.include(failureLine(yield* get(2, "5e")), 'Cannot get "5e": it is neither a sequence number nor a key')
      assert.include(failureLine(yield* get(2, "5", "--key")), "it is neither a sequence number nor a key")
      assert.include(failureLine(yield* get(2, hashOf(5), "--to", "7")), "--to goes with a sequence number alone")
    }).pipe(Effect.scoped)
  )

  it.live("asks the daemon that holds the store, and is not told where files lie", () =>
    Effect.gen(function* () {
      const root = yield* ingested
      const daemon = yield* startDaemon([], { cwd: root })
      const get = (status: number, ...args: ReadonlyArray<string>) =>
        expect(status, ["get", ...args, daemon.address], { cwd: root })
      assert.strictEqual((yield* get(0, hashOf(5))).stdout.toString(), `${line(5)}\n`)
      const described = JSON.parse((yield* get(0, hashOf(5), "--json")).stdout.toString())
      assert.deepInclude(described, { seq: 5, text: line(5) })
      const explained = (yield* get(0, hashOf(5), "--explain")).stdout.toString()
      assert.include(explained, "pack of chunk 0: answered (entry 5)")
      assert.notInclude(explained, root)
      assert.include(failureLine(yield* get(1, hashOf(43))), `No entry has the key ${hashOf(43)}`)
    }).pipe(Effect.scoped)
  )

  it.live("says that there are no keys where the domain names none", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const refused = yield* expect(2, ["get", hashOf(5)], { cwd: root })
      assert.include(
        failureLine(refused),
        "it is no sequence number, and entries of domain ndjson have no keys (domain.keys)"
      )
    }).pipe(Effect.scoped)
  )

  it.live("needs no settings of a store that was made with some, and refuses others than those it was made with", () =>
    Effect.gen(function* () {
      const root = yield* ingested
      const dataDir = `--storage.data_dir=${Path.join(root, "data")}`
      assert.strictEqual((yield* expect(0, ["get", hashOf(5), dataDir])).stdout.toString(), `${line(5)}\n`)
      const other = yield* expect(2, ["get", "5", dataDir, "--domain.duplicates=last"])
      assert.include(failureLine(other), "domain_options")
      const geometry = yield* expect(2, ["get", "5", dataDir, "--geometry.entries_per_chunk=9"])
      assert.include(failureLine(geometry), "entries_per_chunk is pinned to 8, configured is 9")
      const emptied = yield* expect(2, ["prune", dataDir, "--retention.earliest=43"])
      assert.include(failureLine(emptied), "Cannot keep the log from entry 43 on (retention.earliest)")
    })
  )

  it.live("names the engine that the store was made with, and does not say that entries have no keys", () =>
    Effect.gen(function* () {
      const dataDir = `--storage.data_dir=${Path.join(yield* ingested, "data")}`
      for (const name of ["5", hashOf(5)]) {
        const refused = yield* expect(1, ["get", name, dataDir, "--engine.catalog=lmdb"])
        assert.match(failureLine(refused), /Cannot use database .*catalog: it is a database of engine sqlite/)
      }
    })
  )
})
