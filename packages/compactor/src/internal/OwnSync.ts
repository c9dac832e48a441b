/** The sync that a call fills. */
import type { RecordStore, SyncRun } from "@icecore/engine"
import { Effect, Option } from "effect"
import { CompactRefused, type Operation } from "../CompactorError.ts"

/** Nobody can leave an exclusive sync, but remove it and start another, which would get the records of the call. */
export const requireCurrent = (
  operation: Operation,
  { currentSync, path }: RecordStore.RecordStore,
  sync: SyncRun.SyncId
): Effect.Effect<void, CompactRefused> =>
  Effect.flatMap(currentSync, (current) =>
    Option.isSome(current) && current.value.sync_id === sync
      ? Effect.void
      : Effect.fail(
          new CompactRefused({
            operation,
            base: path,
            detail: `its current sync is not ${sync}, which the ${operation} fills: somebody removed it`
          })
        )
  )
