import { assert, describe, it } from "@effect/vitest"
import { Tuple } from "@icecore/codec"
import { Effect, Option, Schema, Stream } from "effect"
import * as fc from "fast-check"
import { compareAt, differingFields, isSame } from "../src/kernel/RecordOrder.ts"
import * as RecordComparison from "../src/RecordComparison.ts"
import type { RecordReader } from "../src/RecordReader.ts"
import * as RecordType from "../src/RecordType.ts"

const Thing = RecordType.make({
  name: "Thing",
  fields: Schema.Struct({
    group: Schema.String,
    id: Schema.Int,
    note: Schema.optionalKey(Schema.String),
    at: Schema.Int
  }),
  primaryKey: ["group", "id"]
})

const Other = RecordType.make({
  name: "Other",
  fields: Schema.Struct({ id: Schema.String }),
  primaryKey: ["id"]
})

type Record = RecordType.Record<typeof Thing>

/** A reader that has nothing but listings, which come in pieces of so many records. */
const readerOf = (
  listings: ReadonlyArray<readonly [RecordType.Any, ReadonlyArray<object>]>,
  pieceSize: number
): RecordReader => {
  const reader: Pick<RecordReader, "path" | "types" | "stream"> = {
    path: "memory",
    types: listings.map(([type]) => type),
    stream: (type) =>
      Stream.rechunk(Stream.fromIterable(listings.find(([each]) => each.name === type.name)![1] as never), pieceSize)
  }
  return reader as RecordReader
}

const compare = (left: RecordReader, right: RecordReader, options: Partial<RecordComparison.ComparisonOptions> = {}) =>
  Stream.runCollect(RecordComparison.compare({ left: { reader: left }, right: { reader: right }, ...options }))

const sorted = (records: ReadonlyArray<Record>): ReadonlyArray<Record> =>
  [...records].sort((left, right) => compareAt(left, right, [["group"], ["id"]]))

const Records = fc
  .uniqueArray(
    fc.record({
      group: fc.constantFrom("", "a", "b", "名"),
      id: fc.integer({ min: -3, max: 9 }),
      at: fc.integer({ min: 0, max: 1 })
    }),
    { selector: ({ group, id }) => `${group} ${id}`, maxLength: 40 }
  )
  .map(sorted)

describe("RecordComparison", () => {
  it.effect(
    "compare finds what a comparison of two maps finds, in the order of the keys, however the listings come",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(Records, Records, fc.nat(5), fc.nat(5), (left, right, first, second) =>
            Effect.runPromise(
              Effect.gen(function* () {
                const steps = yield* compare(
                  readerOf([[Thing, left]], first + 1),
                  readerOf([[Thing, right]], second + 1)
                )
                const nameOf = ({ group, id }: Record) => JSON.stringify([group, id])
                const before = new Map(left.map((record) => [nameOf(record), record]))
                const after = new Map(right.map((record) => [nameOf(record), record]))
                const all = new Map([...before, ...after])
                const expected = sorted([...all.values()]).flatMap((record) => {
                  const name = nameOf(record)
                  const [was, is] = [before.get(name), after.get(name)]
                  if (was === undefined) return [`added ${name}`]
                  if (is === undefined) return [`removed ${name}`]
                  return was.at === is.at ? [] : [`changed ${name} at`]
                })
                const found = steps.flatMap(({ differences }) =>
                  differences.map(({ fields, kind, left: was, right: is }) => {
                    const record = Option.getOrElse(is, () => Option.getOrThrow(was)) as Record
                    return [kind, nameOf(record), ...fields].join(" ")
                  })
                )
                assert.deepStrictEqual(found, expected)
                const summaries = new Map<string, RecordComparison.TypeSummary>()
                for (const step of steps) RecordComparison.summarize(summaries, step)
                const summary = summaries.get("Thing")!
                assert.deepInclude(summary, { type: "Thing", leftCount: left.length, rightCount: right.length })
                assert.strictEqual(summary.addedCount + summary.removedCount + summary.changedCount, expected.length)
                assert.strictEqual(summary.changedFields.at ?? 0, summary.changedCount)
              })
            )
          ),
          { numRuns: 300 }
        )
      )
  )

  it.effect("compare of more records than a step has counts each once", () =>
    Effect.gen(function* () {
      const records = Array.from({ length: 5_000 }, (_, id) => ({ group: "a", id, at: id % 7 === 0 ? 1 : 0 }))
      const others = records.map((record) => ({ ...record, at: 0 }))
      const steps = yield* compare(readerOf([[Thing, records]], 997), readerOf([[Thing, others]], 2_000))
      assert.isTrue(steps.every(({ leftCount, rightCount }) => leftCount <= 1_000 && rightCount <= 1_000))
      assert.strictEqual(
        steps.reduce((sum, { leftCount }) => sum + leftCount, 0),
        5_000
      )
      assert.strictEqual(
        steps.reduce((sum, { rightCount }) => sum + rightCount, 0),
        5_000
      )
      assert.strictEqual(
        steps.reduce((sum, { differences }) => sum + differences.length, 0),
        715
      )
    })
  )

  it.effect("compare passes over fields that may differ, and takes an absent field for an undefined one", () =>
    Effect.gen(function* () {
      const left = readerOf([[Thing, [{ group: "a", id: 1, at: 1, note: undefined }]]], 1)
      const right = readerOf([[Thing, [{ group: "a", id: 1, at: 2 }]]], 1)
      const differences = (steps: ReadonlyArray<RecordComparison.ComparisonStep>) =>
        steps.flatMap((step) => step.differences.map(({ fields }) => fields))
      assert.deepStrictEqual(differences(yield* compare(left, right)), [["at"]])
      assert.deepStrictEqual(differences(yield* compare(left, right, { ignoredFields: ["at"] })), [])
    })
  )

  it.effect(
    "compare goes through types that one side lacks, by their names, and through those alone that are asked for",
    () =>
      Effect.gen(function* () {
        const left = readerOf([[Thing, []]], 1)
        const right = readerOf([[Other, [{ id: "x" }]]], 1)
        const typesOf = (steps: ReadonlyArray<RecordComparison.ComparisonStep>) =>
          steps.map(({ differences, type }) => [type, differences.length])
        assert.deepStrictEqual(typesOf(yield* compare(left, right)), [
          ["Other", 1],
          ["Thing", 0]
        ])
        assert.deepStrictEqual(typesOf(yield* compare(left, right, { types: ["Thing"] })), [["Thing", 0]])
      })
  )

  it.effect("compare refuses a type whose records are named differently on the two sides", () =>
    Effect.gen(function* () {
      const byId = RecordType.make({ name: "Thing", fields: Schema.Struct({ id: Schema.String }), primaryKey: ["id"] })
      const error = yield* Effect.flip(compare(readerOf([[Thing, []]], 1), readerOf([[byId, []]], 1)))
      assert.strictEqual(error._tag, "RecordTypesDiffer")
      assert.include(error.message, "group (string), id (int) on one side, id (string) on the other")
    })
  )
})

