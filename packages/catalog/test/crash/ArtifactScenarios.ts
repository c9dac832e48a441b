/** What can be interrupted: starts that pin, freezing, rolling a key index, pruning, sweeping. */
import { Disk } from "@icecore/packfile"
import type { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect } from "effect"
import * as Catalog from "../../src/Catalog.ts"
import { type ArtifactKey, artifactKinds, chunkKey, indexKey } from "../../src/format/CatalogKey.ts"
import { ChunkId, WindowId } from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import { domain, geometry, type Store } from "../Harness.ts"
import {
  layout,
  open,
  recover,
  require,
  requireFrozen,
  requireNoEmptyDirectory,
  requireSettled,
  storeLayer,
  type Weakness,
  writeFile,
  writeWanted
} from "./CrashHarness.ts"

type Scenario<Acknowledgement> = CrashEnumerator.CrashScenario<Store, Acknowledgement>

const start = (earliestSeq: number) =>
  Catalog.make({ layout, geometry, domain, earliestSeq: { onFirstStart: Effect.succeed(earliestSeq) } })

/** Pins are there, all, once a start returned; before, either none are or all. */
export const firstStart = (weakness?: Weakness): Scenario<"pinned"> => ({
  name: "first start",
  layer: storeLayer(weakness),
  scenario: (acknowledge) => Effect.andThen(start(7), acknowledge("pinned")),
  recover: Effect.tap(start(9), (catalog) => catalog.sweep()),
  check: Effect.fnUntraced(function* (acknowledged) {
    const catalog = yield* start(11)
    yield* requireSettled(catalog)
    const { earliestSeq } = catalog.pins
    yield* require(earliestSeq === 7 || (acknowledged.length === 0 && earliestSeq === 9), `pinned is ${earliestSeq}`)
  })
})

/** Another earliest seq is pinned whole or not at all, and stays once a start returned. */
export const repinning = (weakness?: Weakness): Scenario<number> => ({
  name: "pinning another earliest seq",
  layer: storeLayer(weakness),
  prepare: start(7),
  scenario: Effect.fnUntraced(function* (acknowledge) {
    for (const [index, earliestSeq] of [23, 5].entries())
      yield* Effect.scoped(
        Effect.gen(function* () {
          const catalog = yield* Catalog.make({ layout, geometry, domain, earliestSeq })
          yield* acknowledge(earliestSeq)
          yield* catalog.writeChunk({ chunk: ChunkId(index), kinds: ["entries"], produce: writeWanted })
        })
      )
  }),
  recover,
  check: Effect.fnUntraced(function* (acknowledged) {
    const { pins, beginSeq } = yield* open
    yield* require(beginSeq() === 7, `history begins at ${beginSeq()}`)
    const history = [7, 23, 5].slice(acknowledged.length)
    yield* require(history.slice(0, 2).includes(pins.earliestSeq), `pinned is ${pins.earliestSeq}`)
  })
})

const requireAll = (acknowledged: ReadonlyArray<ArtifactKey>) =>
  Effect.gen(function* () {
    const frozen = yield* Effect.flatMap(open, requireSettled)
    for (const key of acknowledged) yield* requireFrozen(frozen, key)
    yield* requireNoEmptyDirectory
  })

/** Several kinds of one chunk and one of another, one of them only after a try that failed half way. */
export const freezing = (weakness?: Weakness): Scenario<ArtifactKey> => ({
  name: "freezing chunks",
  layer: storeLayer(weakness),
  scenario: Effect.fnUntraced(function* (acknowledge) {
    const catalog = yield* open
    const half = (wanted: ReadonlyArray<Catalog.WantedArtifact>) =>
      Effect.andThen(writeFile(wanted[0]!.files[0]!), Effect.fail("half way"))
    yield* Effect.flip(catalog.writeChunk({ chunk: ChunkId(0), kinds: ["events"], produce: half }))
    yield* catalog.writeChunk({ chunk: ChunkId(0), kinds: artifactKinds, produce: writeWanted })
    for (const kind of artifactKinds) yield* acknowledge(chunkKey(ChunkId(0), kind))
    yield* catalog.writeChunk({ chunk: ChunkId(1_000), kinds: ["entries"], produce: writeWanted })
    yield* acknowledge(chunkKey(ChunkId(1_000), "entries"))
  }),
  recover,
  check: requireAll
})

