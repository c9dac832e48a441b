/** Records by their keys. */
import { Effect, Option, Result } from "effect"
import { headerOf, recordsKeyspace, type TypeLayout } from "../../../format/RecordLayout.ts"
import { type RecordCorrupt, RecordMisuse } from "../../../RecordError.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import { corrupt, decodeRow, Undecodable } from "./DecodeRow.ts"
import { keyOf } from "./KeyQuery.ts"
import type { SyncView } from "./ReadView.ts"

/** What reading by key can fail with. */
export type KeyedReadError = BlockReads.BlockReadError | RecordCorrupt | RecordMisuse

export const getRecord: (
  view: SyncView,
  layout: TypeLayout,
  key: unknown
) => Effect.Effect<Option.Option<unknown>, KeyedReadError> = Effect.fnUntraced(function* (view, layout, key) {
  const rowKey = yield* rowKeyOf(view, layout, key)
  if (rowKey === undefined) return Option.none()
  const value = yield* BlockReads.get(view.reader, recordsKeyspace, rowKey)
  return Option.isNone(value) ? value : Option.some(yield* decode(view, layout, rowKey, value.value))
})

/** In the order of the keys. */
export const getRecords: (
  view: SyncView,
  layout: TypeLayout,
  keys: ReadonlyArray<unknown>
) => Effect.Effect<Array<Option.Option<unknown>>, KeyedReadError> = Effect.fnUntraced(function* (view, layout, keys) {
  const rowKeys: Array<Uint8Array> = []
  const positions: Array<number> = []
  for (const [position, key] of keys.entries()) {
    const rowKey = yield* rowKeyOf(view, layout, key)
    if (rowKey === undefined) continue
    rowKeys.push(rowKey)
    positions.push(position)
  }
  const records = keys.map((): Option.Option<unknown> => Option.none())
  const values = yield* BlockReads.getMany(view.reader, recordsKeyspace, rowKeys)
  for (const [index, value] of values.entries()) {
    if (value === undefined) continue
    records[positions[index]!] = Option.some(yield* decode(view, layout, rowKeys[index]!, value))
  }
  return records
})

/** Undefined: the key is longer than any that is stored. */
const rowKeyOf = (
  { path, sync }: SyncView,
  layout: TypeLayout,
  key: unknown
): Effect.Effect<Uint8Array | undefined, RecordMisuse> => {
  const tuple = keyOf(layout.keyParts, key)
  if (Result.isFailure(tuple)) {
    return Effect.fail(new RecordMisuse({ path, detail: `the key of a ${layout.type.name}: ${tuple.failure}` }))
  }
  if (tuple.success === undefined) return Effect.succeed(undefined)
  const header = headerOf(layout.tag, sync)
  const rowKey = new Uint8Array(header.length + tuple.success.bytes.length)
  rowKey.set(header)
  rowKey.set(tuple.success.bytes, header.length)
  return Effect.succeed(rowKey)
}

const decode = (
  { path }: SyncView,
  layout: TypeLayout,
  key: Uint8Array,
  value: Uint8Array
): Effect.Effect<unknown, RecordCorrupt> => {
  const record = decodeRow(layout, value, 0, value.length)
  return record instanceof Undecodable
    ? Effect.fail(corrupt({ path, layout, key, undecodable: record }))
    : Effect.succeed(record)
}
