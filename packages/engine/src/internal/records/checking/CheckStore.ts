/** Checks a whole record store in one view: what it keeps about itself, what there is besides, then every sync. */
import { Effect } from "effect"
import type { EngineReadError } from "../../../Engine.ts"
import { layoutOf } from "../../../format/StoreSchema.ts"
import type { CheckOptions, CheckReport } from "../../../RecordCheck.ts"
import type { StoreView } from "../reading/ReadView.ts"
import { checkHeaders } from "./CheckHeaders.ts"
import * as CheckLog from "./CheckLog.ts"
import { checkRecords } from "./CheckRecords.ts"
import { checkRuns } from "./CheckRuns.ts"

/** `RecordReader.check`. */
export const checkStore: (view: StoreView, options: CheckOptions) => Effect.Effect<CheckReport, EngineReadError> =
  Effect.fnUntraced(function* (view, options) {
    const { reader, types } = view
    const { schema } = types
    const log = CheckLog.make(options)
    const syncs = yield* checkRuns(reader, log)
    yield* checkHeaders({ reader, log, schema, syncs })
    // As they are stored: an index that is not declared any more is there all the same.
    const layouts = schema.types.map((type) => layoutOf(type))
    for (const checked of syncs.values()) {
      for (const layout of layouts) yield* checkRecords({ view, log, layout, checked })
    }
    return CheckLog.reportOf(log)
  })
