/** The sync that a call fills. */
import type { RecordStore, SyncRun } from "@icecore/engine"
import { Effect, Option } from "effect"
import { CompactRefused, type Operation } from "../CompactorError.ts"

/** Whoever makes another sync current while a call fills its own would get its records. */
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
            detail: `its current sync is not ${sync}, which the ${operation} fills: somebody made another one current, or removed it`
          })
        )
  )
