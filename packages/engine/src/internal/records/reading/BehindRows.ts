/**
 * Rows in the order of an index that is not there, or not to be relied on: all records of the sync are read, and those whose
 * entries come next are kept. Slow and right; memory is that of twice the rows that are asked for.
 */
import { Effect } from "effect"
import { maxKeySizeBytes } from "../../../Engine.ts"
import { headerOf, headerSizeBytes, type IndexLayout, recordsKeyspace } from "../../../format/RecordLayout.ts"
import * as LeastKeys from "../../../kernel/LeastKeys.ts"
import { keyOf, type RowPage } from "../../../kernel/RowPage.ts"
import type { RecordCorrupt } from "../../../RecordError.ts"
import { compareBytes } from "../../Bounds.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import { corrupt, decodeRow, Undecodable } from "./DecodeRow.ts"
import { writeEntryKey } from "./EntryKey.ts"
import { maxReadRowCount, type PageBuilder } from "./PageBuilder.ts"
import type { SyncView } from "./ReadView.ts"

export interface BehindRowsOptions {
  readonly view: SyncView
  readonly index: IndexLayout
  /** Of the entries, as if they were there: a whole header and more. */
  readonly prefix: Uint8Array
}

/** Fills the page, whatever its limit of rows to look at: every record is looked at anyway. */
export const readBehindRows: (
  options: BehindRowsOptions,
  builder: PageBuilder
) => Effect.Effect<void, BlockReads.BlockReadError | RecordCorrupt> = Effect.fnUntraced(function* (
  { index, prefix, view },
  builder
) {
  const least = LeastKeys.make<unknown>(builder.pageSize)
  const scratch = new Uint8Array(maxKeySizeBytes)
  scratch.set(prefix.subarray(0, headerSizeBytes))
  const search: Search = { path: view.path, builder, index, prefix, scratch, least }
  const recordPrefix = headerOf(builder.layout.tag, view.sync)
  let after: Uint8Array | undefined
  let isEnd = false
  while (!isEnd) {
    const page = yield* BlockReads.page(view.reader, {
      keyspace: recordsKeyspace,
      prefix: recordPrefix,
      limit: maxReadRowCount,
      ...(after === undefined ? {} : { after })
    })
    const fault = searchRows(search, page.rows)
    if (fault !== undefined) return yield* fault
    if (page.rows.rowCount > 0) after = keyOf(page.rows, page.rows.rowCount - 1).slice()
    isEnd = page.isEnd
  }
  for (const { item, key } of LeastKeys.finish(least)) {
    builder.items.push(item)
    builder.lastKey = key
  }
  builder.isEnd = !least.wasCut
})

interface Search {
  readonly path: string
  readonly builder: PageBuilder
  readonly index: IndexLayout
  readonly prefix: Uint8Array
  /** Begins with the header of the entries. */
  readonly scratch: Uint8Array
  readonly least: LeastKeys.LeastKeys<unknown>
}

const searchRows = (search: Search, rows: RowPage): RecordCorrupt | undefined => {
  const { builder, index, least, prefix, scratch } = search
  const { filter, lastKey, layout } = builder
  for (let row = 0; row < rows.rowCount; row++) {
    const record = decodeRow(layout, rows.valueSource[row]!, rows.valueStart[row]!, rows.valueEnd[row]!)
    if (record instanceof Undecodable) {
      return corrupt({ path: search.path, layout, key: keyOf(rows, row), undecodable: record })
    }
    builder.scannedCount++
    const end = writeEntryKey(scratch, index, record, keyOf(rows, row).subarray(headerSizeBytes))
    if (end < 0) continue
    const key = scratch.subarray(0, end)
    if (compareBytes(key.subarray(0, prefix.length), prefix) !== 0) continue
    if (lastKey !== undefined && compareBytes(key, lastKey) <= 0) continue
    if (filter !== undefined && !filter(record)) continue
    if (LeastKeys.admits(least, key)) LeastKeys.add(least, key.slice(), record)
  }
  return undefined
}
