import { assert, describe, it } from "@effect/vitest"
import { parseStruct } from "../../src/c1z/JsonStruct.ts"
import { ProtobufInvalid } from "../../src/c1z/ProtobufFields.ts"
import { type Field, message } from "./Protobuf.ts"

const double = (value: number): Uint8Array => {
  const bytes = new Uint8Array(9)
  bytes[0] = 2 * 8 + 1
  new DataView(bytes.buffer).setFloat64(1, value, true)
  return bytes
}

const entry = (key: string, value: ReadonlyArray<Field> | Uint8Array): Field => [
  1,
  [
    [1, key],
    [2, value]
  ]
]

const nested = (depth: number): ReadonlyArray<Field> => (depth === 0 ? [[3, "deep"]] : [[6, [[1, nested(depth - 1)]]]])

const objects = (depth: number): Uint8Array =>
  depth === 0 ? message() : message(entry("a", [[5, objects(depth - 1)]]))

describe("JsonStruct", () => {
  it("parseStruct gives objects, lists, text, numbers, truths and nulls", () => {
    const bytes = message(
      entry("text", [[3, "ä\0"]]),
      entry("number", double(-1.5)),
      entry("truth", [[4, 1]]),
      entry("falsehood", [[4, 0]]),
      entry("nothing", [[1, 0]]),
      entry("list", [
        [
          6,
          [
            [1, [[3, "a"]]],
            [1, double(2)]
          ]
        ]
      ]),
      entry("object", [[5, [entry("", [[3, "b"]])]]]),
      [1, [[2, [[3, "no key"]]]]]
    )
    assert.deepStrictEqual(parseStruct(bytes), {
      text: "ä\0",
      number: -1.5,
      truth: true,
      falsehood: false,
      nothing: null,
      list: ["a", 2],
      object: { "": "b" },
      "": "no key"
    })
    assert.deepStrictEqual(parseStruct(new Uint8Array(0)), {})
  })

  it("parseStruct gives nothing where JSON would say less: odd numbers, repeated keys, unknown fields, values of two kinds or none", () => {
    const inexact: ReadonlyArray<readonly [string, Uint8Array]> = [
      ["not a number", message(entry("a", double(Number.NaN)))],
      ["infinite", message(entry("a", double(Number.NEGATIVE_INFINITY)))],
      ["negative zero", message(entry("a", double(-0)))],
      ["a key twice", message(entry("a", [[3, "b"]]), entry("a", [[3, "b"]]))],
      ["the key of prototypes", message(entry("__proto__", [[3, "b"]]))],
      ["an unknown field", message(entry("a", [[3, "b"]]), [2, "c"])],
      [
        "an unknown field of an entry",
        message([
          1,
          [
            [1, "a"],
            [2, [[3, "b"]]],
            [3, 1]
          ]
        ])
      ],
      ["an unknown field of a list", message(entry("a", [[6, [[2, "b"]]]]))],
      ["an unknown kind", message(entry("a", [[7, "b"]]))],
      [
        "two kinds",
        message(
          entry("a", [
            [3, "b"],
            [4, 1]
          ])
        )
      ],
      ["no kind", message(entry("a", []))],
      ["no value", message([1, [[1, "a"]]])],
      ["a null that is no zero", message(entry("a", [[1, 1]]))],
      ["a truth of two", message(entry("a", [[4, 2]]))],
      ["too many lists in lists", message(entry("a", nested(60)))],
      ["too many objects in objects", objects(60)]
    ]
    for (const [name, bytes] of inexact) assert.isUndefined(parseStruct(bytes), name)
    assert.isDefined(parseStruct(message(entry("a", nested(40)))))
    assert.isDefined(parseStruct(objects(40)))
  })

  it("parseStruct refuses bytes that are no message and text that is not UTF-8", () => {
    assert.throws(() => parseStruct(Uint8Array.of(0x0a, 9)), ProtobufInvalid)
    assert.throws(
      () =>
        parseStruct(
          message([
            1,
            [
              [1, Uint8Array.of(0xff)],
              [2, [[3, "a"]]]
            ]
          ])
        ),
      ProtobufInvalid
    )
  })
})
