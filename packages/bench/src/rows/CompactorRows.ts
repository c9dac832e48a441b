/**
 * The compactor beside the same record by record through the ports, each side in a process of its own.
 */
import { rmSync } from "node:fs"
import { Ksuid } from "@icecore/codec"
import { Effect } from "effect"
import { grantPages, shapeOf } from "../fixtures/AccessData.ts"
import { knownCount, pagesOf, type Sources } from "../fixtures/OverlappingGrants.ts"
import * as Compaction from "../peers/Compaction.ts"
import { makeSync, type StoreKind, type StorePlace } from "../peers/SyncStores.ts"
import { type Contender, type Figures, type Row, requireWork } from "../Row.ts"

interface Side {
  readonly work: Effect.Effect<Compaction.Work>
  /** Before each round. */
  readonly prepare?: Effect.Effect<unknown, unknown>
  /** Grants that the sync must have then. */
  readonly grantCount: number
}

const contenderOf = (row: string, { grantCount, prepare, work }: Side): Contender => {
  let last: Compaction.Seen | undefined
  return {
    ...(prepare === undefined ? {} : { prepare }),
    run: Effect.gen(function* () {
      last = yield* Compaction.run(yield* work)
      yield* requireWork(row, "grants", { expected: grantCount, actual: last.grantCount })
    }),
    seconds: Effect.sync(() => last!.seconds),
    peakBytes: Effect.sync(() => last!.peakBytes),
    figures: Effect.sync(
      (): Figures => ({
        "processor s": last!.processorSeconds,
        "peak MB": last!.peakBytes / 1e6,
        "without pages of files MB": last!.ownPeakBytes / 1e6
      })
    )
  }
}

/** A base that is not there yet, at each round. */
const freshBase = (kind: StoreKind, path: string) => ({
  base: { kind, path },
  prepare: Effect.sync(() => rmSync(path, { recursive: true, force: true }))
})

const compactRow = (from: StoreKind, to: StoreKind): Row => {
  const name = `compactor/compact/${from}-${to}`
  return {
    name,
    work: `bring a sync of a million grants from ${from} into an empty store on ${to}, atomically`,
    reference: "RecordImport.fromReader: every record read and put",
    unit: "grants",
    targets: [{ kind: "time", atMost: 0.5 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const shape = shapeOf(isQuick ? 20_000 : 1_000_000)
      const source: StorePlace = { kind: from, path: `${directory}/source` }
      yield* makeSync(source, grantPages(shape))
      const contender = (kind: "compact" | "copy"): Contender => {
        const { base, prepare } = freshBase(to, `${directory}/base-${kind}`)
        const work: Compaction.Work = { kind, base, sources: [source] }
        return contenderOf(name, { work: Effect.succeed(work), prepare, grantCount: shape.grantCount })
      }
      return { unitsPerRound: shape.grantCount, subject: contender("compact"), reference: contender("copy") }
    })
  }
}

/** Two versions of one sync take turns, so that the base always has the other one. */
const replaceRow = (kind: "sqlite" | "lmdb"): Row => {
  const name = `compactor/replace/${kind}`
  return {
    name,
    work: `replace a sync of a million grants by another version of it, in which half are others, on ${kind}, atomically`,
    reference: "RecordStore.removeSync and RecordImport.fromReader, not atomic",
    unit: "grants",
    targets: [],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const sources: Sources = { sourceCount: 2, grantsPerSource: isQuick ? 20_000 : 1_000_000, overlap: "heavy" }
      const syncId = yield* Ksuid.make
      const versions = [0, 1].map((version): StorePlace => ({ kind, path: `${directory}/version-${version}` }))
      for (const [version, place] of versions.entries()) yield* makeSync(place, pagesOf(sources, version), { syncId })
      const contender = (work: "compact" | "copy"): Contender => {
        let round = 0
        return contenderOf(name, {
          work: Effect.sync(() => ({
            kind: work,
            base: { kind, path: `${directory}/base-${work}` },
            sources: [versions[round++ % 2]!]
          })),
          grantCount: sources.grantsPerSource
        })
      }
      return { unitsPerRound: sources.grantsPerSource, subject: contender("compact"), reference: contender("copy") }
    })
  }
}

const mergeRow = (from: StoreKind, to: StoreKind): Row => {
  const name = `compactor/merge/${from}-${to}`
  return {
    name,
    work: `merge 64 syncs of 20,000 grants, of 40,000 in all, from ${from} into a new one on ${to}`,
    reference: "RecordStore.putResolved of every record of one source after the other",
    unit: "grants",
    targets: [{ kind: "memory", atMostBytes: 200_000_000 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const sources: Sources = {
        sourceCount: isQuick ? 4 : 64,
        grantsPerSource: isQuick ? 2_000 : 20_000,
        overlap: "heavy"
      }
      const places = Array.from(
        { length: sources.sourceCount },
        (_, source): StorePlace => ({
          kind: from,
          path: `${directory}/source-${source}`
        })
      )
      for (const [source, place] of places.entries()) yield* makeSync(place, pagesOf(sources, source))
      const grantCount = knownCount(sources)
      const contender = (kind: "merge" | "put"): Contender => {
        const { base, prepare } = freshBase(to, `${directory}/base-${kind}`)
        return contenderOf(name, { work: Effect.succeed({ kind, base, sources: places }), prepare, grantCount })
      }
      return {
        unitsPerRound: sources.sourceCount * sources.grantsPerSource,
        subject: contender("merge"),
        reference: contender("put")
      }
    })
  }
}

export const compactorRows: ReadonlyArray<Row> = [
  compactRow("sqlite", "lmdb"),
  compactRow("lmdb", "sqlite"),
  compactRow("sqlite", "sqlite"),
  compactRow("lmdb", "lmdb"),
  compactRow("pack", "sqlite"),
  compactRow("pack", "lmdb"),
  replaceRow("sqlite"),
  replaceRow("lmdb"),
  mergeRow("sqlite", "sqlite"),
  mergeRow("lmdb", "lmdb"),
  mergeRow("pack", "sqlite")
]
