import { assert, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { types } from "../src/access/index.ts"
import * as RecordType from "../src/RecordType.ts"

const fields = {
  id: Schema.String,
  place: Schema.Struct({ room: Schema.optionalKey(Schema.String), floor: Schema.Int }),
  profile: Schema.Unknown,
  note: Schema.optionalKey(Schema.String),
  nothing: Schema.NullOr(Schema.String),
  discovered_at: Schema.Int
}

const make = (options: {
  readonly name?: string
  readonly primaryKey?: ReadonlyArray<string>
  readonly indexes?: Record<string, RecordType.Index>
  readonly recency?: string
}): RecordType.Any => RecordType.make({ name: "Item", fields: Schema.Struct(fields), primaryKey: ["id"], ...options })

const thrown = (options: Parameters<typeof make>[0]): string => {
  try {
    make(options)
  } catch (cause) {
    return cause instanceof Error ? cause.message : ""
  }
  return assert.fail("it was declared")
}

it("RecordType.make takes paths into structs, and discovered_at for how new a record is", () => {
  const type = make({ primaryKey: ["id", "place.floor"], indexes: { by_room: { paths: ["place.room"] } } })
  assert.strictEqual(type.recency, "discovered_at")
  assert.deepStrictEqual(
    type.keyParts.map(({ kind, path }) => [path.join("."), kind]),
    [
      ["id", "string"],
      ["place.floor", "int"]
    ]
  )
  const plain = RecordType.make({ name: "Plain", fields: Schema.Struct({ id: Schema.String }), primaryKey: ["id"] })
  assert.strictEqual(plain.recency, undefined)
})

it("RecordType.make refuses declarations that cannot work, and says why", () => {
  assert.include(thrown({ name: "1" }), "its name is")
  assert.include(thrown({ primaryKey: [] }), "its primary key has 0 paths")
  assert.include(thrown({ primaryKey: ["id", "id"] }), "its primary key names a path twice")
  assert.include(thrown({ primaryKey: ["missing"] }), "there is no field missing")
  assert.include(thrown({ primaryKey: ["id.length"] }), "id is no struct")
  assert.include(thrown({ primaryKey: ["note"] }), "the path note, which can be absent")
  assert.include(thrown({ primaryKey: ["place.room"] }), "the path place.room, which can be absent")
  assert.include(thrown({ primaryKey: ["nothing"] }), "the path nothing, which can be absent")
  assert.include(thrown({ primaryKey: ["profile"] }), "a key cannot have a json")
  assert.include(thrown({ indexes: { "by-id": { paths: ["id"] } } }), 'an index has the name "by-id"')
  assert.include(thrown({ indexes: { by_id: { paths: [] } } }), "index by_id has 0 paths")
  const where = { path: "id", equals: 1 }
  assert.include(thrown({ indexes: { by_id: { paths: ["id"], where } } }), "compares a string with a number")
  assert.include(thrown({ recency: "note" }), "its recency is note")
})

it("RecordType.fromDescription gives the type that was described, through JSON", () => {
  const type = make({ indexes: { by_note: { paths: ["note"], where: { path: "place.floor", equals: 3 } } } })
  for (const each of [type, ...types]) {
    const description = JSON.parse(JSON.stringify(RecordType.describe(each)))
    const again = Result.getOrThrow(RecordType.fromDescription(description))
    assert.deepStrictEqual(RecordType.describe(again), RecordType.describe(each))
    assert.deepStrictEqual([again.shape, again.keyParts], [each.shape, each.keyParts])
  }
})

it("RecordType.fromDescription refuses what describes no type", () => {
  const description = RecordType.describe(make({}))
  const { schema: _, ...without } = description
  for (const wrong of [
    undefined,
    [],
    without,
    { ...description, version: 0 },
    { ...description, primaryKey: ["missing"] },
    { ...description, indexes: { by_id: { paths: "id" } } },
    { ...description, schema: { type: "string" } }
  ]) {
    assert.isTrue(Result.isFailure(RecordType.fromDescription(wrong)), JSON.stringify(wrong))
  }
})

it("RecordType.make refuses a condition that a store could not keep: it could not be opened again", () => {
  const condition = (path: string, equals: RecordType.Comparable) =>
    thrown({ indexes: { by_id: { paths: ["id"], where: { path, equals } } } })
  for (const equals of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.include(condition("place.floor", equals), "the condition of index by_id compares a int with")
  }
  assert.include(condition("id", "\ud800"), "which none is")
})
