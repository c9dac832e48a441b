import { assert, it } from "@effect/vitest"
import { Ksuid, Tuple } from "@icecore/codec"
import { Result, Schema } from "effect"
import { Hex } from "effect/encoding"
import { Grant, types } from "../src/access/index.ts"
import {
  headerOf,
  headerSizeBytes,
  primaryKeyOf,
  primaryKeyStart,
  satisfies,
  syncBookKey,
  syncByTypeKey,
  syncByTypePrefix,
  syncBytes,
  syncRunKey
} from "../src/format/RecordLayout.ts"
import {
  decodeSchema,
  decodeSyncBook,
  emptySchema,
  encodeSchema,
  encodeSyncBook,
  layoutOf
} from "../src/format/StoreSchema.ts"
import { plan } from "../src/internal/records/opening/SchemaPlan.ts"
import { KeyTooLong, make, writeEntryKey, writeRecordKey } from "../src/internal/records/writing/RecordKeys.ts"
import * as RecordType from "../src/RecordType.ts"

const syncHex = "0669f7efb5a1cd34b5f99d1154fb6853345c9735"
const sync = Result.getOrThrow(Ksuid.fromBytes(Result.getOrThrow(Hex.decode(syncHex))))

const grant = {
  external_id: "g",
  entitlement_id: "e",
  entitlement_resource_type_id: "role",
  entitlement_resource_id: "r",
  principal_resource_type_id: "user",
  principal_resource_id: "u",
  sources: {},
  needs_expansion: false,
  annotations: [],
  discovered_at: 1
} satisfies Grant

const schema = Result.getOrThrow(plan(emptySchema, types)).after
const keys = make(
  layoutOf(schema.types.find(({ description }) => description.name === "Grant")!, Grant),
  syncBytes(sync)
)

const entriesOf = (record: Grant): Record<string, string> => {
  const primary = primaryKeyOf(Grant, record)
  const target = new Uint8Array(4_000)
  const entries: Record<string, string> = {}
  keys.layout.indexes.forEach((index, place) => {
    const end = writeEntryKey(target, 0, index, keys.indexHeaders[place]!, record, primary, 0, primary.length)
    if (end >= 0) entries[index.name] = Hex.encode(target.slice(0, end))
  })
  return entries
}

it("RecordLayout writes the keys that its page shows", () => {
  const target = new Uint8Array(4_000)
  const end = writeRecordKey(target, 0, keys, grant)
  assert.strictEqual(Hex.encode(target.slice(0, end)), `0105${syncHex}67`)
  const header = (tag: string): string => `01${tag}${syncHex}`
  assert.deepStrictEqual(entriesOf(grant), {
    by_entitlement: `${header("83")}650075736572007500${"67"}`,
    by_entitlement_resource: `${header("84")}726f6c65007200${"67"}`,
    by_principal: `${header("85")}75736572007500${"67"}`
  })
  assert.strictEqual(entriesOf({ ...grant, needs_expansion: true }).by_needs_expansion, `${header("86")}01020067`)
  assert.strictEqual(Hex.encode(syncRunKey(syncBytes(sync))), `0101${syncHex}`)
  assert.strictEqual(Hex.encode(syncByTypeKey("full", syncBytes(sync))), `018066756c6c00${syncHex}`)
  assert.strictEqual(Hex.encode(syncByTypePrefix("a\0b")), "018061010162" + "00")
  assert.strictEqual(Hex.encode(syncBookKey(syncBytes(sync))), `73796e632f${syncHex}`)
})

it("RecordLayout orders integers, bytes and dates of keys as their values", () => {
  const Event = RecordType.make({
    name: "Event",
    fields: Schema.Struct({
      number: Schema.Int,
      at: Schema.Date,
      big: Schema.BigInt,
      is: Schema.Boolean,
      raw: Schema.Uint8Array
    }),
    primaryKey: ["number", "at", "big", "is", "raw"]
  })
  const event = (number: number, at = 0, big = 0n, is = false, raw: ReadonlyArray<number> = []) =>
    Hex.encode(primaryKeyOf(Event, { number, at: new Date(at), big, is, raw: Uint8Array.from(raw) }))
  const ascending = [
    event(-1),
    event(0, -1),
    event(0, 0, -1n),
    event(0),
    event(0, 0, 0n, false, [0]),
    event(0, 0, 0n, false, [1]),
    event(0, 0, 0n, true),
    event(0, 0, 1n),
    event(0, 1),
    event(1),
    event(256)
  ]
  assert.deepStrictEqual(ascending, [...ascending].sort())
  assert.strictEqual(new Set(ascending).size, ascending.length)
})

