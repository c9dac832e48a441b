/** Reads what one store has of a sync. */
import { Effect, Option } from "effect"
import type { Reader } from "../../../Engine.ts"
import { headerOf, indexesKeyspace, recordsKeyspace, syncBytes, type TypeLayout } from "../../../format/RecordLayout.ts"
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

export const readOutline: (options: OutlineOptions) => Effect.Effect<SyncOutline, RecordReadError> = Effect.fn(
  "SyncTransfer.outline"
)(function* ({ path, reader, sync }) {
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
  const recordBytes = yield* sampleBytes(reader, recordsKeyspace, header)
  // Records that the store does not count are none that may be lost.
  const isCounted = kept !== undefined && kept > 0 === recordBytes > 0
  const recordCount = isCounted ? kept : yield* BlockReads.count(reader, recordsKeyspace, header)
  const entryBytes: Record<string, number> = {}
  for (const { name, tag } of layout.indexes) {
    entryBytes[name] = yield* sampleBytes(reader, indexesKeyspace, headerOf(tag, sync))
  }
  return { type: layout.type, recordCount, indexes: layout.indexes.map(({ name }) => name), recordBytes, entryBytes }
})

/** Bytes of keys and values of blocks for each row in the first of them; 0 where there are none. */
const sampleBytes = (reader: Reader, keyspace: string, header: Uint8Array): Effect.Effect<number, BlockReadError> =>
  Effect.flatMap(reader.page(keyspace, { prefix: header, limit: sampleBlockCount }), ({ rows }) =>
    attemptBlocks(keyspace, () => {
      const cursor = BlockCursor.make()
      let bytes = 0
      let rowCount = 0
      for (const { key, value } of rows) {
        BlockCursor.start(cursor, key, value)
        bytes += key.length + value.length
        rowCount += cursor.left
      }
      return rowCount === 0 ? 0 : bytes / rowCount
    })
  )

const withoutRows = ({ indexes, type }: TypeLayout): TypeOutline => ({
  type,
  recordCount: 0,
  indexes: indexes.map(({ name }) => name),
  recordBytes: 0,
  entryBytes: Object.fromEntries(indexes.map(({ name }) => [name, 0]))
})
