/** One sync that is being filled: its run, its bookkeeping as far as it is written, and the keys of its rows. */
import { syncBytes, type TypeLayout } from "../../format/RecordLayout.ts"
import type { IndexState, SyncBook } from "../../format/StoreSchema.ts"
import type { SyncRun } from "../../SyncRun.ts"
import * as RecordKeys from "./RecordKeys.ts"

export interface SyncSession {
  /** As it is stored. */
  run: SyncRun
  readonly sync: Uint8Array
  /** Started by this open store: changes are collected. Otherwise each call is one atomic synced write. */
  readonly isFresh: boolean
  /** As they are stored. */
  indexes: IndexState
  counts: ReadonlyMap<string, number>
  /** By type tag. */
  readonly keysByTag: ReadonlyMap<number, RecordKeys.RecordKeys>
}

export const make = (run: SyncRun, book: SyncBook, isFresh: boolean, layouts: Iterable<TypeLayout>): SyncSession => {
  const sync = syncBytes(run.sync_id)
  const keysByTag = new Map<number, RecordKeys.RecordKeys>()
  for (const layout of layouts) keysByTag.set(layout.tag, RecordKeys.make(layout, sync))
  return { run, sync, isFresh, indexes: book.indexes, counts: new Map(Object.entries(book.counts)), keysByTag }
}

/** The bookkeeping of some counts. Types without records are left out. */
export const bookOf = (indexes: IndexState, counts: ReadonlyMap<string, number>): SyncBook => ({
  indexes,
  counts: Object.fromEntries([...counts].filter(([, count]) => count !== 0))
})
