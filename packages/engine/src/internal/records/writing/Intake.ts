/**
 * Takes records in: their rows and those of their index entries, in two arenas that share one bound, until they are merged
 * into the blocks of the database.
 */
import { RecordShape, Tuple } from "@icecore/codec"
import { maxKeySizeBytes } from "../../../Engine.ts"
import { maxRowValueSizeBytes } from "../../../format/BlockFormat.ts"
import { headerSizeBytes } from "../../../format/RecordLayout.ts"
import * as RowArena from "../../../kernel/RowArena.ts"
import { RecordKeySize, RecordRefused } from "../../../RecordError.ts"
import { KeyTooLong, keyFault, type RecordKeys, writeEntryKey, writeRecordKey } from "./RecordKeys.ts"

/** The rows that wait. The entries of a record stand in a line in `entries` and are attached to its row in `records`. */
export interface Intake {
  readonly limitBytes: number
  readonly records: RowArena.RowArena
  entries: RowArena.RowArena
}

/**
 * Entries may take this many times the limit, because a merge appends the removal of old ones: about as much as the new ones,
 * unless records lose far longer keys than they get. Beyond it the entries of the sync are made anew from the records.
 */
const entryLimitFactor = 4

/** Room that a record's value is first given. Most are far smaller; a larger one is encoded aside. */
const usualValueBytes = 4_096

const noValue = new Uint8Array()

/** An intake for rows of up to `limitBytes`, places included. */
export const make = (limitBytes: number): Intake => ({
  limitBytes,
  // The arenas share the limit, which is checked before each record; one record may go beyond it.
  records: RowArena.make(2 * limitBytes),
  entries: RowArena.make(entryLimitFactor * limitBytes)
})

export const isEmpty = ({ entries, records }: Intake): boolean => records.rowCount === 0 && entries.rowCount === 0

/** Forgets the entries. Those of records that are still there are lost. */
export const clearEntries = (intake: Intake): void => {
  if (intake.entries.bytes.length > 2 * intake.limitBytes)
    intake.entries = RowArena.make(entryLimitFactor * intake.limitBytes)
  else RowArena.clear(intake.entries)
}

/** Forgets everything. */
export const clear = (intake: Intake): void => {
  RowArena.clear(intake.records)
  clearEntries(intake)
}

/** What the intake holds at a moment. */
export interface Mark {
  readonly recordBytes: number
  readonly recordCount: number
  readonly entryBytes: number
  readonly entryCount: number
}

export const mark = ({ entries, records }: Intake): Mark => ({
  recordBytes: records.usedBytes,
  recordCount: records.rowCount,
  entryBytes: entries.usedBytes,
  entryCount: entries.rowCount
})

/** Forgets what came after the mark. */
export const rewind = ({ entries, records }: Intake, to: Mark): void => {
  records.usedBytes = to.recordBytes
  records.rowCount = to.recordCount
  entries.usedBytes = to.entryBytes
  entries.rowCount = to.entryCount
}

/** Whether the rows take as much as they may. */
export const isFull = ({ entries, limitBytes, records }: Intake): boolean =>
  RowArena.sizeBytes(records) + RowArena.sizeBytes(entries) >= limitBytes

/** Whether the rows take half of what they may, or more. */
export const isHalfFull = ({ entries, limitBytes, records }: Intake): boolean =>
  2 * (RowArena.sizeBytes(records) + RowArena.sizeBytes(entries)) >= limitBytes

/**
 * Takes records from the one at `from` on and returns the place of the first that there was no room for: their number when all
 * went in. An empty intake takes at least one. A record that cannot be stored is returned as the error, and the intake
 * then holds a part of the call.
 */
export const take = (
  intake: Intake,
  keys: RecordKeys,
  records: ReadonlyArray<unknown>,
  from: number
): number | RecordRefused | RecordKeySize => {
  let position = from
  try {
    for (; position < records.length; position++) {
      if (isFull(intake) || !takeRecord(intake, keys, records[position])) return position
    }
  } catch (cause) {
    return refusalOf(cause, keys, records[position], position)
  }
  return position
}

/** Takes the removal of the record with this whole key; false when there was no room. Its entries are known with its old value. */
export const takeRemoval = (intake: Intake, key: Uint8Array): boolean =>
  !isFull(intake) && RowArena.append(intake.records, true, key, key.length, noValue) >= 0

/**
 * Takes the entries of a record that is stored already; returns what is wrong with a record whose entries cannot be made. Its
 * primary key is the tuple in `primary` from `start` to `end`.
 */
