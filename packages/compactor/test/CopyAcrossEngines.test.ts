import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Database, Engine } from "@icecore/engine"
import * as LmdbEngine from "@icecore/engine/lmdb"
import * as MemoryEngine from "@icecore/engine/memory"
import * as SqliteEngine from "@icecore/engine/sqlite"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, type Scope, Stream } from "effect"
import { Copy } from "../src/index.ts"

const engines: Readonly<Record<string, Layer.Layer<Engine>>> = {
  memory: MemoryEngine.layer,
  sqlite: Layer.provide(SqliteEngine.layer, LiveDisk.layer),
  lmdb: Layer.provide(LmdbEngine.layer, LiveDisk.layer)
}

const rowCount = 20_000

/** Keys of 1 to 1,900 bytes and values of 0 to 4 KiB, in an order of their own. */
const fill = Effect.fnUntraced(function* (database: Database) {
  for (let start = 0; start < rowCount; start += 5_000)
    yield* database.write((batch) => {
      for (let row = start; row < start + 5_000; row++) {
        const key = new Uint8Array(row % 997 === 0 ? 1_900 : 5 + (row % 7))
        new DataView(key.buffer).setUint32(0, Math.imul(row, 2_654_435_761))
        batch.put("rows", key, new Uint8Array(row % 1_001 === 0 ? 4_096 : row % 64).fill(row))
      }
      batch.put("rows", Uint8Array.of(255), new Uint8Array(0))
    })
})

const digest = (database: Database) =>
  Stream.runFold(
    database.scan("rows"),
    () => ({ count: 0, hash: new Bun.CryptoHasher("sha256") }),
    ({ count, hash }, { key, value }) => ({
      count: count + 1,
      hash: hash.update(Uint32Array.of(key.length, value.length)).update(key).update(value)
    })
  ).pipe(Effect.map(({ count, hash }) => `${count} ${hash.digest("hex")}`))

const scratch: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "icecore-copy-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

const openWith = (layer: Layer.Layer<Engine>, path: string) =>
  Effect.gen(function* () {
    const engine = yield* Engine
    return yield* engine.open({ path, keyspaces: ["rows"] })
  }).pipe((open) => Effect.flatMap(Layer.build(layer), (context) => Effect.provide(open, context)))

describe("Copy across engines", () => {
  for (const [from, fromLayer] of Object.entries(engines)) {
    for (const [to, toLayer] of Object.entries(engines)) {
      it.live(`copy gives ${to} every row of ${from}, in order, byte for byte`, () =>
        Effect.gen(function* () {
          const directory = yield* scratch
          const source = yield* openWith(fromLayer, join(directory, "source"))
          const target = yield* openWith(toLayer, join(directory, "target"))
          yield* fill(source)
          const report = yield* Copy.copy({ source, target })
          const expected = yield* digest(source)
          assert.strictEqual(yield* digest(target), expected)
          assert.isTrue(expected.startsWith(`${rowCount + 1} `))
          assert.strictEqual(report.rowCount, rowCount + 1)
        }).pipe(Effect.scoped)
      )
    }
  }
})
