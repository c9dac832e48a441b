import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Option, Result } from "effect"
import { Hex } from "effect/encoding"
import * as FastCheck from "fast-check"
import type { DomainKeys } from "../../src/Domain.ts"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import { maxDepth, maxKeysPerEntry } from "../../src/domain/NdjsonKeys.ts"

const ethereumPath = fileURLToPath(new URL("../../../../../shared/data/ethereum/transactions.ndjson", import.meta.url))

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const keysOf = (options: NdjsonDomain.NdjsonOptions): DomainKeys => Option.getOrThrow(NdjsonDomain.make(options).keys)

/** The keys of a line in hex, or the refusal. */
const found = (options: NdjsonDomain.NdjsonOptions, line: string | Uint8Array): ReadonlyArray<string> | string =>
  Result.match(keysOf(options).of(typeof line === "string" ? bytes(line) : line), {
    onFailure: (refusal) => refusal,
    onSuccess: (keys) => keys.map((key) => Hex.encode(key))
  })

const sha256 = (text: string): string => createHash("sha256").update(Buffer.from(text, "utf8")).digest("hex")

const digits = "00112233445566778899aabbccddeeff0f1e2d3c4b5a69788796a5b4c3d2e1f0"

const hash = { keys: ["/hash"] } as const
const text = { keys: ["/hash"], keyFormat: "text" } as const