/** A start that finds what is left, and writes it again. */
export const refreezing = (weakness?: Weakness): Scenario<ArtifactKey> => ({
  ...freezing(weakness),
  name: "freezing chunks again after a crash",
  recover: Effect.gen(function* () {
    const catalog = yield* open
    yield* catalog.writeChunk({ chunk: ChunkId(0), kinds: artifactKinds, produce: writeWanted })
    yield* catalog.sweep()
  }),
  check: (acknowledged) => requireAll([...acknowledged, ...artifactKinds.map((kind) => chunkKey(ChunkId(0), kind))])
})

/** A start that finds directories which a killed process made and did not live to sync. */
export const freezingAfterKill = (weakness?: Weakness): Scenario<ArtifactKey> => ({
  name: "freezing chunks in directories that a killed process made",
  layer: storeLayer(weakness),
  prepare: Effect.asVoid(open),
  scenario: Effect.fnUntraced(function* (acknowledge) {
    const disk = yield* Disk
    const key = chunkKey(ChunkId(3), "entries")
    yield* disk.makeDirectory(Layout.directoryOf(layout, key))
    const catalog = yield* open
    yield* catalog.writeChunk({ chunk: key.chunk, kinds: [key.kind], produce: writeWanted })
    yield* acknowledge(key)
  }),
  recover,
  check: Effect.fnUntraced(function* (acknowledged) {
    const frozen = yield* Effect.flatMap(open, requireSettled)
    for (const key of acknowledged) yield* requireFrozen(frozen, key)
  })
})

const window = WindowId(1)
const roll = (catalog: Catalog.Catalog, hi: number) =>
  catalog.writeIndex({ window, lo: ChunkId(4), hi: ChunkId(hi), produce: writeFile })

/** A coverage that grows to the end of its window, whose key runs go then. */
export const rolling = (weakness?: Weakness): Scenario<number> => ({
  name: "rolling a key index",
  layer: storeLayer(weakness),
  prepare: Effect.flatMap(open, (catalog) =>
    Effect.forEach([4, 5, 6, 7], (chunk) =>
      catalog.writeChunk({ chunk: ChunkId(chunk), kinds: ["keys"], produce: writeWanted })
    )
  ),
  scenario: Effect.fnUntraced(function* (acknowledge) {
    const catalog = yield* open
    for (const hi of [4, 6, 7]) {
      yield* roll(catalog, hi)
      yield* acknowledge(hi)
      yield* catalog.sweep()
    }
  }),
  recover,
  check: Effect.fnUntraced(function* (acknowledged) {
    const frozen = yield* Effect.flatMap(open, requireSettled)
    yield* requireNoEmptyDirectory
    const his = [4, 6, 7].filter((hi) => frozen.has(JSON.stringify(indexKey(window, ChunkId(4), ChunkId(hi)))))
    yield* require(his.length <= 1, `frozen are key indexes to ${his.join(" and ")}`)
    const least = acknowledged.at(-1) ?? 0
    yield* require((his[0] ?? 0) >= least, `the key index to ${least} is gone`)
    for (const chunk of [4, 5, 6, 7]) yield* requireFrozen(frozen, chunkKey(ChunkId(chunk), "keys"), his[0] !== 7)
  })
})

const widths = [
  [5, 6],
  [4, 5],
  [5, 7],
  [4, 7]
] as const

