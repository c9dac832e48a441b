/** One sync that is being filled: its run, its bookkeeping as far as it is written, and the keys of its rows. */
import { syncBytes, type TypeLayout } from "../../../format/RecordLayout.ts"
import type { IndexState, SyncBook } from "../../../format/StoreSchema.ts"
import type { SyncRun } from "../../../SyncRun.ts"
import type { EntryRuns } from "./EntryRuns.ts"
import * as RecordKeys from "./RecordKeys.ts"

export interface SyncSession {
  /** As it is stored. */
  run: SyncRun
  readonly sync: Uint8Array
  /** Started by this open store: changes are collected. Otherwise each call is one atomic synced write. */
  readonly isFresh: boolean
  /** No other sync may become current before this one has ended or is removed. */
  readonly isExclusive: boolean
  /** As they are stored. */
  indexes: IndexState
  counts: ReadonlyMap<string, number>
  /** By type tag. */
  readonly keysByTag: ReadonlyMap<number, RecordKeys.RecordKeys>
  /** The entries are to be made anew from the records: some may be missing or be of records that are gone. */
  mustRebuild: boolean
  /** Entries that were written aside. */
  readonly runs: EntryRuns
  /** Tags of the indexes whose entries go into runs: as long as there are any, all do. */
  readonly sparseTags: Set<number>
  /** By index tag: the fewest bytes of blocks that an entry took. */
  readonly entryBytes: Map<number, number>
}

export const make = (
  run: SyncRun,
  book: SyncBook,
  layouts: Iterable<TypeLayout>,
  { isExclusive = false, isFresh }: { readonly isFresh: boolean; readonly isExclusive?: boolean }
): SyncSession => {
  const sync = syncBytes(run.sync_id)
  const keysByTag = new Map<number, RecordKeys.RecordKeys>()
  for (const layout of layouts) keysByTag.set(layout.tag, RecordKeys.make(layout, sync))
  return {
    run,
    sync,
    isFresh,
    isExclusive,
    indexes: book.indexes,
    counts: new Map(Object.entries(book.counts)),
    keysByTag,
    mustRebuild: book.indexes === "behind",
    runs: { sync, chunkCounts: [] },
    sparseTags: new Set(),
    entryBytes: new Map()
  }
}

/** Blocks that take this many times the bytes of the entries that came are rewritten for few of them. */
const sparseFactor = 2.5

/** Takes note of the bytes of blocks that each of some entries took, and has those of its index go into runs when they are many. */
export const noteDensity = ({ entryBytes, sparseTags }: SyncSession, tag: number, bytes: number): void => {
  const fewest = Math.min(entryBytes.get(tag) ?? bytes, bytes)
  entryBytes.set(tag, fewest)
  if (bytes > sparseFactor * fewest) sparseTags.add(tag)
}

/** The bookkeeping of some counts. Types without records are left out. */
export const bookOf = (indexes: IndexState, counts: ReadonlyMap<string, number>): SyncBook => ({
  indexes,
  counts: Object.fromEntries([...counts].filter(([, count]) => count !== 0))
})
