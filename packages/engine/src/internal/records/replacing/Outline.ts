/** Reads what one store has of a sync. */
import { Effect, Option, Result } from "effect"
import { BlockCorrupt } from "../../../BlockError.ts"
import type { Reader } from "../../../Engine.ts"
import {
  headerOf,
  type IndexLayout,
  indexesKeyspace,
  recordsKeyspace,
  satisfies,
  syncBytes,
  type TypeLayout,
  valueAt
} from "../../../format/RecordLayout.ts"
import type { SyncBook } from "../../../format/StoreSchema.ts"
import * as BlockCursor from "../../../kernel/BlockCursor.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import { isFinished, type SyncRun } from "../../../SyncRun.ts"
import type { OutlineOptions, SyncOutline, TypeOutline } from "../../../SyncTransfer.ts"
import { attemptBlocks, type BlockReadError } from "../blocks/BlockAttempt.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import { syncView } from "../reading/ReadView.ts"
import { readRun } from "../reading/RunReads.ts"
import { readTypes } from "../reading/StoreTypes.ts"

/** Blocks of a sample: 64 KiB, unless records are larger. */
const sampleBlockCount = 16

export const readOutline: (options: OutlineOptions) => Effect.Effect<SyncOutline, RecordReadError> = (options) =>
  Effect.catchTag(outline(options), "BlockCorrupt", ({ detail, key, keyspace }) =>
    Effect.fail(new BlockCorrupt({ path: options.path, keyspace, key, detail }))
  )

const outline = Effect.fn("SyncTransfer.outline")(function* ({
  path,
  reader,
  sync
}: OutlineOptions): Effect.fn.Return<SyncOutline, RecordReadError> {
  const stored = yield* readTypes({ reader, path, declared: undefined })
  const layouts = [...stored.storedLayouts].sort((left, right) => (left.type.name < right.type.name ? -1 : 1))
  const found = yield* readRun(reader, path, sync)
  if (Option.isNone(found)) {
    return { path, sync, run: undefined, isBehind: false, types: layouts.map(withoutRows) }
  }
  const { book, run } = yield* syncView({ reader, path, types: stored }, sync)
  const types: Array<TypeOutline> = []
  for (const layout of layouts)
    types.push(yield* outlineType(reader, layout, syncBytes(sync), countIn(run, book, layout)))
  return { path, sync, run, isBehind: book.indexes === "behind", types }
})

/** The count that the store keeps; undefined where a crash may have left it behind. */
const countIn = (run: SyncRun, book: SyncBook, { type }: TypeLayout): number | undefined => {
  if (isFinished(run)) return run.counts[type.name] ?? 0
  return book.indexes === "complete" ? (book.counts[type.name] ?? 0) : undefined
}

const outlineType = Effect.fnUntraced(function* (
  reader: Reader,
  layout: TypeLayout,
  sync: Uint8Array,
  kept: number | undefined
): Effect.fn.Return<TypeOutline, BlockReadError> {
  const header = headerOf(layout.tag, sync)
  const records = yield* sampleOf(reader, recordsKeyspace, header)
  const recordBytes = averageOf(records)
  // Records that the store does not count are none that may be lost.
  const isCounted = kept !== undefined && kept > 0 === recordBytes > 0
  const recordCount = isCounted ? kept : yield* BlockReads.count(reader, recordsKeyspace, header)
  const entryBytes: Record<string, number> = {}
  const entryCounts: Record<string, number> = {}
  for (const index of layout.indexes) {
    const entries = yield* sampleOf(reader, indexesKeyspace, headerOf(index.tag, sync))
    entryBytes[index.name] = averageOf(entries)
    entryCounts[index.name] = entries.isAll
      ? entries.rowCount
      : Math.max(entries.rowCount, Math.round(shareOf(layout, index, records) * recordCount))
  }
  const indexes = layout.indexes.map(({ name }) => name)
  return { type: layout.type, recordCount, indexes, recordBytes, entryBytes, entryCounts }
})

/** The first blocks of a range. */
interface Sample {
  /** Of keys and values of the blocks. */
  readonly bytes: number
  readonly rowCount: number
  readonly values: ReadonlyArray<Uint8Array>
  /** There are no others. */
  readonly isAll: boolean
}

/** Bytes of a row; 0 where there are none. */
const averageOf = ({ bytes, rowCount }: Sample): number => (rowCount === 0 ? 0 : bytes / rowCount)

/** The part of the records that has an entry in an index. */
const shareOf = ({ type }: TypeLayout, { parts, where }: IndexLayout, { values }: Sample): number => {
  let entryCount = 0
  for (const value of values) {
    const record = type.codec.decode(value)
    if (Result.isFailure(record) || !satisfies(record.success, where)) continue
    if (parts.every(({ path }) => valueAt(record.success, path) !== undefined)) entryCount++
  }
  return values.length === 0 ? 1 : entryCount / values.length
}

const sampleOf = (reader: Reader, keyspace: string, header: Uint8Array): Effect.Effect<Sample, BlockReadError> =>
  Effect.flatMap(reader.page(keyspace, { prefix: header, limit: sampleBlockCount }), ({ isEnd, rows }) =>
    attemptBlocks(keyspace, () => {
      const cursor = BlockCursor.make()
      let bytes = 0
      const values: Array<Uint8Array> = []
      for (const { key, value } of rows) {
        BlockCursor.start(cursor, key, value)
        bytes += key.length + value.length
        while (BlockCursor.next(cursor)) values.push(cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd))
      }
      return { bytes, rowCount: values.length, values, isAll: isEnd }
    })
  )

const withoutRows = ({ indexes, type }: TypeLayout): TypeOutline => ({
  type,
  recordCount: 0,
  indexes: indexes.map(({ name }) => name),
  recordBytes: 0,
  entryBytes: Object.fromEntries(indexes.map(({ name }) => [name, 0])),
  entryCounts: Object.fromEntries(indexes.map(({ name }) => [name, 0]))
})
