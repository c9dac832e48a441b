import { assert, describe, it } from "@effect/vitest"
import { RecordType, SyncChange } from "@icecore/engine"
import { Effect, Option, Schema } from "effect"
import * as FieldFilter from "../src/cli/records/FieldFilter.ts"
import * as KeyText from "../src/cli/records/KeyText.ts"
import * as RecordArguments from "../src/cli/records/RecordArguments.ts"
import * as RecordTable from "../src/cli/records/RecordTable.ts"

const Thing = RecordType.make({
  name: "Thing",
  fields: Schema.Struct({
    id: Schema.String,
    place: Schema.Struct({ floor: Schema.Int, room: Schema.String }),
    tags: Schema.Array(Schema.String),
    notes: Schema.Array(Schema.Struct({ type: Schema.String, value: Schema.Uint8Array })),
    profile: Schema.optionalKey(Schema.Json),
    size: Schema.optionalKey(Schema.NullOr(Schema.Int)),
    discovered_at: Schema.Int
  }),
  primaryKey: ["place.floor", "id"],
  indexes: { by_room: { paths: ["place.room", "place.floor"] } }
})

const Thingamajig = RecordType.make({
  name: "Thingamajig",
  fields: Schema.Struct({ id: Schema.String }),
  primaryKey: ["id"]
})
const Part = RecordType.make({ name: "Part", fields: Schema.Struct({ id: Schema.String }), primaryKey: ["id"] })

const record = {
  id: "a,b",
  place: { floor: 2, room: "x\\y" },
  tags: ["red", "large"],
  notes: [{ type: "t1", value: Uint8Array.of(255) }],
  profile: { department: "Sales", level: 3, boss: null, deep: [{ name: "n" }] },
  size: 7,
  discovered_at: 1_700_000_000_123_456
}

const failure = <A>(effect: Effect.Effect<A, RecordArguments.RecordArgumentInvalid>): string =>
  Effect.runSync(Effect.flip(effect)).message

describe("RecordArguments", () => {
  it("chooseType takes a name in any case, or the beginning of one where there is only one such", () => {
    const types = [Thing, Thingamajig, Part]
    const choose = (text: string) => Effect.runSync(RecordArguments.chooseType(types, text)).name
    for (const text of ["Thing", "thing", "THING"]) assert.strictEqual(choose(text), "Thing")
    assert.strictEqual(choose("p"), "Part")
    assert.strictEqual(choose("thinga"), "Thingamajig")
    const refused = (text: string) => failure(RecordArguments.chooseType(types, text))
    assert.strictEqual(refused("th"), 'Cannot use type "th": it could be Thing, Thingamajig')
    for (const text of ["", "things", "x"])
      assert.include(refused(text), "there is no such record type, expected Part, Thing, Thingamajig")
    assert.include(failure(RecordArguments.chooseType([], "x")), "there are no record types")
  })

  it("parseKey makes a key of parts by the kinds of their fields, nested where the paths are", () => {
    assert.deepStrictEqual(Effect.runSync(RecordArguments.parseKey(Thing, ["-2", "a,b"])), {
      place: { floor: -2 },
      id: "a,b"
    })
    assert.include(failure(RecordArguments.parseKey(Thing, ["1"])), "a key of Thing has 2 parts: place.floor id")
    assert.include(failure(RecordArguments.parseKey(Part, ["1", "2"])), "a key of Part has 1 part: id")
    assert.include(failure(RecordArguments.parseKey(Thing, ["1.5", "a"])), 'place.floor "1.5": expected a whole number')
  })

  it("parsePrefix names the leading parts of an index, or of the key", () => {
    const parse = (index: Option.Option<string>, text: string) => RecordArguments.parsePrefix(Thing, index, text)
    assert.deepStrictEqual(Effect.runSync(parse(Option.some("by_room"), "a\\,b,3")), {
      "place.room": "a,b",
      "place.floor": 3
    })
    assert.deepStrictEqual(Effect.runSync(parse(Option.none(), "3")), { "place.floor": 3 })
    assert.include(failure(parse(Option.none(), "3,a,b")), "it has 3 parts, expected at most 2: place.floor,id")
    assert.include(failure(parse(Option.none(), "x")), "expected a whole number")
  })

  it("chooseIndex refuses a name that is none, and says which there are", () => {
    assert.deepStrictEqual(
      Effect.runSync(RecordArguments.chooseIndex(Thing, Option.some("by_room"))),
      Option.some("by_room")
    )
    assert.include(
      failure(RecordArguments.chooseIndex(Thing, Option.some("x"))),
      "Thing has no such index, expected by_room"
    )
    assert.include(failure(RecordArguments.chooseIndex(Part, Option.some("x"))), "Part has no indexes")
  })
})

describe("KeyText", () => {
  it("split ends parts at commas that no backslash stands before", () => {
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
      ["", [""]],
      ["a", ["a"]],
      ["a,,b", ["a", "", "b"]],
      ["a\\,b,c", ["a,b", "c"]],
      ["a\\\\,b", ["a\\", "b"]],
      ["a\\b", ["a\\b"]],
      ["a\\", ["a\\"]]
    ]
    for (const [text, parts] of cases) assert.deepStrictEqual(KeyText.split(text), parts, text)
  })

  it("parse takes what format gives, and refuses what is of no such kind", () => {
    const values: ReadonlyArray<readonly [RecordType.KeyKind, unknown]> = [
      ["string", "any, text"],
      ["int", -12],
      ["bigint", -(2n ** 63n)],
      ["boolean", false],
      ["bytes", Uint8Array.of(1, 2, 250)],
      ["date", new Date(1_234)]
    ]
    for (const [kind, value] of values) {
      const parsed = KeyText.parse(kind, KeyText.format(value))
      assert(parsed._tag === "Success")
      assert.deepStrictEqual(parsed.success, value)
    }
    const refused: ReadonlyArray<readonly [RecordType.KeyKind, string]> = [
      ["int", ""],
      ["int", "1e3"],
      ["int", "9007199254740992"],
      ["bigint", "9223372036854775808"],
      ["bigint", "x"],
      ["boolean", "yes"],
      ["bytes", "!"],
      ["date", "yesterday"],
      ["date", "2024-13-01"]
    ]
    for (const [kind, text] of refused) assert.strictEqual(KeyText.parse(kind, text)._tag, "Failure", `${kind} ${text}`)
  })
})

