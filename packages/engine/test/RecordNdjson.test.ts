import { assert, describe, it } from "@effect/vitest"
import { Ksuid } from "@icecore/codec"
import { Effect, Option, Result, Schema } from "effect"
import * as RecordNdjson from "../src/RecordNdjson.ts"
import * as RecordType from "../src/RecordType.ts"
import type { SyncRun } from "../src/SyncRun.ts"

const Thing = RecordType.make({
  name: "Thing",
  fields: Schema.Struct({
    id: Schema.String,
    size: Schema.BigInt,
    data: Schema.Uint8Array,
    at: Schema.Date,
    tags: Schema.Array(Schema.String),
    note: Schema.optionalKey(Schema.NullOr(Schema.String))
  }),
  primaryKey: ["id"],
  indexes: { by_size: { paths: ["size"], where: { path: "id", equals: "x" } } }
})

const encoder = new TextEncoder()
const parse = (text: string) => RecordNdjson.parse(encoder.encode(text))

const thing = {
  id: 'a "quoted"\nname',
  size: -(2n ** 63n),
  data: Uint8Array.of(0, 255),
  at: new Date(0),
  tags: ["名"],
  note: null
}

describe("RecordNdjson", () => {
  it("encodeRecord writes the line that the documentation shows, and decodeRecord gives the record back", () => {
    const line = RecordNdjson.encodeRecord(Thing, "s", thing)
    assert.strictEqual(
      line,
      '{"type":"Thing","sync":"s","record":{"id":"a \\"quoted\\"\\nname","size":"-9223372036854775808","data":"AP8=",' +
        '"at":"1970-01-01T00:00:00.000Z","tags":["名"],"note":null}}'
    )
    const parsed = Option.getOrThrow(Result.getOrThrow(parse(`${line}\r\n`)))
    assert(parsed.kind === "record")
    assert.deepStrictEqual([parsed.type, parsed.sync], ["Thing", Option.some("s")])
    assert.deepStrictEqual({ ...Result.getOrThrow(RecordNdjson.decodeRecord(Thing, parsed)) }, thing)
  })

  it("encodeType writes a type that parse makes again, indexes and all", () => {
    const parsed = Option.getOrThrow(Result.getOrThrow(parse(RecordNdjson.encodeType(Thing))))
    assert(parsed.kind === "type")
    assert.deepStrictEqual(RecordType.describe(parsed.type), RecordType.describe(Thing))
  })

  it.effect("encodeRun writes a run that parse gives again", () =>
    Effect.gen(function* () {
      const id = yield* Ksuid.make
      const parent = yield* Ksuid.make
      const run: SyncRun = {
        sync_id: id,
        type: "full",
        parent_sync_id: parent,
        started_at: 1,
        ended_at: 2,
        token: '{"page":1}',
        counts: { Thing: 3 }
      }
      const { ended_at: _, parent_sync_id: __, ...unfinished } = run
      for (const each of [run, unfinished]) {
        const parsed = Option.getOrThrow(Result.getOrThrow(parse(RecordNdjson.encodeRun(each))))
        assert(parsed.kind === "run")
        assert.deepStrictEqual(JSON.parse(JSON.stringify(parsed.run)), each)
      }
    })
  )

  it("parse passes over lines that say nothing, and takes a byte order mark for nothing", () => {
    for (const text of ["", "  ", "\r", "\ufeff"]) assert.deepStrictEqual(parse(text), Result.succeed(Option.none()))
    assert.isTrue(Result.isSuccess(parse('\ufeff{"type":"Thing","record":{}}')))
  })

  it("parse says what is wrong with every other line", () => {
    const run = { sync_id: "0".repeat(27), type: "full", started_at: 1, token: "", counts: {} }
    const cases: ReadonlyArray<readonly [string | Uint8Array, RegExp]> = [
      ["{", /^it is no JSON, expected an object on one line$/],
      [Uint8Array.of(0x22, 0xff, 0x22), /^it is no UTF-8$/],
      ["[]", /^it is no JSON object$/],
      ["null", /^it is no JSON object$/],
      ['{"record":{}}', /^it has no type/],
      ['{"type":"Thing"}', /^it has no record/],
      ['{"type":"Thing","sync":7,"record":{}}', /^its sync is no text/],
      ['{"type":"Thing","record":{},"extra":1}', /^it has a member "extra", expected type, sync, record$/],
      ['{"sync_run":{},"record":{}}', /^it has a member "record", expected sync_run$/],
      [JSON.stringify({ sync_run: { ...run, type: 7 } }), /^sync_run\.type is number 7, expected/],
      [JSON.stringify({ sync_run: { ...run, more: 7 } }), /^sync_run\.more is/],
      [JSON.stringify({ sync_run: { ...run, sync_id: "short" } }), /^sync_run: Cannot read KSUID "short"/],
      [JSON.stringify({ sync_run: { ...run, parent_sync_id: "short" } }), /^sync_run: Cannot read KSUID "short"/],
      ['{"record_type":{"name":"X"}}', /^record_type: /]
    ]
    for (const [line, expected] of cases) {
      const parsed = RecordNdjson.parse(typeof line === "string" ? encoder.encode(line) : line)
      assert(Result.isFailure(parsed), String(line))
      assert.match(parsed.failure, expected)
    }
  })

  it("decodeRecord names the field that is not as the type has it", () => {
    const decode = (json: unknown) =>
      RecordNdjson.decodeRecord(Thing, { kind: "record", type: "Thing", sync: Option.none(), json })
    const json = RecordNdjson.toJson(Thing, thing)
    const cases: ReadonlyArray<readonly [unknown, RegExp]> = [
      [{ ...json, size: 7 }, /^Thing\.size is number 7, expected/],
      [{ ...json, tags: ["a", 1] }, /^Thing\.tags\[1\] is number 1, expected/],
      [{ ...json, data: "!" }, /^Thing\.data is .*, expected/],
      [{ ...json, other: 1 }, /^Thing\.other is/],
      ["text", /^Thing is .*, expected/]
    ]
    for (const [value, expected] of cases) {
      const decoded = decode(value)
      assert(Result.isFailure(decoded))
      assert.match(decoded.failure, expected)
    }
  })
})
