/** One moment of one sync: what every read of records begins with. */
import { Effect, Option, Result } from "effect"
import type { Reader } from "../../../Engine.ts"
import { metaKeyspace, syncBookKey, syncBytes } from "../../../format/RecordLayout.ts"
import { decodeSyncBook, type SyncBook } from "../../../format/StoreSchema.ts"
import { NoFinishedSync, StoreCorrupt, SyncNotFound } from "../../../RecordError.ts"
import type { SyncId, SyncRun } from "../../../SyncRun.ts"
import type { BlockReadError } from "../blocks/BlockReads.ts"
import { latestFinished, type RunReadError, readRun, readRuns } from "./RunReads.ts"
import type { StoreTypes } from "./StoreTypes.ts"

/** A moment of the whole store. */
export interface StoreView {
  readonly reader: Reader
  readonly path: string
  readonly types: StoreTypes
  /** What was read of syncs before, at this moment. */
  readonly memo?: ViewMemo
}

/** The beginnings of views of one moment, which most reads have in common. Grows with the runs of the store, until it changes. */
export interface ViewMemo {
  moment: object | undefined
  /** By sync, or by what was asked for instead of one. */
  readonly syncs: Map<string, SyncPart>
}

export const makeMemo = (): ViewMemo => ({ moment: undefined, syncs: new Map() })

type SyncPart = Omit<SyncView, keyof StoreView>

/** A moment of one sync. */
export interface SyncView extends StoreView {
  readonly run: SyncRun
  /** The 20 bytes of its id. */
  readonly sync: Uint8Array
  readonly book: SyncBook
}

/** What reading a view can fail with. */
export type ViewError = BlockReadError | RunReadError | SyncNotFound | NoFinishedSync

/** The named sync, or the latest finished one, of one type or of any. */
export const syncView: (
  view: StoreView,
  sync: SyncId | undefined,
  syncType?: string
) => Effect.Effect<SyncView, ViewError> = Effect.fnUntraced(function* (view, sync, syncType) {
  const name = sync === undefined ? `latest/${syncType ?? ""}` : `sync/${sync}`
  const known = recall(view, name)
  if (known !== undefined) return { ...view, ...known }
  const run = sync === undefined ? yield* latestRun(view, syncType) : yield* namedRun(view, sync)
  const bytes = syncBytes(run.sync_id)
  const part: SyncPart = { run, sync: bytes, book: yield* readBook(view, bytes) }
  remember(view, name, part)
  return { ...view, ...part }
})

const recall = ({ memo, reader }: StoreView, name: string): SyncPart | undefined =>
  memo === undefined || reader.moment === undefined || memo.moment !== reader.moment ? undefined : memo.syncs.get(name)

const remember = ({ memo, reader }: StoreView, name: string, part: SyncPart): void => {
  if (memo === undefined || reader.moment === undefined) return
  if (memo.moment !== reader.moment) {
    memo.syncs.clear()
    memo.moment = reader.moment
  }
  memo.syncs.set(name, part)
}

const namedRun = Effect.fnUntraced(function* (
  { path, reader }: StoreView,
  sync: SyncId
): Effect.fn.Return<SyncRun, RunReadError | SyncNotFound> {
  const run = yield* readRun(reader, path, sync)
  return Option.isSome(run) ? run.value : yield* new SyncNotFound({ path, sync })
})

const latestRun = Effect.fnUntraced(function* (
  { path, reader }: StoreView,
  syncType: string | undefined
): Effect.fn.Return<SyncRun, RunReadError | NoFinishedSync> {
  const run = latestFinished(yield* readRuns(reader, path), syncType)
  if (Option.isSome(run)) return run.value
  return yield* new NoFinishedSync({ path, ...(syncType === undefined ? {} : { syncType }) })
})

const readBook = Effect.fnUntraced(function* (
  { path, reader }: StoreView,
  sync: Uint8Array
): Effect.fn.Return<SyncBook, RunReadError> {
  const bytes = yield* reader.get(metaKeyspace, syncBookKey(sync))
  const book = Option.isNone(bytes) ? Result.fail("it is missing") : decodeSyncBook(bytes.value)
  if (Result.isSuccess(book)) return book.success
  return yield* new StoreCorrupt({ path, part: "bookkeeping", detail: book.failure })
})
