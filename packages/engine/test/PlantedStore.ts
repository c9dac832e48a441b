/**
 * Record stores planted row by row, so that what a store never writes can be read too: entries without records, records without
 * entries, blocks that are none. The rows are made here from the format's description, not with the store's writers.
 */
import { Ksuid } from "@icecore/codec"
import { Effect, Result, Schema, type Scope } from "effect"
import type { Database, EngineError, Row } from "../src/Engine.ts"
import { writeVarint } from "../src/format/BlockFormat.ts"
import {
  appendParts,
  headerOf,
  metaKeyspace,
  satisfies,
  schemaKey,
  storeKeyspaces,
  syncBookKey,
  syncByTypeKey,
  syncBytes,
  syncRunKey,
  syncsKeyspace,
  type TypeLayout
} from "../src/format/RecordLayout.ts"
import { encodeSchema, encodeSyncBook, type IndexState, layoutOf, type StoreSchema } from "../src/format/StoreSchema.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as RecordType from "../src/RecordType.ts"
import { type SyncId, SyncRun } from "../src/SyncRun.ts"

export interface Item {
  readonly id: string
  readonly group: string
  readonly number: number
  readonly flag: boolean
  readonly note?: string
  readonly discovered_at: number
}

export interface Pair {
  readonly left: string
  readonly right: number
  readonly text: string
}

type ItemType = RecordType.RecordType<"Item", Item, { readonly id: string }, "by_group" | "by_flag" | "by_note">
type PairType = RecordType.RecordType<"Pair", Pair, { readonly left: string; readonly right: number }, never>

export const Item: ItemType = RecordType.make({
  name: "Item",
  fields: Schema.Struct({
    id: Schema.String,
    group: Schema.String,
    number: Schema.Int,
    flag: Schema.Boolean,
    note: Schema.optionalKey(Schema.String),
    discovered_at: Schema.Int
  }),
  primaryKey: ["id"],
  indexes: {
    by_group: { paths: ["group", "number"] },
    by_flag: { paths: ["flag"], where: { path: "flag", equals: true } },
    by_note: { paths: ["note"] }
  }
})

export const Pair: PairType = RecordType.make({
  name: "Pair",
  fields: Schema.Struct({ left: Schema.String, right: Schema.Int, text: Schema.String }),
  primaryKey: ["left", "right"]
})

export const schema: StoreSchema = {
  types: [
    {
      tag: 2,
      description: RecordType.describe(Item),
      indexes: [
        { name: "by_group", tag: 129, ready: true },
        { name: "by_flag", tag: 130, ready: true },
        { name: "by_note", tag: 131, ready: true }
      ]
    },
    { tag: 3, description: RecordType.describe(Pair), indexes: [] }
  ],
  nextTypeTag: 4,
  nextIndexTag: 132,
  removing: []
}

/** The sync id of a number: later numbers order behind. */
export const syncId = (number: number): SyncId => {
  const bytes = new Uint8Array(20).fill(number)
  return Result.getOrThrow(Ksuid.fromBytes(bytes))
}

export const item = (index: number, fields: Partial<Item> = {}): Item => ({
  id: `item/${String(index).padStart(6, "0")}`,
  group: `group ${index % 7}`,
  number: (index * 7919) % 1_000,
  flag: index % 3 === 0,
  ...(index % 2 === 0 ? { note: `note\0${index % 5}` } : {}),
  discovered_at: 1_700_000_000_000_000 + index,
  ...fields
})

export const items = (count: number): Array<Item> => Array.from({ length: count }, (_, index) => item(index))

/** One sync to plant. */
export interface PlantedSync {
  readonly id: SyncId
  /** Default `full`. */
  readonly type?: string
  /** Default: not ended. */
  readonly endedAt?: number
  readonly items?: ReadonlyArray<Item>
  readonly pairs?: ReadonlyArray<Pair>
  /** Default `complete`. */
  readonly indexes?: IndexState
}

/** Logical rows, before they are blocks. `meta` and `syncs` are as the engine has them. */
export interface LogicalRows {
  records: Array<Row>
  indexes: Array<Row>
  syncs: Array<Row>
  meta: Array<Row>
}

const [itemLayout, pairLayout] = schema.types.map((type, index) => layoutOf(type, [Item, Pair][index]!))
export const layouts: readonly [TypeLayout, TypeLayout] = [itemLayout!, pairLayout!]

const noValue = new Uint8Array()

/** The key of a record. */
export const recordKey = (sync: SyncId, record: Item | Pair): Uint8Array => {
  const layout = "id" in record ? layouts[0] : layouts[1]
  return keyWith(headerOf(layout.tag, syncBytes(sync)), layout.keyParts, record, undefined)
}

/** The key of an item's entry, as if it had one. */
export const entryKey = (sync: SyncId, index: string, record: Item): Uint8Array => {
  const found = layouts[0].indexes.find(({ name }) => name === index)!
  const primary = recordKey(sync, record).subarray(22)
  return keyWith(headerOf(found.tag, syncBytes(sync)), found.parts, record, primary)
}