/** A coverage whose ends move in either direction: it narrows while runs stand in for it, rises, and widens. */
export const moving = (weakness?: Weakness): Scenario<number> => ({
  name: "moving the ends of a key index",
  layer: storeLayer(weakness),
  prepare: Effect.flatMap(open, (catalog) =>
    Effect.forEach([4, 5, 6, 7], (chunk) =>
      catalog.writeChunk({ chunk: ChunkId(chunk), kinds: ["keys"], produce: writeWanted })
    )
  ),
  scenario: Effect.fnUntraced(function* (acknowledge) {
    const catalog = yield* open
    for (const [index, [lo, hi]] of widths.entries()) {
      yield* catalog.writeIndex({ window, lo: ChunkId(lo), hi: ChunkId(hi), produce: writeFile })
      yield* acknowledge(index)
      if (index % 2 === 1) yield* catalog.sweep({ known: true })
    }
  }),
  recover,
  check: Effect.fnUntraced(function* (acknowledged) {
    const frozen = yield* Effect.flatMap(open, requireSettled)
    yield* requireNoEmptyDirectory
    const found = widths.flatMap(([lo, hi], index) =>
      frozen.has(JSON.stringify(indexKey(window, ChunkId(lo), ChunkId(hi)))) ? [index] : []
    )
    yield* require(found.length <= 1, `frozen are coverages ${found.join(" and ")}`)
    yield* require((found[0] ?? -1) >= acknowledged.length - 1, `coverage ${acknowledged.length - 1} is gone`)
  })
})

const prunedChunks = [998, 999, 1_000, 1_001]
const prunedIndexes = [
  indexKey(WindowId(249), ChunkId(998), ChunkId(999)),
  indexKey(WindowId(250), ChunkId(1_000), ChunkId(1_001))
]

/** The floor rises through a window and past it, and a bucket and a window are left empty. */
export const pruning = (weakness?: Weakness): Scenario<number> => ({
  name: "pruning",
  layer: storeLayer(weakness),
  prepare: Effect.flatMap(open, (catalog) =>
    Effect.gen(function* () {
      for (const chunk of prunedChunks)
        yield* catalog.writeChunk({ chunk: ChunkId(chunk), kinds: ["entries", "keys"], produce: writeWanted })
      for (const { window, lo, hi } of prunedIndexes) yield* catalog.writeIndex({ window, lo, hi, produce: writeFile })
      yield* catalog.sweep()
    })
  ),
  scenario: Effect.fnUntraced(function* (acknowledge) {
    const catalog = yield* open
    for (const floor of [999, 1_000, 1_001]) {
      yield* catalog.prune(ChunkId(floor))
      yield* acknowledge(floor)
      yield* catalog.sweep({ known: true })
    }
  }),
  recover,
  check: Effect.fnUntraced(function* (acknowledged) {
    const frozen = yield* Effect.flatMap(open, requireSettled)
    yield* requireNoEmptyDirectory
    const floor = acknowledged.at(-1) ?? 998
    const isFrozen = (key: ArtifactKey): boolean => frozen.has(JSON.stringify(key))
    for (const chunk of prunedChunks) {
      const isKept = isFrozen(chunkKey(ChunkId(chunk), "entries"))
      yield* require(chunk >= floor || !isKept, `chunk ${chunk} is back below ${floor}`)
      yield* require(chunk <= floor || isKept, `chunk ${chunk} is gone above ${floor}`)
    }
    for (const key of prunedIndexes) {
      yield* require(key.hi >= floor || !isFrozen(key), `the key index to ${key.hi} is back`)
      yield* require(key.hi <= floor || isFrozen(key), `the key index to ${key.hi} is gone`)
    }
  })
})

/** Removal of some artifacts beside others, in two rounds. */
export const sweeping = (weakness?: Weakness): Scenario<number> => ({
  name: "sweeping",
  layer: storeLayer(weakness),
  prepare: Effect.flatMap(open, (catalog) =>
    Effect.forEach([0, 1, 2], (chunk) =>
      catalog.writeChunk({ chunk: ChunkId(chunk), kinds: artifactKinds, produce: writeWanted })
    )
  ),
  scenario: Effect.fnUntraced(function* (acknowledge) {
    const catalog = yield* open
    for (const chunk of [0, 1]) {
      yield* catalog.demote(artifactKinds.map((kind) => chunkKey(ChunkId(chunk), kind)))
      yield* acknowledge(chunk)
      yield* catalog.sweep()
    }
  }),
  recover,
  check: Effect.fnUntraced(function* (acknowledged) {
    const frozen = yield* Effect.flatMap(open, requireSettled)
    yield* requireNoEmptyDirectory
    for (const kind of artifactKinds) {
      for (const chunk of acknowledged) yield* requireFrozen(frozen, chunkKey(ChunkId(chunk), kind), false)
      yield* requireFrozen(frozen, chunkKey(ChunkId(2), kind))
    }
  })
})
