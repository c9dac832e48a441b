/**
 * How compaction grows with a sync, and a merge with the number of its sources.
 */
import { rmSync } from "node:fs"
import { Effect } from "effect"
import { grantPages, shapeOf } from "../fixtures/AccessData.ts"
import { knownCount, pagesOf, type Sources } from "../fixtures/OverlappingGrants.ts"
import * as Compaction from "../peers/Compaction.ts"
import { makeSync, type StoreKind, type StorePlace } from "../peers/SyncStores.ts"
import { requireWork } from "../Row.ts"
import type { Sample, Study, StudySeries } from "../Study.ts"

interface Transfer extends StudySeries {
  readonly kind: "compact" | "copy"
  readonly from: StoreKind
  readonly to: StoreKind
}

const transfer = (kind: Transfer["kind"], from: StoreKind, to: StoreKind): Transfer => {
  const isReference = kind === "copy"
  return { kind, from, to, isReference, name: `${isReference ? "row by row" : "compact"}, ${from} to ${to}` }
}

const transfers: ReadonlyArray<Transfer> = [
  transfer("compact", "sqlite", "sqlite"),
  transfer("compact", "sqlite", "lmdb"),
  transfer("compact", "lmdb", "sqlite"),
  transfer("compact", "lmdb", "lmdb"),
  transfer("compact", "pack", "sqlite"),
  transfer("copy", "sqlite", "sqlite"),
  transfer("copy", "sqlite", "lmdb")
]

/** The work into a base that is new each time, and the number of grants that must come of it. */
const sampleOf = (name: string, work: Compaction.Work, grantCount: number): Effect.Effect<Sample, unknown> => {
  const clear = Effect.sync(() => rmSync(work.base.path, { recursive: true, force: true }))
  return Effect.acquireUseRelease(
    clear,
    () =>
      Effect.tap(Compaction.run(work), (done) =>
        requireWork(name, "grants", { expected: grantCount, actual: done.grantCount })
      ),
    () => clear
  )
}

const bySize: Study = {
  name: "compactor-by-size",
  title: "Bringing one sync of grants into an empty store: time and memory against its size",
  notes: [
    "compact: Compactor.compact. row by row: RecordImport.fromReader, which reads every record and puts it.",
    "Each in a process of its own, from open stores to a durable, indexed sync. The resident set has pages of the",
    "files that LMDB maps, which the system may take back at any time."
  ],
  x: { label: "grants", steps: "thirds" },
  sizes: [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000],
  quickSizes: [1_000, 2_000],
  series: transfers.map(({ isReference, name }) => ({ name, ...(isReference === true ? { isReference } : {}) })),
  setup: Effect.fnUntraced(function* ({ directory, size }) {
    const places = new Map<StoreKind, StorePlace>()
    for (const kind of new Set(transfers.map(({ from }) => from))) {
      const place = { kind, path: `${directory}/source-${kind}` }
      yield* makeSync(place, grantPages(shapeOf(size)))
      places.set(kind, place)
    }
    return transfers.map(({ from, kind, name, to }) =>
      sampleOf(name, { kind, base: { kind: to, path: `${directory}/base` }, sources: [places.get(from)!] }, size)
    )
  })
}

interface Merging extends StudySeries {
  readonly kind: "merge" | "put"
  readonly overlap: Sources["overlap"]
  readonly from: StoreKind
  readonly to: StoreKind
}

const grantsPerSource = 20_000

const mergings: ReadonlyArray<Merging> = [
  { name: "merge, half known to each, sqlite", kind: "merge", overlap: "heavy", from: "sqlite", to: "sqlite" },
  { name: "merge, half known to each, lmdb", kind: "merge", overlap: "heavy", from: "lmdb", to: "lmdb" },
  { name: "merge, half known to each, packs to sqlite", kind: "merge", overlap: "heavy", from: "pack", to: "sqlite" },
  { name: "merge, no overlap, sqlite", kind: "merge", overlap: "none", from: "sqlite", to: "sqlite" },
  {
    name: "row by row, half known to each, sqlite",
    isReference: true,
    kind: "put",
    overlap: "heavy",
    from: "sqlite",
    to: "sqlite"
  },
  {
    name: "row by row, no overlap, sqlite",
    isReference: true,
    kind: "put",
    overlap: "none",
    from: "sqlite",
    to: "sqlite"
  }
]

const bySources: Study = {
  name: "compactor-by-sources",
  title: `Merging sources of ${grantsPerSource.toLocaleString("en-US")} grants each: time and memory against their number`,
  notes: [
    "merge: Compactor.merge. row by row: RecordStore.putResolved of every record of one source after the other.",
    "Each in a process of its own, from open sources to a durable, indexed sync. Half known to each: there are",
    "40,000 grants in all; no overlap: each grant is known to one source."
  ],
  x: { label: "sources", steps: "binary" },
  sizes: [2, 4, 8, 16, 32, 64],
  quickSizes: [2, 4],
  series: mergings.map(({ isReference, name }) => ({ name, ...(isReference === true ? { isReference } : {}) })),
  setup: Effect.fnUntraced(function* ({ directory, isQuick, size }) {
    const perSource = isQuick ? 1_000 : grantsPerSource
    const made = new Map<string, ReadonlyArray<StorePlace>>()
    for (const { from, overlap } of mergings) {
      const variant = `${overlap}-${from}`
      if (made.has(variant)) continue
      const places = Array.from({ length: size }, (_, source) => ({
        kind: from,
        path: `${directory}/${variant}-${source}`
      }))
      const sources: Sources = { sourceCount: size, grantsPerSource: perSource, overlap }
      for (const [source, place] of places.entries()) yield* makeSync(place, pagesOf(sources, source))
      made.set(variant, places)
    }
    return mergings.map(({ from, kind, name, overlap, to }) =>
      sampleOf(
        name,
        { kind, base: { kind: to, path: `${directory}/base` }, sources: made.get(`${overlap}-${from}`)! },
        knownCount({ sourceCount: size, grantsPerSource: perSource, overlap })
      )
    )
  })
}

export const compactorStudies: ReadonlyArray<Study> = [bySize, bySources]