describe("NdjsonDomain with keys", () => {
  it("keys.of takes 64 hex digits as the key, with or without 0x, in either case", () => {
    for (const written of [digits, `0x${digits}`, digits.toUpperCase(), `0x${digits.toUpperCase()}`])
      assert.deepStrictEqual(found(hash, JSON.stringify({ hash: written })), [digits])
  })

  it("keys.of refuses an entry whose value is no hex key, and says which", () => {
    const cases: ReadonlyArray<readonly [unknown, string]> = [
      ["", '""'],
      [digits.slice(1), `"${digits.slice(1)}"`],
      [`${digits}0`, `"${digits}0"`],
      [`0X${digits}`, `"0X${digits}"`],
      [`0x${digits.slice(2)}`, `"0x${digits.slice(2)}"`],
      [`${digits.slice(1)}g`, `"${digits.slice(1)}g"`],
      [`${digits.slice(1)} `, `"${digits.slice(1)} "`],
      [12, "12"],
      [true, "true"],
      [{}, "an object"],
      [[[digits]], "an array in an array"],
      ["é".repeat(100), `"${"é".repeat(76)}...`]
    ]
    for (const [value, described] of cases)
      assert.strictEqual(
        found(hash, JSON.stringify({ hash: value })),
        `its value at "/hash" is ${described}, expected 64 hex digits`
      )
  })

  it("keys.of hashes text, booleans and numbers", () => {
    assert.deepStrictEqual(found(text, '{"hash":"gr\\u00fc\\u00df"}'), [sha256("grüß")])
    assert.deepStrictEqual(found(text, '{"hash":""}'), [sha256("")])
    assert.deepStrictEqual(found(text, '{"hash":true}'), [sha256("true")])
    assert.deepStrictEqual(found(text, '{"hash":false}'), [sha256("false")])
    for (const [written, shortest] of [
      ["7", "7"],
      ["7.0", "7"],
      ["-0", "0"],
      ["0.10", "0.1"],
      ["1e3", "1000"],
      ["9007199254740991", "9007199254740991"]
    ] as const)
      assert.deepStrictEqual(found(text, `{"hash":${written}}`), [sha256(shortest)])
  })

  it("keys.of refuses numbers that are not exact, halves of surrogate pairs, and objects", () => {
    for (const written of ["9007199254740992", "-9007199254740992", "1e300", "1e999", '"\\ud800"', "{}", "[[1]]"])
      assert.include(found(text, `{"hash":${written}}`), 'its value at "/hash" is')
    assert.strictEqual(
      found(text, '{"hash":9007199254740993}'),
      'its value at "/hash" is 9007199254740992, expected text, a boolean, or a number that is exact'
    )
  })

  it("keys.of finds none where a pointer leads nowhere, to null, or to an empty array", () => {
    for (const line of ["{}", '{"hash":null}', '{"hash":[]}', '{"hash":[null]}', "null", "[]", "3", '"a"'])
      assert.deepStrictEqual(found(hash, line), [])
  })

  it("keys.of takes each value of an array, each pointer, and each key once", () => {
    const options = { keys: ["/tags", "/id", "/parts/1/id"], keyFormat: "text" } as const
    const line = '{"id":"b","tags":["a","b",null,1,"a"],"parts":[{"id":"x"},{"id":"c"}]}'
    assert.deepStrictEqual(found(options, line), [sha256("b"), sha256("c"), sha256("a"), sha256("1")])
  })

  it("keys.of takes the last of two members with one name", () => {
    assert.deepStrictEqual(found(text, '{"hash":"a","hash":"b"}'), [sha256("b")])
  })

  it("keys.of finds none in what is no JSON or no UTF-8, and passes over a byte order mark and a carriage return", () => {
    for (const line of ["", "plain text", '{"hash":', '{"hash":"a"} x', "{'hash':'a'}"])
      assert.deepStrictEqual(found(text, line), [])
    const broken = bytes('{"hash":"a?"}')
    broken[broken.indexOf(0x3f)] = 0xff
    assert.deepStrictEqual(found(text, broken), [])
    assert.deepStrictEqual(found(text, '\ufeff{"hash":"a"}\r'), [sha256("a")])
  })

  it("keys.of finds keys down to the depth that it parses, none below, and none in brackets without end", () => {
    const nested = (depth: number) => `{"hash":"a","deep":${"[".repeat(depth)}${"]".repeat(depth)}}`
    assert.deepStrictEqual(found(text, nested(maxDepth - 1)), [sha256("a")])
    assert.deepStrictEqual(found(text, nested(maxDepth)), [])
    assert.deepStrictEqual(found(text, `{"hash":"a","deep":${"[".repeat(1_000_000)}`), [])
  })

  it("keys.of refuses an entry with more keys than are allowed", () => {
    const line = (count: number) => JSON.stringify({ hash: Array.from({ length: count }, (_, index) => index) })
    assert.strictEqual(found(text, line(maxKeysPerEntry)).length, maxKeysPerEntry)
    assert.strictEqual(found(text, line(maxKeysPerEntry + 1)), `it has more than ${maxKeysPerEntry} keys`)
  })

  it("keys.of agrees with a naive reading of random documents", () => {
    const leaf = FastCheck.oneof(
      FastCheck.constantFrom("a", "b", "", "é"),
      FastCheck.integer(),
      FastCheck.boolean(),
      FastCheck.constant(null)
    )
    const value = FastCheck.oneof(leaf, FastCheck.array(leaf, { maxLength: 4 }))
    const document = FastCheck.record(
      {
        a: value,
        b: FastCheck.record({ c: value }),
        d: FastCheck.array(FastCheck.record({ e: value }), { maxLength: 2 })
      },
      { requiredKeys: [] }
    )
    const naive = (read: ReadonlyArray<unknown>): ReadonlyArray<string> => [
      ...new Set(
        read
          .flat()
          .filter((one) => one !== undefined && one !== null)
          .map((one) => sha256(typeof one === "string" ? one : JSON.stringify(one)))
      )
    ]
    FastCheck.assert(
      FastCheck.property(document, FastCheck.nat({ max: 3 }), (one, indent) => {
        const options = { keys: ["/a", "/b/c", "/d/0/e"], keyFormat: "text" } as const
        const line = JSON.stringify(one, null, indent)
        assert.deepStrictEqual(found(options, line), naive([one.a, one.b?.c, one.d?.[0]?.e]))
      })
    )
  })

  it("keys.of neither throws nor keeps the buffer, whatever the bytes are", () => {
    const unit = FastCheck.constantFrom(...'{}[]":,\\ehas0x1.-'.split(""), '"hash":', "null", "\ud800")
    const keys = keysOf(text)
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit, maxLength: 30 }), (line) => {
        const entry = bytes(line)
        const before = keys.of(entry)
        const kept = Result.isSuccess(before) ? before.success.map((key) => Hex.encode(key)) : before.failure
        entry.fill(0)
        assert.deepStrictEqual(
          Result.isSuccess(before) ? before.success.map((key) => Hex.encode(key)) : before.failure,
          kept
        )
      })
    )
  })

  it("keys.parse reads what a person writes", () => {
    const { parse } = keysOf(hash)
    assert.deepStrictEqual(Option.map(parse(`0x${digits}`), Hex.encode), Option.some(digits))
    assert.isTrue(Option.isNone(parse("12")))
    assert.deepStrictEqual(Option.map(keysOf(text).parse("12"), Hex.encode), Option.some(sha256("12")))
  })

  it("options are one text for one meaning, and empty without keys", () => {
    const { make } = NdjsonDomain
    assert.strictEqual(make().options, "")
    assert.strictEqual(make({ duplicates: "last" }).options, "")
    assert.isTrue(Option.isNone(make().keys))
    assert.strictEqual(make(hash).options, '{"keys":["/hash"],"keyFormat":"hex","duplicates":"error"}')
    assert.strictEqual(make({ keys: ["/b", "/a", "/b"] }).options, make({ keys: ["/a", "/b"] }).options)
    assert.notStrictEqual(make({ ...hash, duplicates: "last" }).options, make(hash).options)
  })

  it("make refuses a malformed pointer, and isPointer tells before", () => {
    assert.throws(() => NdjsonDomain.make({ keys: ["hash"] }), /"hash" is no JSON pointer/)
    assert.isFalse(NdjsonDomain.isPointer("hash"))
    assert.isTrue(NdjsonDomain.isPointer(""))
  })

  it("module names a module whose make gives the same domain for options that were posted", async () => {
    for (const options of [{}, { keys: ["/id"], keyFormat: "text", duplicates: "first" } as const]) {
      const domain = NdjsonDomain.make(options)
      const module = Option.getOrThrow(domain.module)
      const { make } = (await import(module.url)) as typeof NdjsonDomain
      const other = make(structuredClone(module.options) as NdjsonDomain.NdjsonOptions)
      assert.deepStrictEqual(
        [other.name, other.version, other.options, Option.isSome(other.keys)],
        [domain.name, domain.version, domain.options, Option.isSome(domain.keys)]
      )
    }
  })

  it.skipIf(!existsSync(ethereumPath))(
    "keys.of finds 1,133 distinct hashes in 1,133 lines of a real log (needs ../shared/data)",
    () => {
      const lines = readFileSync(ethereumPath, "utf8").trimEnd().split("\n")
      const keys = lines.flatMap((line) => found(hash, line))
      assert.strictEqual(keys.length, 1_133)
      assert.strictEqual(new Set(keys).size, 1_133)
      assert.deepStrictEqual(
        keys.map((key) => `0x${key}`),
        lines.map((line) => JSON.parse(line).hash)
      )
    }
  )
})