it("RecordLayout.primaryKeyStart finds the primary key behind escaped parts, and says when there are too few", () => {
  const parts = Uint8Array.from([...headerOf(133, syncBytes(sync)), 1, 1, 0, 0, 9, 9])
  assert.strictEqual(primaryKeyStart(parts, 2), headerSizeBytes + 4)
  assert.strictEqual(primaryKeyStart(parts, 3), -1)
})

it("RecordLayout.satisfies compares fields and takes absent ones for others", () => {
  const where = { path: ["place", "floor"], equals: 1 }
  assert.isTrue(satisfies({ place: { floor: 1 } }, where))
  for (const record of [{ place: { floor: 2 } }, { place: {} }, {}, { place: null }]) {
    assert.isFalse(satisfies(record, where))
  }
})

it("RecordKeys refuses a key longer than an engine takes, whether or not the buffer would have room", () => {
  const long = { ...grant, external_id: "x".repeat(1_879) }
  for (const sizeBytes of [1_950, 8_000]) {
    let thrown: unknown
    try {
      writeRecordKey(new Uint8Array(sizeBytes), 0, keys, long)
    } catch (cause) {
      thrown = cause
    }
    assert.isTrue(thrown instanceof KeyTooLong || thrown instanceof Tuple.TupleOverflow)
  }
  const fits = { ...grant, external_id: "x".repeat(1_878) }
  assert.strictEqual(writeRecordKey(new Uint8Array(1_901), 0, keys, fits), 1_900)
})

it("StoreSchema gives back the schema that was written", () => {
  assert.deepStrictEqual(Result.getOrThrow(decodeSchema(encodeSchema(schema))), schema)
  const building = {
    ...schema,
    types: schema.types.map((type) => ({
      ...type,
      indexes: type.indexes.map((index) => ({ ...index, ready: false }))
    })),
    removing: [schema.nextIndexTag],
    nextIndexTag: schema.nextIndexTag + 1
  }
  const again = Result.getOrThrow(decodeSchema(encodeSchema(building)))
  assert.deepStrictEqual(again, building)
  // What is being built is not read.
  for (const type of again.types) assert.deepStrictEqual(layoutOf(type).indexes, [])
})

it("StoreSchema refuses a schema that is none, and every one whose tags contradict each other", () => {
  const text = new TextDecoder().decode(encodeSchema(schema))
  const row = JSON.parse(text)
  const [first, ...rest] = row.types
  for (const wrong of [
    "",
    text.slice(0, -1),
    "[]",
    JSON.stringify({ ...row, format: 2 }),
    JSON.stringify({ ...row, key_layout: 2 }),
    JSON.stringify({ ...row, next_type_tag: 3 }),
    JSON.stringify({ ...row, next_index_tag: 129 }),
    JSON.stringify({ ...row, removing: [200] }),
    JSON.stringify({ ...row, removing: [row.next_index_tag - 1] }),
    JSON.stringify({ ...row, types: [first, ...row.types] }),
    JSON.stringify({ ...row, types: [{ ...first, tag: rest[0].tag }, ...rest] }),
    JSON.stringify({ ...row, types: [{ ...first, tag: 1 }, ...rest] }),
    JSON.stringify({ ...row, types: [{ ...first, indexes: [{ name: "x", tag: 129, ready: true }] }, ...rest] }),
    JSON.stringify({ ...row, types: row.types.map((type: object) => ({ ...type, indexes: [] })) }),
    JSON.stringify({ ...row, types: [{ ...first, description: {} }, ...rest] })
  ]) {
    assert.isTrue(Result.isFailure(decodeSchema(new TextEncoder().encode(wrong))), wrong)
  }
  assert.isTrue(Result.isFailure(decodeSchema(Uint8Array.of(0xff))))
})

it("StoreSchema.layoutOf leaves out an index that the declaration has over other paths", () => {
  const stored = schema.types.find(({ description }) => description.name === "Grant")!
  const description = RecordType.describe(Grant)
  const indexes = { ...description.indexes, by_principal: { paths: ["principal_resource_id"] } }
  const other = Result.getOrThrow(RecordType.fromDescription({ ...description, indexes }))
  const names = layoutOf(stored, other).indexes.map(({ name }) => name)
  assert.deepStrictEqual(names, ["by_entitlement", "by_entitlement_resource", "by_needs_expansion"])
})

it("StoreSchema gives back the bookkeeping of a sync, and refuses every truncation of it", () => {
  const book = { indexes: "behind", counts: { Grant: 3, Asset: 1 } } as const
  const bytes = encodeSyncBook(book)
  assert.deepStrictEqual(Result.getOrThrow(decodeSyncBook(bytes)), book)
  for (let size = 0; size < bytes.length; size++) {
    assert.isTrue(Result.isFailure(decodeSyncBook(bytes.subarray(0, size))), `${size} bytes`)
  }
})
