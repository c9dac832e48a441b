/** The pure plan of a transfer: which ranges, in which order, and from where. */
import { Result } from "effect"
import { isSameIndex } from "../../../format/StoreSchema.ts"
import { RecordTypeChanged, RecordTypeUnknown, SyncNotFound, SyncUnfinished } from "../../../RecordError.ts"
import * as RecordType from "../../../RecordType.ts"
import { isFinished, SyncRun } from "../../../SyncRun.ts"
import type {
  PlanError,
  PlanOptions,
  SyncOutline,
  TransferAction,
  TransferPlan,
  TransferStep,
  TypeOutline
} from "../../../SyncTransfer.ts"
import { contradiction } from "../opening/SchemaPlan.ts"

export const makePlan = (
  base: SyncOutline,
  source: SyncOutline,
  { unfinished = "refuse" }: PlanOptions = {}
): Result.Result<TransferPlan, PlanError> => {
  const { path, run, sync } = source
  if (run === undefined) return Result.fail(new SyncNotFound({ path, sync }))
  if (unfinished === "refuse" && !isFinished(run)) return Result.fail(new SyncUnfinished({ path, sync }))
  const refused = refusedType(base, source)
  if (refused !== undefined) return Result.fail(refused)
  const steps = [...recordSteps(base, source), ...entrySteps(base, source, run), ...runSteps(base, run)]
  let rows = 0
  let bytes = 0
  for (const step of steps) {
    rows += step.sourceRows
    bytes += step.bytes
  }
  return Result.succeed({ sync, run, steps, rows, bytes })
}

/** The first type of which there are records that the base cannot have. */
const refusedType = (base: SyncOutline, source: SyncOutline): RecordTypeUnknown | RecordTypeChanged | undefined => {
  const { path } = base
  for (const { recordCount, type } of source.types) {
    if (recordCount === 0) continue
    const own = typeIn(base, type.name)
    if (own === undefined) return new RecordTypeUnknown({ path, type: type.name })
    const problem = contradiction(RecordType.describe(type), own.type)
    if (problem === undefined) continue
    return new RecordTypeChanged({ path, type: type.name, detail: `${problem} in ${source.path}` })
  }
  return undefined
}

const recordSteps = (base: SyncOutline, source: SyncOutline): ReadonlyArray<TransferStep> =>
  byName(base.types).flatMap(({ recordCount: baseRows, type }): ReadonlyArray<TransferStep> => {
    const coming = typeIn(source, type.name)
    const sourceRows = coming?.recordCount ?? 0
    if (sourceRows + baseRows === 0) return []
    const bytes = Math.ceil(sourceRows * (coming?.recordBytes ?? 0))
    const action = sourceRows > 0 ? "copy" : "remove"
    return [{ keyspace: "records", type: type.name, action, sourceRows, baseRows, bytes }]
  })

const entrySteps = (base: SyncOutline, source: SyncOutline, run: SyncRun): ReadonlyArray<TransferStep> =>
  byName(base.types).flatMap((own) =>
    [...own.indexes].sort().flatMap((index): ReadonlyArray<TransferStep> => {
      const coming = typeIn(source, own.type.name)
      const action = entryAction(own, coming, index, source.isBehind, isFinished(run))
      // What it would have of an index that is only built is not known.
      const entries = action === "copy" && coming !== undefined ? entriesOf(coming, index) : coming?.recordCount
      const sourceRows = action === "remove" ? 0 : (entries ?? 0)
      if (own.recordCount + (action === "remove" ? 0 : (coming?.recordCount ?? 0)) === 0) return []
      const known = action === "copy" ? coming?.entryBytes[index] : own.entryBytes[index]
      const bytes = Math.ceil(sourceRows * (known || coming?.recordBytes || 0))
      const baseRows = entriesOf(own, index)
      return [{ keyspace: "indexes", type: own.type.name, index, action, sourceRows, baseRows, bytes }]
    })
  )

const entriesOf = ({ entryCounts, recordCount }: TypeOutline, index: string): number =>
  entryCounts?.[index] ?? recordCount

const entryAction = (
  own: TypeOutline,
  coming: TypeOutline | undefined,
  index: string,
  isBehind: boolean,
  isEnded: boolean
): TransferAction => {
  if (coming === undefined || coming.recordCount === 0) return "remove"
  if (isBehind) return isEnded ? "build" : "remove"
  const declared = own.type.indexes[index]!
  const isThere = coming.indexes.includes(index) && isSameIndex(declared, coming.type.indexes[index])
  return isThere ? "copy" : "build"
}

const runSteps = (base: SyncOutline, run: SyncRun): ReadonlyArray<TransferStep> => {
  const baseRows = base.run === undefined ? 0 : 1
  const bytes = SyncRun.codec.encodeUnsafe(run).length
  return [
    { keyspace: "syncs", action: "copy", sourceRows: 1, baseRows, bytes },
    { keyspace: "meta", action: "copy", sourceRows: 1, baseRows, bytes: 0 }
  ]
}

const typeIn = ({ types }: SyncOutline, name: string): TypeOutline | undefined =>
  types.find(({ type }) => type.name === name)

const byName = (types: ReadonlyArray<TypeOutline>): ReadonlyArray<TypeOutline> =>
  [...types].sort((left, right) => (left.type.name < right.type.name ? -1 : 1))
