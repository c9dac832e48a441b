import { assert, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { emptySchema, type StoreSchema } from "../src/format/StoreSchema.ts"
import { plan, type SchemaPlan } from "../src/internal/records/opening/SchemaPlan.ts"
import * as RecordType from "../src/RecordType.ts"
import { SyncRun } from "../src/SyncRun.ts"

const fields = { id: Schema.String, group: Schema.String, size: Schema.Int }

const declare = (
  extra: Schema.Struct.Fields = {},
  indexes: Record<string, RecordType.Index> = { by_group: { paths: ["group"] } },
  name = "Item"
): RecordType.Any =>
  RecordType.make({ name, fields: Schema.Struct({ ...fields, ...extra }), primaryKey: ["id"], indexes })

const planned = (stored: StoreSchema, ...types: ReadonlyArray<RecordType.Any>): SchemaPlan =>
  Result.getOrThrow(plan(stored, types))

const refused = (stored: StoreSchema, type: RecordType.Any): string => {
  const result = plan(stored, [type])
  return Result.isFailure(result) ? result.failure.detail : assert.fail("it was planned")
}

const base = planned(emptySchema, declare()).after

it("SchemaPlan.plan gives new types the next tags, and their indexes are ready", () => {
  const both = planned(emptySchema, declare(), declare({}, { by_size: { paths: ["size"] } }, "Other"))
  assert.isTrue(both.isChange)
  assert.deepStrictEqual(
    both.after.types.map(({ indexes, tag }) => ({ tag, indexes })),
    [
      { tag: 2, indexes: [{ name: "by_group", tag: 129, ready: true }] },
      { tag: 3, indexes: [{ name: "by_size", tag: 130, ready: true }] }
    ]
  )
  assert.deepStrictEqual([both.build, both.clear], [[], []])
})

it("SchemaPlan.plan changes nothing for types that are stored, or that are not declared", () => {
  assert.isFalse(planned(base, declare()).isChange)
  assert.isFalse(planned(base).isChange)
  assert.deepStrictEqual(planned(base).after, base)
})

it("SchemaPlan.plan builds a new index under a tag that was never used, and clears what is there of it", () => {
  const indexes = { by_group: { paths: ["group"] }, by_size: { paths: ["size"] } }
  const next = planned(base, declare({}, indexes))
  const index = { name: "by_size", tag: 130, ready: false }
  assert.deepStrictEqual(next.build, [{ typeTag: 2, index }])
  assert.deepStrictEqual(next.clear, [130])
  assert.deepInclude(next.before.types[0]!.indexes, index)
  assert.isTrue(next.after.types[0]!.indexes.every(({ ready }) => ready))
  // A crash before the end leaves the first schema: the same again.
  const again = planned(next.before, declare({}, indexes))
  assert.deepStrictEqual([again.build, again.clear, again.after], [next.build, next.clear, next.after])
})

it("SchemaPlan.plan removes a dropped index and never gives its tag again", () => {
  const without = planned(base, declare({}, {}))
  assert.deepStrictEqual([without.clear, without.before.removing, without.after.removing], [[129], [129], []])
  // A crash before the end leaves it to the next one.
  assert.deepStrictEqual(planned(without.before).clear, [129])
  assert.deepStrictEqual(planned(without.after, declare()).build[0]!.index.tag, 130)
})

it("SchemaPlan.plan takes an index of the same name over other paths, or with another condition, for another one", () => {
  for (const index of [{ paths: ["size"] }, { paths: ["group"], where: { path: "size", equals: 1 } }]) {
    const next = planned(base, declare({}, { by_group: index }))
    assert.deepStrictEqual(next.clear, [129, 130])
    assert.deepStrictEqual(next.after.types[0]!.indexes, [{ name: "by_group", tag: 130, ready: true }])
  }
})

it("SchemaPlan.plan takes in appended optional fields, and keeps them for a declaration that lacks them", () => {
  const longer = planned(base, declare({ note: Schema.optionalKey(Schema.String) }))
  assert.isTrue(longer.isChange)
  assert.deepStrictEqual(planned(longer.after, declare()).after, longer.after)
  const inner = (extra: Schema.Struct.Fields) =>
    declare({ place: Schema.Struct({ room: Schema.String, ...extra }), state: Schema.Literals(["a"]) })
  const nested = planned(emptySchema, inner({})).after
  const grown = planned(nested, inner({ floor: Schema.optionalKey(Schema.Int) })).after
  assert.isFalse(planned(grown, inner({})).isChange)
})

it("SchemaPlan.plan refuses a declaration that contradicts what is stored, and says where", () => {
  const key = RecordType.make({ name: "Item", fields: Schema.Struct(fields), primaryKey: ["group"] })
  assert.strictEqual(refused(base, key), "its primary key is group, stored under id")
  assert.strictEqual(refused(base, declare({ note: Schema.String })), "its new field note is not optional")
  const kind = RecordType.make({
    name: "Item",
    fields: Schema.Struct({ ...fields, size: Schema.String }),
    primaryKey: ["id"]
  })
  assert.strictEqual(refused(base, kind), "field size is string, stored as int")
  const order = RecordType.make({
    name: "Item",
    fields: Schema.Struct({ id: Schema.String, size: Schema.Int, group: Schema.String }),
    primaryKey: ["id"]
  })
  assert.strictEqual(refused(base, order), "field 1 is size, stored as group")
  const lacking = RecordType.make({ name: "Item", fields: Schema.Struct({ id: Schema.String }), primaryKey: ["id"] })
  assert.strictEqual(refused(base, lacking), "it lacks the field group")
  const optional = RecordType.make({
    name: "Item",
    fields: Schema.Struct({ ...fields, size: Schema.optionalKey(Schema.Int) }),
    primaryKey: ["id"]
  })
  assert.strictEqual(refused(base, optional), "field size is optional, stored as required")
  const states = (values: ReadonlyArray<string>) => declare({ states: Schema.Array(Schema.Literals(values)) })
  const stored = planned(emptySchema, states(["a", "b"])).after
  assert.strictEqual(refused(stored, states(["a"])), 'field states[] cannot be "b", which is stored')
  assert.isTrue(planned(stored, states(["a", "b", "c"])).isChange)
  assert.strictEqual(Result.isFailure(plan(emptySchema, [declare(), declare()])), true)
})

it("SchemaPlan.plan refuses a type of the name of the sync runs, which the store keeps itself", () => {
  assert.strictEqual(refused(emptySchema, SyncRun), "the store keeps sync runs itself")
})
