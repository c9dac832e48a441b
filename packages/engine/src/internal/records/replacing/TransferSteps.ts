/** The pure plan of a transfer. */
import type { Result } from "effect"
import type { PlanError, PlanOptions, SyncOutline, TransferPlan } from "../../../SyncTransfer.ts"

export const makePlan = (
  _base: SyncOutline,
  _source: SyncOutline,
  _options: PlanOptions = {}
): Result.Result<TransferPlan, PlanError> => {
  throw new Error("not yet")
}
