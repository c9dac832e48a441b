/** How many records a sync has. */
import { Effect } from "effect"
import { headerOf, recordsKeyspace } from "../../../format/RecordLayout.ts"
import { isFinished } from "../../../SyncRun.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import type { SyncView } from "./ReadView.ts"

/**
 * By type name, each type that is stored or declared: as counted when the sync ended, else as far as they are written. Where a crash may have left the
 * count behind, the records are counted.
 */
export const readCounts: (view: SyncView) => Effect.Effect<Record<string, number>, BlockReads.BlockReadError> =
  Effect.fnUntraced(function* (view) {
    const { book, reader, run, sync, types } = view
    const kept = isFinished(run) ? run.counts : book.counts
    const counts: Record<string, number> = {}
    for (const { tag, type } of types.storedLayouts) {
      counts[type.name] =
        isFinished(run) || book.indexes === "complete"
          ? (kept[type.name] ?? 0)
          : yield* BlockReads.count(reader, recordsKeyspace, headerOf(tag, sync))
    }
    for (const { type } of types.layouts) counts[type.name] ??= 0
    return counts
  })
