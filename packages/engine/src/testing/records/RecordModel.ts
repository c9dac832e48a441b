/**
 * The plain thing that a record store must agree with: maps of records, sorted and filtered anew for every question.
 *
 * It knows nothing of keys as bytes, of blocks and of indexes that are kept: positions are compared part by part, as the values that
 * they are. Beside what a sync holds it knows what else a crash may leave of it.
 */
import type { SyncRun } from "../../SyncRun.ts"
import type { ModelIndex, ModelType } from "./ModelTypes.ts"

/** A record of any type. Never changed. */
export type ModelRecord = Readonly<Record<string, unknown>>

/** Records by {@link keyText}. */
export type ModelTable = Map<string, ModelRecord>

/** One sync. Tables are by the name of their type. */
export interface ModelSync {
  readonly run: SyncRun
  readonly tables: ReadonlyMap<string, ModelTable>
  /** By type and key: what the record was since the last moment that was durable; undefined for none. */
  readonly former: ReadonlyMap<string, Map<string, Array<ModelRecord | undefined>>>
  /** A crash came before it was ended, and nobody has resumed it. */
  readonly mayBeBehind: boolean
}

/** Syncs by their ids. */
export type RecordModel = Map<string, ModelSync>

/** A whole store. */
export interface ModelStore {
  readonly syncs: RecordModel
  /** The current sync. */
  current: string | undefined
  /** It was started by the store that is open, so what is put is durable later. */
  isFresh: boolean
}

/** What is listed. */
export interface ModelListing {
  readonly type: ModelType
  /** Default: the primary key. */
  readonly index?: string | undefined
  readonly prefix?: Readonly<Record<string, unknown>> | undefined
  readonly filter?: ((record: ModelRecord) => boolean) | undefined
}

export const emptySync = (run: SyncRun, types: ReadonlyArray<ModelType>): ModelSync => ({
  run,
  tables: new Map(types.map(({ type }) => [type.name, new Map()])),
  former: new Map(types.map(({ type }) => [type.name, new Map()])),
  mayBeBehind: false
})

/** A copy that changes by itself. */
export const copyStore = ({ current, isFresh, syncs }: ModelStore): ModelStore => ({
  current,
  isFresh,
  syncs: new Map(
    [...syncs].map(([id, { former, mayBeBehind, run, tables }]) => [
      id,
      {
        run,
        mayBeBehind,
        tables: new Map([...tables].map(([name, table]) => [name, new Map(table)])),
        former: new Map(
          [...former].map(([name, keys]) => [name, new Map([...keys].map(([key, values]) => [key, [...values]]))])
        )
      }
    ])
  )
})

/** The current sync. There is one. */
export const currentOf = ({ current, syncs }: ModelStore): ModelSync => syncs.get(current!)!

/** Sets a record of the current sync, or removes it. */
export const setRecord = (store: ModelStore, type: ModelType, key: string, record: ModelRecord | undefined): void => {
  const { former, tables } = currentOf(store)
  const table = tables.get(type.type.name)!
  if (store.isFresh) {
    const keys = former.get(type.type.name)!
    const values = keys.get(key)
    if (values === undefined) keys.set(key, [table.get(key)])
    else values.push(table.get(key))
  }
  if (record === undefined) table.delete(key)
  else table.set(key, record)
}

/** Everything that the current sync holds is durable. */
export const settle = ({ current, syncs }: ModelStore): void => {
  if (current !== undefined) for (const keys of syncs.get(current)!.former.values()) keys.clear()
}

/** Records by type name. */
export const countsOf = (sync: ModelSync): Readonly<Record<string, number>> =>
  Object.fromEntries([...sync.tables].map(([name, table]) => [name, table.size]))

/** The counts as a run keeps them: without the types that have no records. */
export const runCountsOf = (sync: ModelSync): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(countsOf(sync)).filter(([, count]) => count > 0))

/** Runs in the order of their ids. */
export const runsOf = (model: RecordModel): ReadonlyArray<SyncRun> =>
  [...model.keys()].sort().map((id) => model.get(id)!.run)

/** The run that ended last, the greatest id of those that ended at once. */
export const latestFinished = (model: RecordModel, syncType?: string): SyncRun | undefined =>
  runsOf(model)
    .filter(({ ended_at, type }) => ended_at !== undefined && (syncType === undefined || type === syncType))
    .sort((left, right) => left.ended_at! - right.ended_at!)
    .at(-1)

