import { assert, describe, it } from "@effect/vitest"
import { Engine } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Disk } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Exit, Layer, Option, type Scope, Stream } from "effect"
import * as fc from "fast-check"
import type * as Catalog from "../src/Catalog.ts"
import {
  type ArtifactKey,
  type ArtifactKind,
  artifactKinds,
  chunkKey,
  decodeKey,
  encodeKey,
  hotKey,
  indexKey
} from "../src/format/CatalogKey.ts"
import { ChunkId, WindowId } from "../src/Geometry.ts"
import * as HotEngine from "../src/HotEngine.ts"
import { layout, open, requireSettled, writeFile, writeWanted } from "./crash/CrashHarness.ts"
import type { Store } from "./Harness.ts"

type Operation =
  | {
      readonly _tag: "write"
      readonly chunk: number
      readonly kinds: ReadonlyArray<ArtifactKind>
      readonly fails: boolean
    }
  | { readonly _tag: "index"; readonly lo: number; readonly hi: number; readonly fails: boolean }
  | { readonly _tag: "demote"; readonly keys: ReadonlyArray<ArtifactKey> }
  | { readonly _tag: "open hot"; readonly chunk: number }
  | { readonly _tag: "discard hot"; readonly chunk: number }
  | { readonly _tag: "prune"; readonly floorChunk: number }
  | { readonly _tag: "sweep"; readonly known: boolean }
  | { readonly _tag: "reopen" }

const window = WindowId(0)
const chunks = fc.nat(4)
const fails = fc.integer({ min: 0, max: 3 }).map((value) => value === 0)
const coverages = fc.tuple(fc.nat(3), fc.nat(3)).map(([a, b]) => ({ lo: Math.min(a, b), hi: Math.max(a, b) }))
const artifactKeys: fc.Arbitrary<ArtifactKey> = fc.oneof(
  fc.tuple(chunks, fc.constantFrom(...artifactKinds)).map(([chunk, kind]) => chunkKey(ChunkId(chunk), kind)),
  coverages.map(({ lo, hi }) => indexKey(window, ChunkId(lo), ChunkId(hi)))
)
const operations: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      _tag: fc.constant("write" as const),
      chunk: chunks,
      kinds: fc.subarray([...artifactKinds]),
      fails
    })
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ _tag: fc.constant("index" as const), range: coverages, fails })
      .map(({ range, fails }) => ({ _tag: "index" as const, ...range, fails }))
  },
  {
    weight: 2,
    arbitrary: fc.record({ _tag: fc.constant("demote" as const), keys: fc.array(artifactKeys, { maxLength: 3 }) })
  },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("open hot" as const), chunk: chunks }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("discard hot" as const), chunk: chunks }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("prune" as const), floorChunk: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("sweep" as const), known: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ _tag: "reopen" as const }) }
)

/** What the catalog should hold: the state of every key, by its text; and which keys this process unsettled. */
class Model extends Map<string, string> {
  readonly known: Set<string> = new Set()
  override set(text: string, state: string): this {
    if (state === "frozen" || state === "ready") this.known.delete(text)
    else if (this.get(text) !== state) this.known.add(text)
    return super.set(text, state)
  }
  override delete(text: string): boolean {
    this.known.delete(text)
    return super.delete(text)
  }
}

const freeze = (model: Model, keys: ReadonlyArray<ArtifactKey>, failed: boolean): void => {
  for (const key of keys) {
    const text = encodeKey(key)
    model.set(text, failed ? "freezing" : "frozen")
    if (failed) model.known.add(text)
  }
}

const frozenCoverage = (model: Model): { readonly lo: number; readonly hi: number } | undefined => {
  const found = [...model].find(([text, state]) => text.startsWith("index:") && state === "frozen")
  if (found === undefined) return undefined
  const [, , lo, hi] = found[0].split(":").map(Number)
  return { lo: lo!, hi: hi! }
}

const hasRun = (model: Model, chunk: number): boolean =>
  model.get(encodeKey(chunkKey(ChunkId(chunk), "keys"))) === "frozen"

/** Whether a chunk after the new coverage would be found neither by it nor by a run. */
const uncovers = (model: Model, { hi }: { readonly hi: number }): boolean => {
  const frozen = frozenCoverage(model)
  return frozen !== undefined && anyWithoutRun(model, hi + 1, frozen.hi)
}

const anyWithoutRun = (model: Model, from: number, to: number): boolean => {
  for (let chunk = from; chunk <= to; chunk++) if (!hasRun(model, chunk)) return true
  return false
}

const demoteRuns = (model: Model, from: number): void => {
  for (const chunk of [0, 1, 2, 3])
    if (chunk >= from && hasRun(model, chunk)) model.set(encodeKey(chunkKey(ChunkId(chunk), "keys")), "pruning")
}

