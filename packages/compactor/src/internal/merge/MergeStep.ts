/** A bounded part of a merge of one type: the rows that are ahead become what is to be written. */
import { type RecordType, SyncChange } from "@icecore/engine"
import * as Contest from "../../kernel/Contest.ts"
import * as KeyMerge from "../../kernel/KeyMerge.ts"

/** Records written at once, at most. */
const maxWriteCount = 1_000

/** Stored bytes of records written at once, at most, as estimated. */
const maxWriteBytes: number = 4 * 1024 * 1024

/** Rows looked at in one step, at most: where few win, a step ends too. */
const maxReadCount = 20_000

/** A row of a lane: a record of the type, or a change of one. */
export type Row = object

/** The merge of one type of one group. */
export interface TypeMerge {
  readonly type: RecordType.Any
  /** Stored bytes of a record, as estimated. */
  readonly recordBytes: number
  /** Whose claims are those of the result so far: what wins of it is there already. */
  readonly resultSource: number
  /** Changes that win are put into the result; else those that the result has are removed. */
  readonly keepsChanges: boolean
  readonly keys: KeyMerge.KeyMerge<Row>
  readonly contest: Contest.Contest
  /** Lanes that must be given rows, or left out for good, before the next step. */
  readonly dry: Array<KeyMerge.Lane<Row>>
  readonly step: MergeStep
}

/** What is to be written, and how it came about. */
export interface MergeStep {
  readonly puts: Array<object>
  /** Records of the result that a removal takes away. */
  readonly removals: Array<object>
  readonly changePuts: Array<SyncChange.SyncChange>
  readonly changeRemovals: Array<SyncChange.SyncChange>
  /** Records and changes of sources. */
  rowCount: number
  /** Records of sources. */
  recordCount: number
  /** By how many records of the result have become more; negative: fewer. */
  writtenChange: number
  supersededCount: number
  removedCount: number
}

export interface TypeMergeOptions {
  readonly type: RecordType.Any
  readonly recordBytes: number
  readonly resultSource: number
  readonly keepsChanges: boolean
}

export const make = (options: TypeMergeOptions): TypeMerge => ({
  ...options,
  keys: KeyMerge.make(),
  contest: Contest.make(options.type.recency),
  dry: [],
  step: {
    puts: [],
    removals: [],
    changePuts: [],
    changeRemovals: [],
    rowCount: 0,
    recordCount: 0,
    writtenChange: 0,
    supersededCount: 0,
    removedCount: 0
  }
})

/** A lane of the records of a source. */
export const recordLane = (type: RecordType.Any, source: number): KeyMerge.Lane<Row> =>
  KeyMerge.makeLane(2 * source, (row) => SyncChange.recordKeyOf(type, row))

/** A lane of the changes of a source: directly behind that of its records. */
export const changeLane = (source: number): KeyMerge.Lane<Row> =>
  KeyMerge.makeLane(2 * source + 1, (row) => (row as SyncChange.SyncChange).record_key)

const isChangeLane = ({ order }: KeyMerge.Lane<Row>): boolean => order % 2 === 1

const sourceOf = ({ order }: KeyMerge.Lane<Row>): number => order >> 1

/** Nothing is to be written and nothing was looked at. */
export const clear = (step: MergeStep): void => {
  step.puts.length = 0
  step.removals.length = 0
  step.changePuts.length = 0
  step.changeRemovals.length = 0
  step.rowCount = 0
  step.recordCount = 0
  step.writtenChange = 0
  step.supersededCount = 0
  step.removedCount = 0
}

const writeCountOf = ({ changePuts, changeRemovals, puts, removals }: MergeStep): number =>
  puts.length + removals.length + changePuts.length + changeRemovals.length

/** Whether nothing was looked at and nothing is to be written. */
export const isEmpty = ({ step }: TypeMerge): boolean => step.rowCount === 0 && writeCountOf(step) === 0

/** Whether what there is should be written. */
export const isFull = ({ recordBytes, step }: TypeMerge): boolean => {
  const { puts, rowCount } = step
  return writeCountOf(step) >= maxWriteCount || puts.length * recordBytes >= maxWriteBytes || rowCount >= maxReadCount
}

/** Goes on until the step is full or a lane is dry; false when there is nothing left. */
export const proceed = (merge: TypeMerge): boolean => {
  while (merge.dry.length === 0 && !isFull(merge)) {
    if (KeyMerge.takeLeast(merge.keys) === 0) return false
    decide(merge)
    KeyMerge.advance(merge.keys, merge.dry)
  }
  return true
}

/** What becomes of the record of the least key. */
const decide = (merge: TypeMerge): void => {
  const { contest, keepsChanges, keys, resultSource, step } = merge
  const { least } = keys
  let count = 0
  let stored: object | undefined
  let storedChange: SyncChange.SyncChange | undefined
  Contest.begin(contest)
  for (let place = 0; place < least.length; place++) {
    const lane = least[place]!
    const source = sourceOf(lane)
    const row = KeyMerge.rowOf(lane)
    const record = isChangeLane(lane) ? undefined : row
    let change = record === undefined ? (row as SyncChange.SyncChange) : undefined
    const next = least[place + 1]
    if (record !== undefined && next !== undefined && sourceOf(next) === source) {
      change = KeyMerge.rowOf(next) as SyncChange.SyncChange
      place++
    }
    Contest.enter(contest, source, record, change)
    if (source === resultSource) {
      stored = record
      storedChange = change
      continue
    }
    if (record !== undefined) count++
    step.rowCount += (record === undefined ? 0 : 1) + (change === undefined ? 0 : 1)
  }
  step.recordCount += count
  settle(merge, count, stored)
  const isNew = contest.source !== resultSource
  if (!keepsChanges) {
    if (storedChange !== undefined) step.changeRemovals.push(storedChange)
  } else if (isNew && contest.change !== undefined) step.changePuts.push(contest.change)
  else if (isNew && storedChange !== undefined) step.changeRemovals.push(storedChange)
}

/** Counts, and has the record written or removed unless the result is right already. */
const settle = ({ contest, resultSource, step }: TypeMerge, count: number, stored: object | undefined): void => {
  const { record } = contest
  const before = stored === undefined ? 0 : 1
  const after = record === undefined ? 0 : 1
  step.writtenChange += after - before
  if (record === undefined) step.removedCount += count + before
  else step.supersededCount += count + before - 1
  if (contest.source === resultSource) return
  if (record !== undefined) step.puts.push(record)
  else if (stored !== undefined) step.removals.push(stored)
}