const keyWith = (
  header: Uint8Array,
  parts: ReadonlyArray<RecordType.KeyPart>,
  record: unknown,
  primary: Uint8Array | undefined
): Uint8Array => {
  const key = new Uint8Array(4_000)
  key.set(header)
  let end = appendParts(key, header.length, parts, record)
  if (primary !== undefined) {
    key[end++] = 0
    key.set(primary, end)
    end += primary.length
  }
  return key.slice(0, end)
}

/** The rows of whole syncs. */
export const rowsOf = (syncs: ReadonlyArray<PlantedSync>): LogicalRows => {
  const rows: LogicalRows = {
    records: [],
    indexes: [],
    syncs: [],
    meta: [{ key: schemaKey(), value: encodeSchema(schema) }]
  }
  for (const { endedAt, id, indexes = "complete", items = [], pairs = [], type = "full" } of syncs) {
    const counts = { Item: items.length, Pair: pairs.length }
    const run: SyncRun = {
      sync_id: id,
      type,
      started_at: 1,
      token: "",
      ...(endedAt === undefined ? { counts: {} } : { ended_at: endedAt, counts })
    }
    const sync = syncBytes(id)
    rows.syncs.push({ key: syncRunKey(sync), value: SyncRun.codec.encodeUnsafe(run) })
    rows.syncs.push({ key: syncByTypeKey(type, sync), value: noValue })
    rows.meta.push({ key: syncBookKey(sync), value: encodeSyncBook({ indexes, counts }) })
    for (const record of items) {
      rows.records.push({ key: recordKey(id, record), value: Item.codec.encodeUnsafe(record) })
      for (const { name, parts, where } of layouts[0].indexes) {
        const has = satisfies(record, where) && appendParts(new Uint8Array(4_000), 0, parts, record) >= 0
        if (has) rows.indexes.push({ key: entryKey(id, name, record), value: noValue })
      }
    }
    for (const record of pairs) {
      rows.records.push({ key: recordKey(id, record), value: Pair.codec.encodeUnsafe(record) })
    }
  }
  return rows
}

/** Rows in order, as blocks of a few. */
export const blocksOf = (rows: ReadonlyArray<Row>, rowsPerBlock = 3): Array<Row> => {
  const sorted = rows.toSorted((left, right) => compareBytes(left.key, right.key))
  const blocks: Array<Row> = []
  let group: Array<Row> = []
  const flush = (): void => {
    if (group.length > 0) blocks.push({ key: group[0]!.key, value: blockValue(group) })
    group = []
  }
  for (const row of sorted) {
    const isOther = group.length > 0 && compareBytes(group[0]!.key.subarray(0, 22), row.key.subarray(0, 22)) !== 0
    if (isOther || group.length === rowsPerBlock) flush()
    group.push(row)
  }
  flush()
  return blocks
}

const blockValue = (rows: ReadonlyArray<Row>): Uint8Array => {
  const size = rows.reduce((sum, { key, value }) => sum + key.length + value.length + 15, 5)
  const bytes = new Uint8Array(size)
  let end = writeVarint(bytes, 0, rows.length)
  for (const [index, { key, value }] of rows.entries()) {
    if (index > 0) {
      const before = rows[index - 1]!.key
      let shared = 0
      while (shared < before.length && before[shared] === key[shared]) shared++
      end = writeVarint(bytes, end, shared)
      end = writeVarint(bytes, end, key.length - shared)
      bytes.set(key.subarray(shared), end)
      end += key.length - shared
    }
    end = writeVarint(bytes, end, value.length)
    bytes.set(value, end)
    end += value.length
  }
  return bytes.slice(0, end)
}

/** Writes rows as blocks into an empty database. */
export const plantRows = (database: Database, rows: LogicalRows): Effect.Effect<void, EngineError> =>
  plantBlocks(database, { ...rows, records: blocksOf(rows.records), indexes: blocksOf(rows.indexes) })

/** Writes rows as the engine is to have them. */
export const plantBlocks = (database: Database, rows: LogicalRows): Effect.Effect<void, EngineError> =>
  database.write((batch) => {
    for (const keyspace of ["records", "indexes"] as const) {
      for (const { key, value } of rows[keyspace]) batch.put(keyspace, key, value)
    }
    for (const { key, value } of rows.syncs) batch.put(syncsKeyspace, key, value)
    for (const { key, value } of rows.meta) batch.put(metaKeyspace, key, value)
  })

/** An empty database in memory. */
export const openMemory: Effect.Effect<Database, EngineError, Scope.Scope> = Effect.suspend(() =>
  MemoryEngine.make(MemoryEngine.makeMedium()).open({ path: "/store", keyspaces: storeKeyspaces })
)

/** A database with these syncs. */
export const openPlanted: (syncs: ReadonlyArray<PlantedSync>) => Effect.Effect<Database, EngineError, Scope.Scope> =
  Effect.fnUntraced(function* (syncs) {
    const database = yield* openMemory
    yield* plantRows(database, rowsOf(syncs))
    return database
  })
