import { assert, describe, it } from "@effect/vitest"
import { Engine } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Disk } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Cause, Effect, Exit, Layer, Option, Stream } from "effect"
import { keyspace } from "../src/format/CatalogKey.ts"
import { WindowId } from "../src/Geometry.ts"
import * as HotEngine from "../src/HotEngine.ts"
import * as Layout from "../src/Layout.ts"
import { layout, open } from "./crash/CrashHarness.ts"
import { bytes } from "./Harness.ts"

const mutationCount = 40_000

const rows: ReadonlyArray<readonly [string, string]> = [
  ["chunk:00000000:entries", "pruning"],
  ["chunk:00000000:events", "freezing"],
  ["chunk:00000001:keys", "pruning"],
  ["config:catalog_version", "2"],
  ["config:chunks_per_window", "4"],
  ["config:domain_options", ""],
  ["config:domain_name", "test"],
  ["config:domain_version", "1"],
  ["config:earliest_seq", "2"],
  ["config:entries_per_chunk", "10"],
  ["config:first_seq", "2"],
  ["hot:00000002", "transient"],
  ["hot:00000003", "ready"],
  ["index:00000000:00000000:00000001", "freezing"],
  ["index:00000001:00000004:00000006", "pruning"]
]

/** A small generator of its own, so that a failure names the seed that repeats it. */
const generator = (seed: number) => {
  let state = seed >>> 0
  return (bound: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value ^= value + Math.imul(value ^ (value >>> 7), 61 | value)
    return ((value ^ (value >>> 14)) >>> 0) % bound
  }
}

const mutate = (original: Uint8Array, next: (bound: number) => number): Uint8Array => {
  if (original.length === 0) return Uint8Array.of(next(256))
  const at = next(original.length)
  const head = original.subarray(0, at)
  const tail = original.subarray(at + 1)
  switch (next(5)) {
    case 0:
      return Uint8Array.of(...head, next(256), ...tail)
    case 1:
      return Uint8Array.of(...head, original[at]! ^ (1 << next(8)), ...tail)
    case 2:
      return Uint8Array.of(...head, 0x30 + next(11), ...tail)
    case 3:
      return original.slice(0, at + 1)
    default:
      return Uint8Array.of(...original, ...original.subarray(at))
  }
}

const errors: ReadonlySet<string> = new Set([
  "CatalogCorrupt",
  "CatalogTooNew",
  "CatalogPinMismatch",
  "ArtifactMissing"
])

const useAll = Effect.scoped(
  Effect.gen(function* () {
    const catalog = yield* open
    const snapshot = yield* catalog.snapshot
    yield* Stream.runDrain(Stream.concat(snapshot.artifacts(), snapshot.indexes))
    yield* Stream.runDrain(snapshot.hotChunks)
    yield* snapshot.lastFrozen("entries")
    yield* snapshot.coverage(WindowId(0))
    yield* catalog.sweep()
  })
)

const damaged = Effect.fnUntraced(function* (seed: number) {
  const next = generator(seed)
  const engine = yield* Engine
  const path = Layout.catalogPath(layout)
  yield* engine.destroy(path)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const database = yield* engine.open({ path, keyspaces: [keyspace] })
      const broken = new Set(Array.from({ length: 1 + next(2) }, () => next(rows.length)))
      yield* database.write((batch) => {
        for (const [index, [key, value]] of rows.entries()) {
          const isKey = next(2) === 0
          const isBroken = broken.has(index)
          const newKey = isBroken && isKey ? mutate(bytes(key), next) : bytes(key)
          const newValue = isBroken && !isKey ? mutate(bytes(value), next) : bytes(value)
          batch.put(keyspace, newKey, newValue)
        }
      })
    })
  )
  return yield* Effect.exit(useAll)
})

describe("Catalog", () => {
  it.effect(
    `Catalog answers ${mutationCount} damaged catalogs with typed errors only`,
    () =>
      Effect.gen(function* () {
        let refused = 0
        for (let seed = 1; seed <= mutationCount; seed++) {
          const exit = yield* damaged(seed)
          if (Exit.isSuccess(exit)) continue
          refused++
          const error = Cause.findErrorOption(exit.cause)
          const tag = Option.match(error, {
            onNone: () => "a defect",
            onSome: (found) => ("_tag" in found ? String(found._tag) : "")
          })
          if (!errors.has(tag)) assert.fail(`seed ${seed}: ${Cause.pretty(exit.cause)}`)
        }
        assert.isAbove(refused, mutationCount / 2)
      }).pipe(
        Effect.provide(
          Layer.merge(
            HotEngine.layer.pipe(Layer.provideMerge(MemoryEngine.layer)),
            Layer.sync(Disk, () => SimulatedDisk.make(CrashRecorder.make()).disk)
          )
        )
      ),
    300_000
  )
})
