import { assert, it } from "@effect/vitest"
import { Ksuid } from "@icecore/codec"
import { Result, Schema } from "effect"
import { Hex } from "effect/encoding"
import * as fc from "fast-check"
import { Grant, Resource } from "../src/access/index.ts"
import { primaryKeyOf, syncBytes } from "../src/format/RecordLayout.ts"
import { emptySchema, layoutOf } from "../src/format/StoreSchema.ts"
import { plan } from "../src/internal/records/opening/SchemaPlan.ts"
import { make as makeKeys, writeEntryKey, writeRecordKey } from "../src/internal/records/writing/RecordKeys.ts"
import { compareAt } from "../src/kernel/RecordOrder.ts"
import * as RecordType from "../src/RecordType.ts"
import * as SyncChange from "../src/SyncChange.ts"

const Event = RecordType.make({
  name: "Event",
  fields: Schema.Struct({
    at: Schema.Date,
    number: Schema.Int,
    big: Schema.BigInt,
    is: Schema.Boolean,
    raw: Schema.Uint8Array,
    place: Schema.Struct({ name: Schema.String, kind: Schema.Literals(["room", "hall"]) })
  }),
  primaryKey: ["place.name", "number", "big", "is", "raw", "at", "place.kind"]
})

const event: fc.Arbitrary<RecordType.Key<typeof Event>> = fc.record({
  at: fc.date({ noInvalidDate: true }),
  number: fc.maxSafeInteger(),
  big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  is: fc.boolean(),
  raw: fc.uint8Array({ maxLength: 4 }),
  place: fc.record({
    name: fc.oneof(fc.constantFrom("", "\0", "\0\u0001", "\u0001"), fc.string({ unit: "binary" })),
    kind: fc.constantFrom("room", "hall")
  })
})

it("SyncChange has a key of its type's name and the escaped bytes of the record's key", () => {
  const sync = Result.getOrThrow(Ksuid.fromBytes(new Uint8Array(20).fill(7)))
  const header = "07".repeat(20)
  const stored = Result.getOrThrow(plan(emptySchema, [SyncChange.SyncChange])).after.types[0]!
  const keys = makeKeys(layoutOf(stored, SyncChange.SyncChange), syncBytes(sync))
  const target = new Uint8Array(4_000)
  const change = SyncChange.removalOf(Resource, { resource_type_id: "user", resource_id: "4\u0001" }, 5)
  assert.strictEqual(Hex.encode(change.record_key), "7573657200340102")
  const end = writeRecordKey(target, 0, keys, change)
  const text = (part: string): string => `${Hex.encode(new TextEncoder().encode(part))}00`
  // The 00 between the parts of the record's key is 01 01, and the 01 of its escaped 01 is 01 02.
  assert.strictEqual(Hex.encode(target.slice(0, end)), `0102${header}${text("Resource")}75736572010134010202`)
  const primary = primaryKeyOf(SyncChange.SyncChange, change)
  const [index] = keys.layout.indexes
  const entryEnd = writeEntryKey(target, 0, index!, keys.indexHeaders[0]!, change, primary, 0, primary.length)
  const entry = `0181${header}${text("removed")}${text("Resource")}${Hex.encode(primary)}`
  assert.strictEqual(Hex.encode(target.slice(0, entryEnd)), entry)
})

it("SyncChange has the bytes that stores keep of it", () => {
  const change = SyncChange.make({
    type: Grant,
    record: { external_id: "g" },
    kind: "changed",
    fields: ["sources", "annotations"],
    discoveredAt: 1_700_000_000_000_000
  })
  assert.deepStrictEqual(change.fields, ["annotations", "sources"])
  const bytes = Result.getOrThrow(SyncChange.SyncChange.codec.encode(change))
  assert.strictEqual(
    Hex.encode(bytes),
    "0195a54772616e74c40167a76368616e67656492ab616e6e6f746174696f6e73a7736f7572636573cb4318289060790000"
  )
  assert.deepStrictEqual(Result.getOrThrow(SyncChange.SyncChange.codec.decode(bytes)), change)
})

it("SyncChange.keyOf gives back the key that a change was made with, of parts of every kind", () => {
  fc.assert(
    fc.property(event, (key) => {
      assert.deepStrictEqual(Result.getOrThrow(SyncChange.keyOf(Event, SyncChange.removalOf(Event, key, 0))), key)
    })
  )
})

it("SyncChange orders the changes of one type as its records", () => {
  const paths = SyncChange.SyncChange.keyParts.map(({ path }) => path)
  const eventPaths = Event.keyParts.map(({ path }) => path)
  fc.assert(
    fc.property(event, event, (left, right) => {
      const [first, second] = [left, right].map((key) => SyncChange.removalOf(Event, key, 0))
      assert.strictEqual(Math.sign(compareAt(first, second, paths)), Math.sign(compareAt(left, right, eventPaths)))
      const [a, b] = [first, second].map((change) => Hex.encode(primaryKeyOf(SyncChange.SyncChange, change)))
      assert.strictEqual(a! < b! ? -1 : a! > b! ? 1 : 0, Math.sign(compareAt(left, right, eventPaths)))
    })
  )
})

it("SyncChange.keyOf refuses bytes that are no key of the type", () => {
  const { record_key: key, ...rest } = SyncChange.removalOf(Resource, { resource_type_id: "user", resource_id: "4" }, 5)
  for (const [wrong, message] of [
    [Uint8Array.of(), "Cannot read tuple at byte 1: expected 2 parts, found 1"],
    [Uint8Array.of(...key, 0), "Cannot read tuple at byte 7: expected 2 parts, found more"],
    [Uint8Array.of(...key, 0xff), "Cannot read tuple at byte 5: expected UTF-8"]
  ] as const) {
    const read = SyncChange.keyOf(Resource, { ...rest, record_key: wrong })
    assert.isTrue(Result.isFailure(read))
    if (Result.isFailure(read)) assert.strictEqual(read.failure.message, message)
  }
  assert.isTrue(Result.isFailure(SyncChange.keyOf(Event, { ...rest, record_key: key })))
})

it("SyncChange.isPartial tells by the type of a run", () => {
  for (const type of ["partial", "partial_diff", "partial_upserts", "partialMerge"])
    assert.isTrue(SyncChange.isPartial({ type }))
  for (const type of ["full", "resources_only", "a_partial"]) assert.isFalse(SyncChange.isPartial({ type }))
})