/** The records of a listing in its order. */
export const listed = (sync: ModelSync, listing: ModelListing): ReadonlyArray<ModelRecord> => {
  const { filter, index, prefix = {}, type } = listing
  const wanted = Object.entries(prefix).map(([path, value]) => [path, partOf(value)] as const)
  return [...sync.tables.get(type.type.name)!.values()]
    .filter((record) => index === undefined || hasEntry(record, type.indexes[index]!))
    .filter((record) => wanted.every(([path, part]) => comparePart(partOf(valueAt(record, path)), part) === 0))
    .filter((record) => filter === undefined || filter(record))
    .map((record) => ({ record, position: positionOf({ type, index }, record) }))
    .sort((left, right) => comparePositions(left.position, right.position))
    .map(({ record }) => record)
}

/** Where a record stands in a listing: the parts of the index, then those of the primary key. */
export type Position = ReadonlyArray<Part>

type Part = Buffer | number | bigint

export const positionOf = ({ index, type }: Pick<ModelListing, "index" | "type">, record: ModelRecord): Position => [
  ...(index === undefined ? [] : type.indexes[index]!.paths.map((path) => partOf(valueAt(record, path)))),
  ...type.primaryKey.map((path) => partOf(valueAt(record, path)))
]

/** How two positions of one listing stand to each other. */
export const comparePositions = (left: Position, right: Position): number => {
  for (const [at, part] of left.entries()) {
    const order = comparePart(part, right[at]!)
    if (order !== 0) return order
  }
  return 0
}

/** Whether the record has an entry in the index. */
const hasEntry = (record: ModelRecord, { paths, where }: ModelIndex): boolean =>
  paths.every((path) => valueAt(record, path) !== undefined) &&
  (where === undefined || valueAt(record, where.path) === where.equals)

/** Index entries of all syncs. */
export const entryCountOf = (model: RecordModel, types: ReadonlyArray<ModelType>): number => {
  let count = 0
  for (const { tables } of model.values())
    for (const { indexes, type } of types)
      for (const record of tables.get(type.name)!.values())
        for (const index of Object.values(indexes)) if (hasEntry(record, index)) count++
  return count
}

/** The object that names a record. */
export const keyOf = ({ primaryKey }: ModelType, record: ModelRecord): ModelRecord =>
  Object.fromEntries(primaryKey.map((path) => [path, valueAt(record, path)]))

/** A text that no other key of the type has. */
export const keyText = (type: ModelType, record: ModelRecord): string => describe(keyOf(type, record))

/** The field at a dotted path; undefined when it or what it is in is absent. */
export const valueAt = (record: unknown, path: string): unknown => {
  if (!path.includes(".")) return (record as ModelRecord)[path]
  let value = record
  for (const name of path.split(".")) {
    if (value === undefined || value === null) return undefined
    value = (value as ModelRecord)[name]
  }
  return value
}

/** What orders a value among those of its kind: strings by their UTF-8, bytes as they are, everything else as a number. */
const partOf = (value: unknown): Part => {
  if (typeof value === "string") return Buffer.from(value)
  if (value instanceof Uint8Array) return Buffer.from(value)
  if (typeof value === "bigint" || typeof value === "number") return value
  return value instanceof Date ? value.getTime() : value === undefined ? Number.NaN : Number(value)
}

const comparePart = (left: Part, right: Part): number =>
  Buffer.isBuffer(left) && Buffer.isBuffer(right)
    ? Buffer.compare(left, right)
    : left < right
      ? -1
      : left === right
        ? 0
        : 1

/** Whether two values are the same; a property that is undefined is as one that is absent. */
export const isSame = (left: unknown, right: unknown): boolean => {
  if (left === right) return true
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false
  if (Array.isArray(left) !== Array.isArray(right) || left instanceof Date !== right instanceof Date) return false
  if (left instanceof Date) return left.getTime() === (right as Date).getTime()
  if (left instanceof Uint8Array || right instanceof Uint8Array)
    return left instanceof Uint8Array && right instanceof Uint8Array && Buffer.compare(left, right) === 0
  const [first, second] = [left as ModelRecord, right as ModelRecord]
  for (const name in first) if (!isSame(first[name], second[name])) return false
  for (const name in second) if (first[name] === undefined && second[name] !== undefined) return false
  return true
}

/** A value as text, the same for values that are the same. */
export const describe = (value: unknown): string => {
  if (value === undefined) return "none"
  if (typeof value === "bigint") return `${value}n`
  if (value instanceof Date) return `date ${value.getTime()}`
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString("hex")}`
  if (Array.isArray(value)) return `[${value.map(describe).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const record = value as ModelRecord
  const names = Object.keys(record).filter((name) => record[name] !== undefined)
  return `{${names
    .sort()
    .map((name) => `${JSON.stringify(name)}:${describe(record[name])}`)
    .join(",")}}`
}