const applyToModel = (model: Model, operation: Operation): void => {
  switch (operation._tag) {
    case "write": {
      const keys = operation.kinds.map((kind) => chunkKey(ChunkId(operation.chunk), kind))
      freeze(
        model,
        keys.filter((key) => model.get(encodeKey(key)) !== "frozen"),
        operation.fails
      )
      return
    }
    case "index": {
      const indexes = [...model].filter(([text]) => text.startsWith("index:"))
      const frozen = frozenCoverage(model)
      if (frozen !== undefined && frozen.lo <= operation.lo && frozen.hi >= operation.hi) return
      if (uncovers(model, operation)) return
      const key = indexKey(window, ChunkId(operation.lo), ChunkId(operation.hi))
      freeze(model, [key], operation.fails)
      if (operation.fails) return
      for (const [text] of indexes) if (text !== encodeKey(key)) model.set(text, "pruning")
      if (operation.hi === 3) demoteRuns(model, operation.lo)
      return
    }
    case "demote":
      for (const key of operation.keys) if (model.has(encodeKey(key))) model.set(encodeKey(key), "pruning")
      return
    case "open hot":
      model.set(encodeKey(hotKey(ChunkId(operation.chunk))), "ready")
      return
    case "discard hot":
      model.delete(encodeKey(hotKey(ChunkId(operation.chunk))))
      return
    case "prune": {
      const { floorChunk } = operation
      for (const text of model.keys()) {
        const key = Option.getOrThrow(decodeKey(text))
        const isBelow = key._tag === "Index" ? key.hi < floorChunk : key._tag === "Chunk" && key.chunk < floorChunk
        if (isBelow) model.set(text, "pruning")
      }
      const coverage = frozenCoverage(model)
      if (coverage?.hi === 3 && coverage.lo <= floorChunk) demoteRuns(model, 0)
      return
    }
    case "sweep":
      for (const [text, state] of [...model])
        if (state !== "frozen" && state !== "ready" && (!operation.known || model.known.has(text))) model.delete(text)
      return
    case "reopen":
      model.known.clear()
      return
  }
}

const apply = (catalog: Catalog.Catalog, operation: Operation): Effect.Effect<unknown, unknown, Disk> => {
  switch (operation._tag) {
    case "write":
      return catalog.writeChunk({
        chunk: ChunkId(operation.chunk),
        kinds: operation.kinds,
        produce: (wanted) => Effect.andThen(writeWanted(wanted), operation.fails ? Effect.fail("boom") : Effect.void)
      })
    case "index":
      return catalog.writeIndex({
        window,
        lo: ChunkId(operation.lo),
        hi: ChunkId(operation.hi),
        produce: (file) => Effect.andThen(writeFile(file), operation.fails ? Effect.fail("boom") : Effect.void)
      })
    case "demote":
      return catalog.demote(operation.keys)
    case "open hot":
      return Effect.scoped(catalog.openHot(ChunkId(operation.chunk), { keyspaces: ["entries"] }))
    case "discard hot":
      return catalog.discardHot(ChunkId(operation.chunk))
    case "prune":
      return catalog.prune(ChunkId(operation.floorChunk))
    case "sweep":
      return catalog.sweep({ known: operation.known })
    case "reopen":
      return Effect.void
  }
}

const reportOf = (model: Model, known: boolean): Catalog.SweepReport => {
  const unsettled = [...model].filter(
    ([text, state]) => state !== "frozen" && state !== "ready" && (!known || model.known.has(text))
  )
  return { artifactCount: unsettled.length, hotCount: 0, deferredCount: 0 }
}

const contents = (catalog: Catalog.Catalog) =>
  Effect.scoped(
    Effect.gen(function* () {
      const snapshot = yield* catalog.snapshot
      const artifacts = yield* Stream.runCollect(Stream.concat(snapshot.artifacts(), snapshot.indexes))
      const hot = yield* Stream.runCollect(snapshot.hotChunks)
      return new Map<string, string>([
        ...artifacts.map(({ key, state }) => [encodeKey(key), state] as const),
        ...hot.map(({ chunk, state }) => [encodeKey(hotKey(chunk)), state] as const)
      ])
    })
  )

const sorted = (model: ReadonlyMap<string, string>): ReadonlyArray<readonly [string, string]> =>
  [...model].sort(([left], [right]) => (left < right ? -1 : 1))

const run = Effect.fnUntraced(function* (list: ReadonlyArray<Operation>) {
  const model = new Model()
  const isExpectedFailure = (operation: Operation): boolean =>
    ("fails" in operation && operation.fails) || (operation._tag === "index" && uncovers(model, operation))
  let rest = list
  while (rest.length > 0) {
    const end = rest.findIndex((operation) => operation._tag === "reopen")
    const session = end < 0 ? rest : rest.slice(0, end + 1)
    rest = rest.slice(session.length)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const catalog = yield* open
        assert.deepStrictEqual(sorted(yield* contents(catalog)), sorted(model))
        for (const operation of session) {
          const mayFail = isExpectedFailure(operation)
          const exit = yield* Effect.exit(apply(catalog, operation))
          if (operation._tag === "sweep") assert.deepStrictEqual(exit, Exit.succeed(reportOf(model, operation.known)))
          applyToModel(model, operation)
          if (!mayFail) assert.isTrue(Exit.isSuccess(exit), JSON.stringify([operation, exit]))
          assert.deepStrictEqual(sorted(yield* contents(catalog)), sorted(model), JSON.stringify(operation))
        }
      })
    )
  }
  yield* Effect.scoped(
    Effect.gen(function* () {
      const catalog = yield* open
      yield* catalog.sweep()
      yield* requireSettled(catalog)
    })
  )
})

const freshStore: Effect.Effect<Layer.Layer<Store>> = Effect.sync(() => {
  const disk = Layer.succeed(Disk, SimulatedDisk.make(CrashRecorder.make()).disk)
  const engine = Layer.succeed(Engine, MemoryEngine.make(MemoryEngine.makeMedium()))
  return Layer.merge(HotEngine.layer.pipe(Layer.provideMerge(engine)), disk)
})

const onFreshStore = <A, E>(effect: Effect.Effect<A, E, Store | Scope.Scope>): Effect.Effect<A, E> =>
  Effect.flatMap(freshStore, (store) => Effect.provide(Effect.scoped(effect), store))

describe("Catalog", () => {
  it("Catalog holds what a plain map would after any list of operations, reopened in between", async () => {
    assert.strictEqual(layout.dataDir, "/store")
    await fc.assert(
      fc.asyncProperty(fc.array(operations, { minLength: 20, maxLength: 60 }), (list) =>
        Effect.runPromise(onFreshStore(run(list)))
      ),
      { numRuns: 300 }
    )
  })
})
