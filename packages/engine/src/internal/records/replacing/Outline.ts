/** Reads what one store has of a sync. */
import { Effect } from "effect"
import type { RecordReadError } from "../../../RecordReader.ts"
import type { OutlineOptions, SyncOutline } from "../../../SyncTransfer.ts"

export const readOutline: (options: OutlineOptions) => Effect.Effect<SyncOutline, RecordReadError> = () =>
  Effect.die("not yet")
