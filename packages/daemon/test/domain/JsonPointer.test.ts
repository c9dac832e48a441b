import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import * as FastCheck from "fast-check"
import * as JsonPointer from "../../src/domain/JsonPointer.ts"

const at = (pointer: string, document: unknown): unknown =>
  JsonPointer.resolve(Option.getOrThrow(JsonPointer.parse(pointer)), document)

describe("JsonPointer", () => {
  it("resolve finds what RFC 6901, section 5, says of its example", () => {
    const document = {
      foo: ["bar", "baz"],
      "": 0,
      "a/b": 1,
      "c%d": 2,
      "e^f": 3,
      "g|h": 4,
      "i\\j": 5,
      'k"l': 6,
      " ": 7,
      "m~n": 8
    }
    assert.strictEqual(at("", document), document)
    assert.strictEqual(at("/foo", document), document.foo)
    assert.strictEqual(at("/foo/0", document), "bar")
    const cases = { "/": 0, "/a~1b": 1, "/c%d": 2, "/e^f": 3, "/g|h": 4, "/i\\j": 5, '/k"l': 6, "/ ": 7, "/m~0n": 8 }
    for (const [pointer, value] of Object.entries(cases)) assert.strictEqual(at(pointer, document), value)
  })

  it("parse reads ~01 as ~1, not as /", () => {
    assert.strictEqual(at("/~01", { "~1": 1, "/": 2 }), 1)
  })

  it("parse refuses what does not begin with a slash, a lone tilde, and half a surrogate pair", () => {
    for (const text of ["a", "#/a", "a/b", "/~", "/~2", "/a~", "/~0~", "/\ud800"])
      assert.isTrue(Option.isNone(JsonPointer.parse(text)), text)
  })

  it("resolve finds nothing behind values that have no members, at bad indexes, and in prototypes", () => {
    const document = { list: [1, 2], text: "ab", none: null, number: 1 }
    for (const pointer of [
      "/list/2",
      "/list/-",
      "/list/01",
      "/list/length",
      "/list/1.0",
      "/list/ 1",
      "/text/0",
      "/text/length",
      "/none/a",
      "/number/a",
      "/toString",
      "/constructor/name",
      "/__proto__",
      "/absent"
    ])
      assert.isUndefined(at(pointer, document), pointer)
    assert.strictEqual(at("/__proto__", JSON.parse('{"__proto__":3}')), 3)
  })

  it("resolve finds every leaf of any document by its escaped path", () => {
    const escape = (name: string): string => name.replaceAll("~", "~0").replaceAll("/", "~1")
    const walk = (document: unknown, value: unknown, pointer: string): void => {
      assert.isTrue(Object.is(at(pointer, document), value), pointer)
      if (typeof value !== "object" || value === null) return
      for (const [name, inner] of Object.entries(value)) walk(document, inner, `${pointer}/${escape(name)}`)
    }
    const name = FastCheck.string({ unit: FastCheck.constantFrom("~", "/", "0", "1", "a", "é"), maxLength: 4 })
    FastCheck.assert(FastCheck.property(FastCheck.object({ key: name }), (document) => walk(document, document, "")))
  })
})
