import { assert, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as RecordType from "../src/RecordType.ts"
import * as TypeUnion from "../src/TypeUnion.ts"

const fields = { id: Schema.String, seen: Schema.Int }

const Thing = RecordType.make({
  name: "Thing",
  fields: Schema.Struct(fields),
  primaryKey: ["id"],
  indexes: { by_seen: { paths: ["seen"] } }
})

const LongerThing = RecordType.make({
  name: "Thing",
  fields: Schema.Struct({ ...fields, kind: Schema.optionalKey(Schema.Literals(["a", "b"])) }),
  version: 2,
  primaryKey: ["id"],
  indexes: { by_kind: { paths: ["kind"] } },
  recency: "seen"
})

const kinds = (values: ReadonlyArray<string>) =>
  RecordType.make({
    name: "Kind",
    fields: Schema.Struct({ id: Schema.String, kind: Schema.Literals(values) }),
    primaryKey: ["id"]
  })

type Stores = ReadonlyArray<ReadonlyArray<RecordType.Any>>

const union = (...types: Stores) => TypeUnion.make(types.map((each, index) => ({ path: `store${index}`, types: each })))

const describe = (...types: Stores) => Result.getOrThrow(union(...types)).map(RecordType.describe)

it("TypeUnion.make has each type once, with the fields that any has and the indexes and recency of the first", () => {
  const short = RecordType.describe(Thing)
  const long = RecordType.describe(LongerThing)
  const { recency: _, ...withoutRecency } = long
  assert.deepStrictEqual(describe([Thing], [LongerThing]), [{ ...withoutRecency, indexes: short.indexes }])
  assert.deepStrictEqual(describe([LongerThing], [Thing]), [long])
  assert.strictEqual(Result.getOrThrow(union([Thing], [kinds(["a"]), Thing]))[0], Thing)
  assert.deepStrictEqual(
    describe([Thing], [kinds(["a"]), LongerThing], [Thing]).map(({ name, version }) => [name, version]),
    [
      ["Thing", 2],
      ["Kind", 1]
    ]
  )
})

it("TypeUnion.make takes the literal that has the values of the other, whichever comes first", () => {
  const both = RecordType.describe(kinds(["a", "b"]))
  assert.deepStrictEqual(describe([kinds(["a"])], [kinds(["a", "b"])]), [both])
  assert.deepStrictEqual(describe([kinds(["a", "b"])], [kinds(["a"])]), [both])
})

it("TypeUnion.make refuses types of one name that cannot stand beside each other, and says which and where", () => {
  const Other = RecordType.make({ name: "Thing", fields: Schema.Struct(fields), primaryKey: ["seen"] })
  const message = (...types: Stores) => Result.getOrThrow(Result.flip(union(...types))).message
  assert.strictEqual(
    message([Thing], [kinds(["a"])], [Other]),
    "Cannot use store2 with store0: of record type Thing its primary key is seen, stored under id"
  )
  assert.include(message([kinds(["a"])], [kinds(["b"])]), 'of record type Kind field kind cannot be "a"')
})

it("TypeUnion.covers says whether the first type has all fields and literals of the second, whatever their indexes", () => {
  assert.isTrue(TypeUnion.covers(Thing, Thing))
  assert.isTrue(TypeUnion.covers(LongerThing, Thing))
  assert.isFalse(TypeUnion.covers(Thing, LongerThing))
  assert.isTrue(TypeUnion.covers(kinds(["a", "b"]), kinds(["a"])))
  assert.isFalse(TypeUnion.covers(kinds(["a"]), kinds(["a", "b"])))
  assert.isFalse(TypeUnion.covers(kinds(["a"]), kinds(["b"])))
})