export const takeEntriesOf = (
  { entries }: Intake,
  keys: RecordKeys,
  record: unknown,
  primary: Uint8Array,
  start: number,
  end: number
): string | undefined => {
  try {
    return takeEntries(entries, keys, record, primary, start, end) < 0 ? "its entries take too much memory" : undefined
  } catch (cause) {
    const detail = keyFault(cause)
    if (detail === undefined) throw cause
    return detail
  }
}

/** The entries of a record, appended in a line: how many, or -1 when there was no room. */
const takeEntries = (
  entries: RowArena.RowArena,
  keys: RecordKeys,
  record: unknown,
  primary: Uint8Array,
  primaryStart: number,
  primaryEnd: number
): number => {
  const { indexes } = keys.layout
  let count = 0
  for (let place = 0; place < indexes.length; place++) {
    const start = RowArena.reserve(entries, maxKeySizeBytes + 1)
    if (start < 0) return -1
    const end = writeEntryKey(
      entries.bytes,
      start,
      indexes[place]!,
      keys.indexHeaders[place]!,
      record,
      primary,
      primaryStart,
      primaryEnd
    )
    if (end < 0) continue
    RowArena.add(entries, false, end - start, 0)
    count++
  }
  return count
}

/** False when there was no room; what there is of the record is then forgotten. */
const takeRecord = (intake: Intake, keys: RecordKeys, record: unknown): boolean => {
  const { entries, records } = intake
  const { codec } = keys.layout.type
  let start = RowArena.reserve(records, maxKeySizeBytes + usualValueBytes)
  if (start < 0) return false
  let keyEnd = writeRecordKey(records.bytes, start, keys, record)
  let valueEnd = codec.encodeIntoUnsafe(record, records.bytes, keyEnd)
  if (valueEnd < 0) {
    const value = codec.encodeUnsafe(record)
    if (value.length > maxRowValueSizeBytes) throw new ValueTooLong(value.length)
    start = RowArena.reserve(records, keyEnd - start + value.length + maxKeySizeBytes)
    if (start < 0) return false
    keyEnd = writeRecordKey(records.bytes, start, keys, record)
    records.bytes.set(value, keyEnd)
    valueEnd = keyEnd + value.length
  }
  if (valueEnd - keyEnd > maxRowValueSizeBytes) throw new ValueTooLong(valueEnd - keyEnd)
  const entryStart = entries.rowCount
  const entryBytes = entries.usedBytes
  const count = takeEntries(entries, keys, record, records.bytes, start + headerSizeBytes, keyEnd)
  if (count < 0) {
    entries.rowCount = entryStart
    entries.usedBytes = entryBytes
    return false
  }
  const row = RowArena.add(records, false, keyEnd - start, valueEnd - keyEnd)
  RowArena.attach(records, row, entryStart, count)
  return true
}

class ValueTooLong {
  readonly sizeBytes: number

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes
  }
}

const refusalOf = (
  cause: unknown,
  keys: RecordKeys,
  record: unknown,
  position: number
): RecordRefused | RecordKeySize => {
  const type = keys.layout.type.name
  if (cause instanceof ValueTooLong) {
    const actual = `of ${cause.sizeBytes} bytes`
    const expected = `at most ${maxRowValueSizeBytes} bytes`
    return new RecordRefused({ type, position, field: "", expected, actual })
  }
  // A key is written before its record is checked, so what is wrong with the record comes first.
  const invalid = cause instanceof RecordShape.RecordInvalid ? cause : invalidOf(keys, record)
  if (invalid !== undefined) {
    const { actual, expected, path } = invalid
    return new RecordRefused({ type, position, field: path, expected, actual })
  }
  if (cause instanceof KeyTooLong || cause instanceof Tuple.TupleOverflow) {
    const index = cause instanceof KeyTooLong ? cause.index : undefined
    return new RecordKeySize({ type, ...(index === undefined ? {} : { index }), position, limit: maxKeySizeBytes })
  }
  if (cause instanceof Tuple.TupleValueInvalid) {
    const { actual, expected } = cause
    return new RecordRefused({ type, position, field: "", expected, actual })
  }
  throw cause
}

const invalidOf = (keys: RecordKeys, record: unknown): RecordShape.RecordInvalid | undefined => {
  try {
    keys.layout.type.codec.encodeUnsafe(record)
    return undefined
  } catch (cause) {
    if (cause instanceof RecordShape.RecordInvalid) return cause
    throw cause
  }
}
