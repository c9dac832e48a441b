import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, type Scope, Stdio, Stream } from "effect"
import * as Store from "../src/Store.ts"
import * as NdjsonSource from "../src/source/NdjsonSource.ts"
import { directory, engineNames, services } from "./support/LiveStore.ts"

const log = Path.resolve(import.meta.dirname, "../../../../shared/data/ethereum/transactions.ndjson")

const geometry = { firstSeq: 0, entriesPerChunk: 100, chunksPerWindow: 1_000 }

/** Opens the store in `dataDir`, uses it and closes it. */
const withStore = <A, E>(
  dataDir: string,
  use: (store: Store.Store) => Effect.Effect<A, E, Store.StoreServices | Scope.Scope>,
  options: Partial<Store.StoreOptions> = {}
) => Effect.scoped(Effect.flatMap(Store.make({ dataDir, geometry, ...options }), use))

const ingest = (store: Store.Store, path: string) =>
  Effect.flatMap(Effect.provide(NdjsonSource.make({ path }), Stdio.layerTest({})), store.ingest)

/** Every line, by seq and by range, and a clean verification. */
const check = Effect.fnUntraced(function* ({ history, verify }: Store.Store, lines: ReadonlyArray<Uint8Array>) {
  for (const [seq, line] of lines.entries()) {
    const bytes = yield* history.get(seq)
    assert.isTrue(Buffer.compare(bytes, line) === 0, `entry ${seq}`)
  }
  const batches = yield* Stream.runCollect(history.range({ order: "descending" }))
  const descending = batches.flat().map(({ bytes }) => bytes)
  assert.isTrue(Buffer.concat(descending.toReversed()).equals(Buffer.concat(lines)))
  const checked = yield* Stream.runCollect(verify)
  assert.deepStrictEqual(
    checked.flatMap(({ findings }) => findings),
    []
  )
  const { chunks } = yield* history.status
  assert.deepStrictEqual(chunks, { frozen: Math.floor(lines.length / 100), freezing: 0, hot: 1 })
})

const splitLines = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const lines: Array<Uint8Array> = []
  let start = 0
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  return lines
}

/** Identity and time of every file below the directory. */
const fileTimes = (root: string): Record<string, string> => {
  const found: Record<string, string> = {}
  for (const name of Fs.readdirSync(root, { recursive: true, encoding: "utf8" }).sort()) {
    const { ino, mtimeMs } = Fs.statSync(Path.join(root, name))
    found[name] = `${ino} ${mtimeMs}`
  }
  return found
}

describe.each(engineNames)("Store on %s", (engineName) => {
  it.live.skipIf(!Fs.existsSync(log))(
    "ingests the Ethereum log, redoes nothing, and goes on with appended lines (needs the shared data folder)",
    () =>
      Effect.gen(function* () {
        const root = yield* directory
        const dataDir = Path.join(root, "store")
        const path = Path.join(root, "log.ndjson")
        Fs.copyFileSync(log, path)
        const lines = splitLines(Fs.readFileSync(path))
        assert.strictEqual(lines.length, 1_133)

        yield* withStore(dataDir, (store) =>
          Effect.gen(function* () {
            const report = yield* ingest(store, path)
            assert.strictEqual(report.entryCount, 1_133)
            assert.strictEqual(report.frozenChunkCount, 11)
            const { served, liveChunk, nextSeq } = yield* store.history.status
            assert.deepStrictEqual(served, Option.some({ floor: 0, latest: 1_132 }))
            assert.deepStrictEqual([liveChunk, nextSeq - 1_100], [11, 33])
            yield* check(store, lines)
          })
        )
        const frozen = fileTimes(Path.join(dataDir, "entries"))
        yield* withStore(dataDir, (store) =>
          Effect.gen(function* () {
            assert.strictEqual((yield* ingest(store, path)).entryCount, 0)
            yield* check(store, lines)
          })
        )
        assert.deepStrictEqual(fileTimes(Path.join(dataDir, "entries")), frozen)

        const more = lines.slice(0, 300)
        Fs.appendFileSync(path, Buffer.concat(more.flatMap((line) => [line, Buffer.from("\n")])))
        yield* withStore(
          dataDir,
          (store) =>
            Effect.gen(function* () {
              assert.strictEqual((yield* ingest(store, path)).entryCount, 300)
              yield* check(store, [...lines, ...more])
            }),
          { entriesPerCommit: 64 }
        )
      }).pipe(Effect.scoped, Effect.provide(services(engineName))),
    180_000
  )

  it.live("names file, part and entries of one flipped byte, and goes on reading the other records", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const dataDir = Path.join(root, "store")
      const entries = Array.from({ length: 450 }, (_, seq) => new TextEncoder().encode(`entry ${seq} `.repeat(20)))
      yield* withStore(dataDir, ({ history, settled }) => Effect.andThen(history.append(entries), settled), {
        geometry: { ...geometry, entriesPerChunk: 400 },
        entriesPerCommit: 100
      })
      const pack = Path.join(dataDir, "entries/00000/00000000.pack")
      const bytes = Fs.readFileSync(pack)
      bytes[40] = bytes[40]! ^ 1
      Fs.writeFileSync(pack, bytes)
      yield* withStore(
        dataDir,
        ({ history, verify }) =>
          Effect.gen(function* () {
            const checked = yield* Stream.runCollect(verify)
            const findings = checked.flatMap((one) => one.findings)
            assert.strictEqual(findings.length, 1)
            assert.strictEqual(findings[0]?.path, pack)
            assert.strictEqual(findings[0]?.part, "record")
            assert.deepStrictEqual(findings[0]?.offsetBytes, Option.some(0))
            assert.deepStrictEqual(findings[0]?.entries, Option.some({ from: 0, to: 127 }))
            const error = yield* Effect.flip(history.get(5))
            assert.strictEqual(error._tag, "PackCorrupt")
            assert.strictEqual((yield* Effect.flip(Stream.runDrain(history.range())))._tag, "PackCorrupt")
            for (const seq of [128, 399, 400, 449]) assert.deepStrictEqual(yield* history.get(seq), entries[seq])
          }),
        { geometry: { ...geometry, entriesPerChunk: 400 } }
      )
    }).pipe(Effect.scoped, Effect.provide(services(engineName)))
  )

  it.live("names a file that no key explains, and a frozen one that is gone", () =>
    Effect.gen(function* () {
      const dataDir = Path.join(yield* directory, "store")
      const entries = Array.from({ length: 350 }, (_, seq) => new TextEncoder().encode(`entry ${seq}`))
      yield* withStore(dataDir, ({ history, settled }) => Effect.andThen(history.append(entries), settled))
      const gone = Path.join(dataDir, "entries/00000/00000001.pack")
      const stray = Path.join(dataDir, "entries/00000/00000009.pack")
      Fs.renameSync(gone, stray)
      yield* withStore(dataDir, ({ history, verify }) =>
        Effect.gen(function* () {
          const findings = (yield* Stream.runCollect(verify)).flatMap((one) => one.findings)
          assert.deepStrictEqual(
            findings.map(({ path, part }) => `${part} ${Path.basename(path)}`),
            ["file 00000001.pack", "file 00000009.pack", "file 00000001.pack"]
          )
          assert.strictEqual((yield* Effect.flip(history.get(150)))._tag, "DiskNotFound")
          assert.deepStrictEqual(yield* history.get(50), entries[50])
        })
      )
    }).pipe(Effect.scoped, Effect.provide(services(engineName)))
  )
})
