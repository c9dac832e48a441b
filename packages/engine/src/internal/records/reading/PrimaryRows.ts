/** Rows in the order of the primary key. */
import { Effect, Option } from "effect"
import { maxKeySizeBytes } from "../../../Engine.ts"
import { recordsKeyspace } from "../../../format/RecordLayout.ts"
import type { BlockCursor } from "../../../kernel/BlockCursor.ts"
import type { RecordCorrupt } from "../../../RecordError.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import { corrupt, decodeRow, Undecodable } from "./DecodeRow.ts"
import { isFull, nextRowCount, type PageBuilder, take } from "./PageBuilder.ts"
import type { StoreView } from "./ReadView.ts"

/** Reads some rows behind the builder's last one whose keys begin with `prefix`, a whole header and more. */
export const readPrimaryRows: (
  view: StoreView,
  builder: PageBuilder,
  prefix: Uint8Array
) => Effect.Effect<void, BlockReads.BlockReadError | RecordCorrupt> = Effect.fnUntraced(function* (
  { path, reader },
  builder,
  prefix
) {
  const taking: Taking = { builder, lastKey: new Uint8Array(maxKeySizeBytes), lastKeySize: 0, undecodable: undefined }
  const isEnd = yield* BlockReads.walk(reader, {
    keyspace: recordsKeyspace,
    prefix,
    limit: nextRowCount(builder),
    take: (cursor) => takeRow(taking, cursor),
    ...(builder.lastKey === undefined ? {} : { after: builder.lastKey })
  })
  const { lastKey, lastKeySize, undecodable } = taking
  const key = lastKey.slice(0, lastKeySize)
  if (undecodable !== undefined) return yield* corrupt({ path, layout: builder.layout, key, undecodable })
  if (lastKeySize > 0) builder.lastKey = key
  builder.isEnd = isEnd
})

interface Taking {
  readonly builder: PageBuilder
  /** Of the last row looked at: its first `lastKeySize` bytes. */
  readonly lastKey: Uint8Array
  lastKeySize: number
  undecodable: Undecodable | undefined
}

const takeRow = (taking: Taking, { bytes, key, keySize, shared, valueEnd, valueStart }: BlockCursor): boolean => {
  const { builder, lastKey } = taking
  if (isFull(builder)) return false
  const record = decodeRow(builder.layout, bytes, valueStart, valueEnd)
  // PERF: the row before is in `lastKey`, unless this is the first one, and then nothing of it is shared with what is there.
  for (let at = taking.lastKeySize === 0 ? 0 : shared; at < keySize; at++) lastKey[at] = key[at]!
  taking.lastKeySize = keySize
  if (record instanceof Undecodable) {
    taking.undecodable = record
    return false
  }
  builder.scannedCount++
  take(builder, record, valueEnd - valueStart)
  return true
}

/** Reads the one row that has the whole key, if there is one. It has no page behind it, so no token leads here. */
export const readWholeKey: (
  view: StoreView,
  builder: PageBuilder,
  key: Uint8Array
) => Effect.Effect<void, BlockReads.BlockReadError | RecordCorrupt> = Effect.fnUntraced(function* (view, builder, key) {
  builder.isEnd = true
  const value = yield* BlockReads.get(view.reader, recordsKeyspace, key)
  if (Option.isNone(value)) return
  const { layout } = builder
  const record = decodeRow(layout, value.value, 0, value.value.length)
  if (record instanceof Undecodable) return yield* corrupt({ path: view.path, layout, key, undecodable: record })
  builder.scannedCount++
  builder.lastKey = key
  take(builder, record, value.value.length)
})