describe("RecordOrder", () => {
  const scratch = (): Uint8Array => new Uint8Array(4_096)
  const bytesOf = (append: (target: Uint8Array) => number): Uint8Array => {
    const target = scratch()
    return target.slice(0, append(target))
  }
  const agrees = <A>(values: fc.Arbitrary<A>, append: (target: Uint8Array, value: A) => number): void =>
    fc.assert(
      fc.property(values, values, (left, right) => {
        const bytewise = Buffer.compare(
          bytesOf((target) => append(target, left)),
          bytesOf((target) => append(target, right))
        )
        assert.strictEqual(Math.sign(compareAt({ key: left }, { key: right }, [["key"]])), Math.sign(bytewise))
      }),
      { numRuns: 500 }
    )

  it("compareAt orders values as the keys that are made of them do", () => {
    const text = fc.string({ unit: "binary", maxLength: 6 })
    agrees(text, (target, value) => Tuple.appendString(target, 0, value))
    agrees(fc.uint8Array({ maxLength: 6 }), (target, value) => Tuple.appendBytes(target, 0, value))
    agrees(fc.maxSafeInteger(), (target, value) => Tuple.appendInt64(target, 0, value))
    agrees(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (target, value) =>
      Tuple.appendInt64(target, 0, value)
    )
    agrees(fc.boolean(), (target, value) => Tuple.appendBoolean(target, 0, value))
    agrees(fc.date({ noInvalidDate: true }), (target, value) => Tuple.appendInt64(target, 0, value.getTime()))
    assert.isBelow(
      compareAt({ key: "\uff5e" }, { key: "\u{1f600}" }, [["key"]]),
      0,
      "UTF-16 orders these the other way"
    )
  })

  it("isSame compares what values hold, and tells kinds apart", () => {
    const same: ReadonlyArray<readonly [unknown, unknown]> = [
      [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
      [new Date(5), new Date(5)],
      [
        { a: 1, b: [{ c: null }] },
        { b: [{ c: null }], a: 1 }
      ],
      [Number.NaN, Number.NaN],
      [{ a: undefined }, {}]
    ]
    const different: ReadonlyArray<readonly [unknown, unknown]> = [
      [Uint8Array.of(1), Uint8Array.of(2)],
      [Uint8Array.of(1), [1]],
      [[1], Uint8Array.of(1)],
      [{}, []],
      [[], {}],
      [{}, new Date(0)],
      [new Date(0), {}],
      [new Date(0), new Date(1)],
      [[1], [1, 2]],
      [{ a: 1 }, { a: "1" }],
      [null, {}],
      [1n, 1]
    ]
    for (const [left, right] of same) assert.isTrue(isSame(left, right), JSON.stringify([left, right]))
    for (const [left, right] of different) assert.isFalse(isSame(left, right))
    assert.deepStrictEqual(differingFields({ a: 1, b: 2 }, { b: 3, c: 4 }), ["a", "b", "c"])
  })
})
