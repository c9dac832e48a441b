/**
 * Records as tables: the key first, then every field in which a record of the first page has something.
 */
import { RecordNdjson, type RecordType, SyncChange } from "@icecore/engine"
import { Effect, Result } from "effect"
import * as Table from "../Table.ts"
import * as KeyText from "./KeyText.ts"
import { RecordArgumentInvalid } from "./RecordArguments.ts"

/** Columns of a terminal that a cell takes, unless all of it is asked for. */
const cellColumns = 40

type JsonRecord = Readonly<Record<string, unknown>>

export interface Options {
  /** The columns; those that the first records need when empty. */
  readonly fields: ReadonlyArray<string>
  /** Shows values in all their length. */
  readonly wide: boolean
  /** The types that there are, by which changes show the keys of their records. */
  readonly types: ReadonlyArray<RecordType.Any>
}

export interface RecordTable {
  readonly header: string
  readonly row: (record: object) => string
}

/** A table for records of the type, with columns and widths as these first ones need. */
export const make = (type: RecordType.Any, sample: ReadonlyArray<object>, options: Options): RecordTable => {
  const rowOf = (record: object): JsonRecord => shownRow(type, options.types, record)
  const rows = sample.map(rowOf)
  const fields = options.fields.length > 0 ? options.fields : fieldsWithValues(type, rows)
  const cellsOf = (row: JsonRecord): ReadonlyArray<string> => fields.map((field) => cellOf(type, field, row[field]))
  const columns = fields.map((name): Table.Column => ({ name, align: isNumber(type, name) ? "right" : "left" }))
  const table = Table.make(columns, rows.map(cellsOf), options.wide ? {} : { maxCellColumns: cellColumns })
  return { header: table.header, row: (record) => table.row(cellsOf(rowOf(record))) }
}

/** A record as JSON, but what a change names as it is shown elsewhere: the parts of the key instead of its bytes. */
const shownRow = (type: RecordType.Any, types: ReadonlyArray<RecordType.Any>, record: object): JsonRecord => {
  const row: JsonRecord = RecordNdjson.toJson(type, record)
  if (type.name !== SyncChange.SyncChange.name) return row
  const { record_key: bytes, record_type: name } = record as SyncChange.SyncChange
  const changed = types.find((each) => each.name === name)
  if (changed === undefined || !(bytes instanceof Uint8Array)) return row
  return Result.match(SyncChange.keyOf(changed, { record_type: name, record_key: bytes }), {
    onFailure: () => row,
    onSuccess: (key) => ({ ...row, record_key: KeyText.partsOf(changed, key).join(" ") })
  })
}

/** The fields of a key, and then the others in their order. */
const orderedFields = (type: RecordType.Any): ReadonlyArray<string> => [
  ...new Set([...type.keyParts.map(({ path }) => path[0]!), ...type.shape.fields.map(({ name }) => name)])
]

const fieldsWithValues = (type: RecordType.Any, rows: ReadonlyArray<JsonRecord>): ReadonlyArray<string> => {
  const isKey = new Set(type.keyParts.map(({ path }) => path[0]))
  return orderedFields(type).filter((field) => isKey.has(field) || rows.some((row) => !isEmpty(row[field])))
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === "" ||
  (typeof value === "object" && Object.keys(value).length === 0)

const isNumber = (type: RecordType.Any, field: string): boolean => {
  const shape = type.shape.fields.find(({ name }) => name === field)?.shape
  const kind = shape?.kind === "nullable" ? shape.value.kind : shape?.kind
  return (kind === "int" || kind === "bigint" || kind === "number") && field !== type.recency
}

const cellOf = (type: RecordType.Any, field: string, value: unknown): string => {
  if (value === undefined || value === null) return ""
  if (field === type.recency && typeof value === "number") return formatMicros(value)
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value.join(", ")
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

/** A time in microseconds since 1970, to the second; the number itself where no calendar has it. */
export const formatMicros = (micros: number): string => {
  const date = new Date(Math.floor(micros / 1_000))
  return Number.isNaN(date.getTime()) ? String(micros) : `${date.toISOString().slice(0, -5)}Z`
}

/** The fields of one record, each with all of its value; `types` as in {@link Options}. */
export const pairsOf = (
  type: RecordType.Any,
  record: object,
  types: ReadonlyArray<RecordType.Any>
): ReadonlyArray<readonly [string, string]> => {
  const row = shownRow(type, types, record)
  return orderedFields(type)
    .filter((field) => row[field] !== undefined)
    .map((field) => [field, cellOf(type, field, row[field])])
}

/** The names of fields that were asked for, as one text with commas. */
export const parseFields = (
  type: RecordType.Any,
  text: string
): Effect.Effect<ReadonlyArray<string>, RecordArgumentInvalid> => {
  const names = text.split(",").filter((name) => name !== "")
  const known = type.shape.fields.map(({ name }) => name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return Effect.succeed(names)
  return Effect.fail(
    new RecordArgumentInvalid({
      argument: `--fields=${text}`,
      detail: `${type.name} has no field ${unknown}, expected ${known.join(", ")}`
    })
  )
}
