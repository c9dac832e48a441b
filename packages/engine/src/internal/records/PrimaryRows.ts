/** Rows in the order of the primary key. */
import { Effect, Option } from "effect"
import { recordsKeyspace } from "../../format/RecordLayout.ts"
import { keyOf, type RowPage } from "../../kernel/RowPage.ts"
import type { RecordCorrupt } from "../../RecordError.ts"
import * as BlockReads from "./BlockReads.ts"
import { corrupt, decodeRow, Undecodable } from "./DecodeRow.ts"
import { isFull, nextRowCount, type PageBuilder, take } from "./PageBuilder.ts"
import type { StoreView } from "./ReadView.ts"

/** Reads some rows behind the builder's last one whose keys begin with `prefix`, a whole header and more. */
export const readPrimaryRows: (
  view: StoreView,
  builder: PageBuilder,
  prefix: Uint8Array
) => Effect.Effect<void, BlockReads.BlockReadError | RecordCorrupt> = Effect.fnUntraced(
  function* (view, builder, prefix) {
    const { isEnd, rows } = yield* BlockReads.page(view.reader, {
      keyspace: recordsKeyspace,
      prefix,
      limit: nextRowCount(builder),
      ...(builder.lastKey === undefined ? {} : { after: builder.lastKey })
    })
    const fault = takeRows(view.path, builder, rows, isEnd)
    if (fault !== undefined) return yield* fault
  }
)

/** Reads the one row that has the whole key, if there is one and it is not behind the page already. */
export const readWholeKey: (
  view: StoreView,
  builder: PageBuilder,
  key: Uint8Array
) => Effect.Effect<void, BlockReads.BlockReadError | RecordCorrupt> = Effect.fnUntraced(function* (view, builder, key) {
  builder.isEnd = true
  if (builder.lastKey !== undefined) return
  const value = yield* BlockReads.get(view.reader, recordsKeyspace, key)
  if (Option.isNone(value)) return
  const { layout } = builder
  const record = decodeRow(layout, value.value, 0, value.value.length)
  if (record instanceof Undecodable) return yield* corrupt({ path: view.path, layout, key, undecodable: record })
  builder.scannedCount++
  builder.lastKey = key
  take(builder, record)
})

const takeRows = (path: string, builder: PageBuilder, rows: RowPage, isEnd: boolean): RecordCorrupt | undefined => {
  const { layout } = builder
  let row = 0
  for (; row < rows.rowCount && !isFull(builder); row++) {
    const record = decodeRow(layout, rows.valueSource[row]!, rows.valueStart[row]!, rows.valueEnd[row]!)
    if (record instanceof Undecodable) return corrupt({ path, layout, key: keyOf(rows, row), undecodable: record })
    builder.scannedCount++
    take(builder, record)
  }
  if (row > 0) builder.lastKey = keyOf(rows, row - 1).slice()
  builder.isEnd = isEnd && row === rows.rowCount
  return undefined
}
