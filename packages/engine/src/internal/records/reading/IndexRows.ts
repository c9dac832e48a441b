/** Rows in the order of an index: its entries, and the records that they name. */
import { Effect } from "effect"
import {
  headerOf,
  headerSizeBytes,
  type IndexLayout,
  indexesKeyspace,
  primaryKeyStart,
  recordsKeyspace
} from "../../../format/RecordLayout.ts"
import { keyOf, type RowPage } from "../../../kernel/RowPage.ts"
import type { RecordCorrupt } from "../../../RecordError.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import { corrupt, decodeRow, Undecodable } from "./DecodeRow.ts"
import { isEntryOf } from "./EntryKey.ts"
import { isFull, nextRowCount, type PageBuilder, take } from "./PageBuilder.ts"
import type { SyncView } from "./ReadView.ts"

export interface IndexRowsOptions {
  readonly view: SyncView
  readonly index: IndexLayout
  /** Of the entries: a whole header and more. */
  readonly prefix: Uint8Array
}

/** Reads some entries behind the builder's last one, and their records. */
export const readIndexRows: (
  options: IndexRowsOptions,
  builder: PageBuilder
) => Effect.Effect<void, BlockReads.BlockReadError | RecordCorrupt> = Effect.fnUntraced(function* (
  { index, prefix, view },
  builder
) {
  const { isEnd, rows } = yield* BlockReads.page(view.reader, {
    keyspace: indexesKeyspace,
    prefix,
    limit: nextRowCount(builder),
    ...(builder.lastKey === undefined ? {} : { after: builder.lastKey })
  })
  const entries = recordKeys(rows, headerOf(builder.layout.tag, view.sync), index.parts.length)
  const values = yield* BlockReads.getMany(view.reader, recordsKeyspace, entries.keys)
  const fault = takeEntries({ path: view.path, builder, index, rows, entries, values, isEnd })
  if (fault !== undefined) return yield* fault
})

/** The keys of the records that entries name. */
interface RecordKeys {
  readonly keys: ReadonlyArray<Uint8Array>
  /** Of each entry's key: where the primary key begins in it; −1 where it has too few parts to be one. */
  readonly starts: Int32Array
}

const recordKeys = (rows: RowPage, header: Uint8Array, partCount: number): RecordKeys => {
  const keys: Array<Uint8Array> = []
  const starts = new Int32Array(rows.rowCount)
  const buffer = new Uint8Array(rows.keys.length + rows.rowCount * headerSizeBytes)
  let at = 0
  for (let row = 0; row < rows.rowCount; row++) {
    const entry = keyOf(rows, row)
    const start = primaryKeyStart(entry, partCount)
    starts[row] = start
    const begin = at
    buffer.set(header, at)
    at += headerSizeBytes
    for (let from = start < 0 ? entry.length : start; from < entry.length; from++) buffer[at++] = entry[from]!
    keys.push(buffer.subarray(begin, at))
  }
  return { keys, starts }
}

interface TakeEntries {
  readonly path: string
  readonly builder: PageBuilder
  readonly index: IndexLayout
  readonly rows: RowPage
  readonly entries: RecordKeys
  readonly values: ReadonlyArray<Uint8Array | undefined>
  readonly isEnd: boolean
}

const takeEntries = (options: TakeEntries): RecordCorrupt | undefined => {
  const { builder, entries, index, isEnd, rows, values } = options
  const { layout } = builder
  let row = 0
  for (; row < rows.rowCount && !isFull(builder); row++) {
    const value = values[row]
    builder.scannedCount++
    if (value === undefined) {
      builder.orphanCount++
      continue
    }
    const record = decodeRow(layout, value, 0, value.length)
    if (record instanceof Undecodable) {
      return corrupt({ path: options.path, layout, key: entries.keys[row]!, undecodable: record })
    }
    const partsStart = (row === 0 ? 0 : rows.keyEnd[row - 1]!) + headerSizeBytes
    const partsEnd = partsStart - headerSizeBytes + entries.starts[row]! - 1
    if (isEntryOf(rows.keys, partsStart, partsEnd, index, record)) take(builder, record, value.length)
    else builder.orphanCount++
  }
  if (row > 0) builder.lastKey = keyOf(rows, row - 1).slice()
  builder.isEnd = isEnd && row === rows.rowCount
  return undefined
}
