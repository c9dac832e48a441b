/**
 * Checks the records of one type in one sync, and their index entries both ways.
 *
 * Records and entries are walked once each. For every index the entries that the records ask for are summed up, and those that are
 * there ({@link KeySum}); only where the sums differ every record is held against the index, and every entry against its record.
 */
import { Effect, Option } from "effect"
import { type EngineReadError, maxKeySizeBytes } from "../../../Engine.ts"
import {
  appendParts,
  headerOf,
  headerSizeBytes,
  type IndexLayout,
  indexesKeyspace,
  primaryKeyStart,
  recordsKeyspace,
  type TypeLayout
} from "../../../format/RecordLayout.ts"
import type { BlockCursor } from "../../../kernel/BlockCursor.ts"
import * as KeySum from "../../../kernel/KeySum.ts"
import type { FindingKind } from "../../../RecordCheck.ts"
import { isFinished } from "../../../SyncRun.ts"
import { compareBytes } from "../../Bounds.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import { decodeRow, Undecodable } from "../reading/DecodeRow.ts"
import { isEntryOf, writeEntryKey } from "../reading/EntryKey.ts"
import type { StoreView } from "../reading/ReadView.ts"
import { type Place, walkBlocks } from "./CheckBlocks.ts"
import * as CheckLog from "./CheckLog.ts"
import type { CheckedSync } from "./CheckRuns.ts"

export interface CheckRecordsOptions {
  readonly view: StoreView
  readonly log: CheckLog.CheckLog
  readonly layout: TypeLayout
  readonly checked: CheckedSync
}

export const checkRecords: (options: CheckRecordsOptions) => Effect.Effect<void, EngineReadError> = Effect.fnUntraced(
  function* (options) {
    const { checked, layout, log, view } = options
    const place: Place = { keyspace: recordsKeyspace, sync: checked.id, type: layout.type.name }
    // Where indexes are behind, which entries there are means nothing; who does not know must say so.
    const indexes =
      checked.book?.indexes === "complete" ? layout.indexes.map((index) => expectedOf(index, checked)) : []
    const check: RecordWalk = { log, place, layout, indexes, count: 0, scratch: new Uint8Array(maxKeySizeBytes) }
    const isWhole = yield* walkBlocks({
      reader: view.reader,
      log,
      place,
      header: headerOf(layout.tag, checked.sync),
      onRow: (cursor) => checkRecord(check, cursor)
    })
    if (isWhole) checkCount(check, checked)
    for (const index of indexes) yield* checkEntries(options, index)
  }
)

/** The entries of one index that the records ask for. */
interface Expected {
  readonly index: IndexLayout
  /** Begins with the header. */
  readonly key: Uint8Array
  readonly sum: KeySum.KeySum
}

const expectedOf = (index: IndexLayout, { sync }: CheckedSync): Expected => {
  const key = new Uint8Array(maxKeySizeBytes)
  key.set(headerOf(index.tag, sync))
  return { index, key, sum: KeySum.make() }
}

interface RecordWalk {
  readonly log: CheckLog.CheckLog
  readonly place: Place
  readonly layout: TypeLayout
  readonly indexes: ReadonlyArray<Expected>
  readonly scratch: Uint8Array
  count: number
}

const checkRecord = (walk: RecordWalk, cursor: BlockCursor): void => {
  const { layout, log, place, scratch } = walk
  walk.count++
  log.recordCount++
  const found = (kind: FindingKind, detail: string): void =>
    CheckLog.add(log, { kind, ...place, key: cursor.key.slice(0, cursor.keySize), detail })
  const record = decodeRow(layout, cursor.bytes, cursor.valueStart, cursor.valueEnd)
  if (record instanceof Undecodable) {
    found("recordUndecodable", record.detail)
    return
  }
  const primary = cursor.key.subarray(headerSizeBytes, cursor.keySize)
  const end = appendParts(scratch, 0, layout.keyParts, record)
  if (end < 0 || compareBytes(primary, scratch.subarray(0, end)) !== 0) {
    found("recordMisplaced", "its own fields give another key")
  }
  for (const { index, key, sum } of walk.indexes) {
    const entryEnd = writeEntryKey(key, index, record, primary)
    if (entryEnd > 0) KeySum.add(sum, key, headerSizeBytes, entryEnd)
  }
}

const checkCount = ({ count, layout, log, place }: RecordWalk, { book, run }: CheckedSync): void => {
  const { name } = layout.type
  const wrong = (what: string, counted: number): void =>
    CheckLog.add(log, { kind: "countWrong", ...place, detail: `${what} counts ${counted}, there are ${count}` })
  const inRun = run?.counts[name] ?? 0
  if (run !== undefined && isFinished(run) && inRun !== count) wrong("its run", inRun)
  const inBook = book?.counts[name] ?? 0
  if (book?.indexes === "complete" && inBook !== count) wrong("its bookkeeping", inBook)
}

const checkEntries: (options: CheckRecordsOptions, expected: Expected) => Effect.Effect<void, EngineReadError> =
  Effect.fnUntraced(function* (options, { index, sum: expected }) {
    const { checked, layout, log, view } = options
    const place: Place = { keyspace: indexesKeyspace, sync: checked.id, type: layout.type.name, index: index.name }
    const actual = KeySum.make()
    const addEntry = ({ key, keySize }: BlockCursor): void => {
      log.entryCount++
      KeySum.add(actual, key, headerSizeBytes, keySize)
    }
    yield* walkBlocks({
      reader: view.reader,
      log,
      place,
      header: headerOf(index.tag, checked.sync),
      onRow: addEntry
    })
    if (KeySum.equals(expected, actual)) return
    yield* findMissing(options, index, place)
    yield* findStray(options, index, place)
  })