describe("FieldFilter", () => {
  it("parse makes a filter that looks into structs, arrays and JSON", () => {
    const cases: ReadonlyArray<readonly [ReadonlyArray<string>, boolean]> = [
      [[], true],
      [["id=a,b"], true],
      [["id=a"], false],
      [["place.floor=2"], true],
      [["place.floor=2.0"], true],
      [["place.floor="], false],
      [["tags=red"], true],
      [["tags=blue"], false],
      [["tags!=red"], false],
      [["tags!=blue"], true],
      [["notes.type=t1", "notes.value=/w=="], true],
      [["notes.type=t1", "id=other"], false],
      [["profile.department=Sales"], true],
      [["profile.level=3"], true],
      [["profile.boss=null"], true],
      [["profile.deep.name=n"], true],
      [["profile.none.deep=x"], false],
      [["profile.none!=x"], true],
      [["profile=[object Object]"], false],
      [["size=7"], true]
    ]
    for (const [texts, expected] of cases)
      assert.strictEqual(Effect.runSync(FieldFilter.parse(Thing, texts))(record), expected, texts.join(" "))
  })

  it("parse refuses a field that no record can have, and says which there are", () => {
    const refused = (text: string) => failure(FieldFilter.parse(Thing, [text]))
    assert.include(refused("id"), "expected path=value or path!=value")
    assert.include(refused("=x"), "expected path=value")
    assert.include(refused("name=x"), "Thing has no field name, expected id, place, tags")
    assert.include(refused("place.door=x"), "Thing.place has no field door, expected floor, room")
    assert.include(refused("id.x=y"), "Thing.id has no fields")
    assert.include(refused("notes.kind=y"), "Thing.notes has no field kind, expected type, value")
  })
})

describe("RecordTable", () => {
  const lines = (records: ReadonlyArray<object>, options: Partial<Parameters<typeof RecordTable.make>[2]> = {}) => {
    const table = RecordTable.make(Thing, records, { fields: [], wide: false, types: [], ...options })
    return [table.header, ...records.map(table.row)]
  }

  it("make shows the key first, and no field that is empty in all of the first records", () => {
    const bare = { ...record, tags: [], notes: [], profile: null, size: null }
    assert.deepStrictEqual(lines([bare]), [
      "place                      id   discovered_at",
      '{"floor":2,"room":"x\\\\y"}  a,b  2023-11-14T22:13:20Z'
    ])
    assert.match(lines([bare, record])[0]!, /^place +id +tags +notes +profile +size +discovered_at$/)
  })

  it("make shows the fields that are asked for, in their order, and all of a value when it is to be wide", () => {
    const long = { ...record, id: "x".repeat(100_000) }
    assert.deepStrictEqual(lines([long], { fields: ["size", "id"] }), ["size  id", `   7  ${"x".repeat(39)}…`])
    assert.deepStrictEqual(lines([long], { fields: ["id"], wide: true }), ["id", long.id])
  })

  it("make and pairsOf show what a change names by its key, where the type of its record is known", () => {
    const change = SyncChange.removalOf(Thing, { place: { floor: 2 }, id: "a b" }, 5)
    const keyOf = (shown: object, types: ReadonlyArray<RecordType.Any>) =>
      RecordTable.pairsOf(SyncChange.SyncChange, shown, types).find(([name]) => name === "record_key")![1]
    assert.strictEqual(keyOf(change, [Part, Thing]), "2 a b")
    const bytes = Buffer.from(change.record_key).toString("base64")
    assert.strictEqual(keyOf(change, [Part]), bytes)
    assert.strictEqual(keyOf({ ...change, record_key: Uint8Array.of(1) }, [Thing]), "AQ==")
    const table = RecordTable.make(SyncChange.SyncChange, [change], { fields: [], wide: false, types: [Thing] })
    assert.match(table.row(change), /^Thing +2 a b +removed/)
  })

  it("pairsOf gives every field that is there, whole", () => {
    const pairs = RecordTable.pairsOf(Thing, { ...record, profile: undefined }, [])
    assert.deepStrictEqual(
      pairs.map(([name]) => name),
      ["place", "id", "tags", "notes", "size", "discovered_at"]
    )
    assert.deepStrictEqual(pairs[2], ["tags", "red, large"])
    assert.deepStrictEqual(pairs[3], ["notes", '[{"type":"t1","value":"/w=="}]'])
  })

  it("parseFields refuses a name that no field has", () => {
    assert.deepStrictEqual(Effect.runSync(RecordTable.parseFields(Thing, "size,id")), ["size", "id"])
    assert.include(failure(RecordTable.parseFields(Thing, "size,name")), "Thing has no field name, expected id, place")
  })

  it("formatMicros gives a time to the second, and the number where it is none", () => {
    assert.strictEqual(RecordTable.formatMicros(0), "1970-01-01T00:00:00Z")
    assert.strictEqual(RecordTable.formatMicros(-1), "1969-12-31T23:59:59Z")
    assert.strictEqual(RecordTable.formatMicros(9e18), "9000000000000000000")
  })
})
