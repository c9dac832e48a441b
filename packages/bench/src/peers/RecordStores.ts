/**
 * A record store of grants beside plain SQLite, each doing what a connector's run asks for: filled in pages, ended, made into one file.
 *
 * Making the pages is not the work of either: it is timed apart and taken off.
 */
import { mkdirSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { Archive, type Engine, RecordStore, type SyncExists } from "@icecore/engine"
import { Grant, types } from "@icecore/engine/access"
import { LiveDisk } from "@icecore/packfile/live"
import { Clock, Effect, Layer, type Scope } from "effect"
import { type AccessShape, type GrantItem, grantPages } from "../fixtures/AccessData.ts"
import { openPlainGrants, type PlainGrants } from "./PlainGrants.ts"
import * as Program from "./Program.ts"

/** What saving and opening archives needs. */
export const archiveServices: Layer.Layer<Archive.ArchiveServices, ZstdLive.ZstdUnavailable> = Layer.mergeAll(
  LiveDisk.layer,
  ZstdLive.layer,
  ZstdStreamLive.layer
)

/** Seconds and bytes of one filling. */
export interface Filled {
  /** Without the making of the pages. */
  readonly seconds: number
  readonly databaseBytes: number
  readonly archiveBytes: number
}

/** The store of a directory, open for the scope. */
export const openStore = (
  directory: string
): Effect.Effect<RecordStore.RecordStore, RecordStore.RecordOpenError, Engine | Scope.Scope> =>
  RecordStore.open({ path: `${directory}/store`, types })

/** Plain SQLite in a directory, open for the scope. */
export const openPlain = (directory: string): Effect.Effect<PlainGrants, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(directory, { recursive: true })
      return openPlainGrants(`${directory}/plain.sqlite`)
    }),
    (plain) => Effect.sync(() => plain.close())
  )

/** Puts all grants into a sync of its own, and ends it. Returns the seconds, without those of making the pages. */
export const fill: (
  store: RecordStore.RecordStore,
  shape: AccessShape
) => Effect.Effect<number, RecordStore.RecordPutError | SyncExists> = Effect.fnUntraced(function* (
  store: RecordStore.RecordStore,
  shape: AccessShape
) {
  const pages = timed(grantPages(shape))
  const start = yield* Clock.currentTimeNanos
  yield* store.startSync({ type: "full" })
  let page = pages.next()
  yield* Effect.whileLoop({
    while: () => page !== undefined,
    body: () => store.put(Grant, page!),
    step: () => {
      page = pages.next()
    }
  })
  yield* store.endSync()
  return Number((yield* Clock.currentTimeNanos) - start) / 1e9 - pages.seconds()
})

/** The same into plain SQLite. */
export const fillPlain = (plain: PlainGrants, shape: AccessShape): number => {
  const pages = timed(grantPages(shape))
  const start = performance.now()
  plain.startSync()
  for (let page = pages.next(); page !== undefined; page = pages.next()) plain.put(page)
  plain.endSync()
  return (performance.now() - start) / 1_000 - pages.seconds()
}

/** Fills a store, and saves it as an archive that is read in place. */
export const fillAndSave: (
  store: RecordStore.RecordStore,
  directory: string,
  shape: AccessShape
) => Effect.Effect<
  Filled,
  RecordStore.RecordPutError | SyncExists | Archive.SaveError,
  Archive.ArchiveServices | Engine
> = Effect.fnUntraced(function* (store: RecordStore.RecordStore, directory: string, shape: AccessShape) {
  const seconds = yield* fill(store, shape)
  const start = performance.now()
  const { sizeBytes } = yield* Archive.save({
    source: yield* Archive.sourceOf(store),
    path: `${directory}/store.icearch`
  })
  const filled: Filled = {
    seconds: seconds + (performance.now() - start) / 1_000,
    databaseBytes: directoryBytes(`${directory}/store`),
    archiveBytes: sizeBytes
  }
  return filled
})

/** Fills plain SQLite, and compresses a copy of the file. */
export const fillAndCompress: (
  plain: PlainGrants,
  directory: string,
  shape: AccessShape
) => Effect.Effect<Filled, Program.ProgramFailed> = Effect.fnUntraced(function* (
  plain: PlainGrants,
  directory: string,
  shape: AccessShape
) {
  const seconds = fillPlain(plain, shape)
  const start = performance.now()
  const copy = `${directory}/copy.sqlite`
  plain.copyTo(copy)
  yield* Program.output("zstd", ["-3", "-T0", "-q", "-o", `${copy}.zst`, copy])
  const filled: Filled = {
    seconds: seconds + (performance.now() - start) / 1_000,
    databaseBytes: statSync(`${directory}/plain.sqlite`).size,
    archiveBytes: statSync(`${copy}.zst`).size
  }
  return filled
})

/** Pages, and how long it took to make them. */
const timed = (pages: Generator<ReadonlyArray<GrantItem>>) => {
  let millis = 0
  return {
    next: (): ReadonlyArray<GrantItem> | undefined => {
      const start = performance.now()
      const { done, value } = pages.next()
      millis += performance.now() - start
      return done === true ? undefined : value
    },
    seconds: () => millis / 1_000
  }
}

const directoryBytes = (directory: string): number =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