/** Findings of a walk that was made before are not wanted again. */
const noLog = (): CheckLog.CheckLog => CheckLog.make({ findingLimit: 0 })

/** Holds every record against the index. */
const findMissing = ({ checked, layout, log, view }: CheckRecordsOptions, index: IndexLayout, place: Place) => {
  const { key: scratch } = expectedOf(index, checked)
  let entries: Array<Uint8Array> = []
  return walkBlocks({
    reader: view.reader,
    log: noLog(),
    place: { ...place, keyspace: recordsKeyspace },
    header: headerOf(layout.tag, checked.sync),
    onRow: ({ bytes, key, keySize, valueEnd, valueStart }) => {
      const record = decodeRow(layout, bytes, valueStart, valueEnd)
      if (record instanceof Undecodable) return
      const end = writeEntryKey(scratch, index, record, key.subarray(headerSizeBytes, keySize))
      if (end > 0) entries.push(scratch.slice(0, end))
    },
    afterRows: Effect.suspend(() => {
      const asked = entries
      entries = []
      return Effect.map(lookUp(view, indexesKeyspace, asked), (values) => {
        for (const [at, value] of values.entries()) {
          if (value !== undefined) continue
          CheckLog.add(log, { kind: "entryMissing", ...place, key: asked[at]!, detail: "a record asks for it" })
        }
      })
    })
  })
}

interface AskedEntry {
  readonly entry: Uint8Array
  /** −1: it has too few parts. */
  readonly primaryStart: number
}

/** Holds every entry against its record. */
const findStray = ({ checked, layout, log, view }: CheckRecordsOptions, index: IndexLayout, place: Place) => {
  const header = headerOf(layout.tag, checked.sync)
  let entries: Array<AskedEntry> = []
  return walkBlocks({
    reader: view.reader,
    log: noLog(),
    place,
    header: headerOf(index.tag, checked.sync),
    onRow: ({ key, keySize }) => {
      const entry = key.slice(0, keySize)
      entries.push({ entry, primaryStart: primaryKeyStart(entry, index.parts.length) })
    },
    afterRows: Effect.suspend(() => {
      const asked = entries
      entries = []
      const keys = asked.map(({ entry, primaryStart }) => recordKeyOf(header, entry, primaryStart))
      return Effect.map(lookUp(view, recordsKeyspace, keys), (values) => {
        for (const [at, value] of values.entries()) {
          const { entry, primaryStart } = asked[at]!
          const problem = strayOf(layout, index, entry, primaryStart, value)
          if (problem !== undefined) CheckLog.add(log, { ...problem, ...place, key: entry })
        }
      })
    })
  })
}

const recordKeyOf = (header: Uint8Array, entry: Uint8Array, primaryStart: number): Uint8Array => {
  const primary = primaryStart < 0 ? new Uint8Array() : entry.subarray(primaryStart)
  const key = new Uint8Array(header.length + primary.length)
  key.set(header)
  key.set(primary, header.length)
  return key
}

const strayOf = (
  layout: TypeLayout,
  index: IndexLayout,
  entry: Uint8Array,
  primaryStart: number,
  value: LookedUp
): { readonly kind: FindingKind; readonly detail: string } | undefined => {
  if (value === unreadable) return undefined
  if (value === undefined || primaryStart < 0) return { kind: "entryOrphan", detail: "its record is not there" }
  const record = decodeRow(layout, value, 0, value.length)
  if (record instanceof Undecodable) return undefined
  return isEntryOf(entry, headerSizeBytes, primaryStart - 1, index, record)
    ? undefined
    : { kind: "entryStale", detail: "its record belongs elsewhere in the index, or not into it" }
}

/** The value lies in a block that is damaged, which the walk has found. */
const unreadable = "unreadable"

type LookedUp = Uint8Array | undefined | typeof unreadable

/** Values in the order of the keys; where some block is damaged one by one, so that the others are known. */
const lookUp = (
  view: StoreView,
  keyspace: string,
  keys: ReadonlyArray<Uint8Array>
): Effect.Effect<ReadonlyArray<LookedUp>, EngineReadError> =>
  Effect.catchTags(BlockReads.getMany(view.reader, keyspace, keys), {
    BlockCorrupt: () => lookUpEach(view, keyspace, keys),
    EngineCorrupt: () => lookUpEach(view, keyspace, keys)
  })

const lookUpEach = (
  view: StoreView,
  keyspace: string,
  keys: ReadonlyArray<Uint8Array>
): Effect.Effect<ReadonlyArray<LookedUp>, EngineReadError> =>
  Effect.forEach(keys, (key) => lookUpOne(view, keyspace, key))

const lookUpOne = (
  { reader }: StoreView,
  keyspace: string,
  key: Uint8Array
): Effect.Effect<LookedUp, EngineReadError> => {
  const value = Effect.map(BlockReads.get(reader, keyspace, key), (found): LookedUp => Option.getOrUndefined(found))
  const skipped = (): Effect.Effect<LookedUp> => Effect.succeed(unreadable)
  return Effect.catchTags(value, { BlockCorrupt: skipped, EngineCorrupt: skipped })
}
