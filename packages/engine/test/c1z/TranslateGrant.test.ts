import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Entitlement, Grant, Resource, ResourceType } from "../../src/access/index.ts"
import * as TranslateAccess from "../../src/c1z/TranslateAccess.ts"
import { type GrantRow, translateGrant } from "../../src/c1z/TranslateGrant.ts"
import { type Records, unaccounted } from "./Accounting.ts"
import { any, type Field, message } from "./Protobuf.ts"
import { id, makeContext, remainderOf, url } from "./Translation.ts"

const userType = message([1, "user"], [2, "User"], [3, Uint8Array.of(1)], [4, any(`${url}SkipGrants`)])
const group = message([1, id("group", "g")], [3, "G"], [4, any(`${url}GroupTrait`, Uint8Array.of(8, 1))], [8, 1])
const ann = message([1, id("user", "ann")], [3, "Ann"])
const member = message([1, group], [2, "group:g:member"], [3, "member"], [5, userType], [7, 1], [8, "member"])

const rows: Readonly<Record<string, Uint8Array>> = {
  "ResourceType user": userType,
  "Resource group:g": group,
  "Resource user:ann": ann,
  "Entitlement group:g:member": member
}

const entitlementRow = { resource_type_id: "group", resource_id: "g", external_id: "group:g:member", discovered_at: 7 }

const entitlement = (data: Uint8Array): { readonly record: Entitlement; readonly kept: Array<string> } => {
  const { context, kept } = makeContext(rows)
  return { record: TranslateAccess.translateEntitlement({ ...entitlementRow, data }, context), kept }
}

const records = ((): Records => {
  const { context } = makeContext(rows)
  const { translateResourceType, translateResource } = TranslateAccess
  const type = (external_id: string, data: Uint8Array): readonly [string, ResourceType] => [
    external_id,
    translateResourceType({ external_id, data, discovered_at: 1 }, context)
  ]
  const one = (resource_type_id: string, name: string, data: Uint8Array): readonly [string, Resource] => {
    const external_id = `${resource_type_id}:${name}`
    return [external_id, translateResource({ resource_type_id, external_id, data, discovered_at: 1 }, context)]
  }
  return {
    resourceTypes: new Map([type("user", userType)]),
    resources: new Map([one("group", "g", group), one("user", "ann", ann)]),
    entitlements: new Map([["group:g:member", entitlement(member).record]])
  }
})()

const grant = (
  data: Uint8Array,
  options: { readonly row?: Partial<GrantRow>; readonly isFinished?: boolean; readonly known?: typeof rows } = {}
): { readonly record: Grant; readonly kept: Array<string> } => {
  const { context, kept } = makeContext(options.known ?? rows)
  const row: GrantRow = {
    resource_type_id: "group",
    resource_id: "g",
    entitlement_id: "group:g:member",
    principal_resource_type_id: "user",
    principal_resource_id: "ann",
    external_id: "grant",
    discovered_at: 7,
    data,
    ...options.row
  }
  return { record: translateGrant(row, options.isFinished ?? false, context), kept }
}

describe("translateEntitlement", () => {
  it("gives ids of resource types and keeps nothing of messages that are those of other rows", () => {
    const { record, kept } = entitlement(member)
    assert.deepStrictEqual(record, {
      external_id: "group:g:member",
      resource_type_id: "group",
      resource_id: "g",
      display_name: "member",
      grantable_to: ["user"],
      purpose: "assignment",
      slug: "member",
      annotations: [],
      discovered_at: 7
    })
    assert.deepStrictEqual(kept, [])
  })

  it("keeps of messages within what other rows do not say, a resource type's behind its id", () => {
    const data = message(
      [1, message([1, id("group", "g")], [3, "Old name"], [8, 1])],
      [5, message([1, "user"], [2, "User"], [5, "Everyone"])],
      [5, message([1, "robot"], [2, "Robot"])],
      [5, message([2, "nameless"])],
      [7, 9]
    )
    const { record, kept } = entitlement(data)
    assert.deepStrictEqual([record.grantable_to, record.purpose], [["user", "robot"], "9"])
    assert.deepStrictEqual(unaccounted.entitlement(records, data, record), [])
    assert.deepStrictEqual(kept.sort(), [
      "Entitlement.grantable_to",
      "Entitlement.grantable_to.description",
      "Entitlement.grantable_to.display_name",
      "Entitlement.resource.display_name"
    ])
  })
})

describe("translateGrant", () => {
  it("keeps nothing of an entitlement, a resource and a principal that are those of other rows", () => {
    const data = message(
      [1, member],
      [2, ann],
      [3, "grant"],
      [
        5,
        [
          [
            1,
            [
              [1, "other"],
              [2, [[1, 1]]]
            ]
          ],
          [
            1,
            [
              [1, "else"],
              [2, []]
            ]
          ]
        ]
      ]
    )
    const { record, kept } = grant(data)
    assert.deepStrictEqual(record, {
      external_id: "grant",
      entitlement_id: "group:g:member",
      entitlement_resource_type_id: "group",
      entitlement_resource_id: "g",
      principal_resource_type_id: "user",
      principal_resource_id: "ann",
      sources: { other: { is_direct: true }, else: { is_direct: false } },
      needs_expansion: false,
      annotations: [],
      discovered_at: 7
    })
    assert.deepStrictEqual(kept, [])
    assert.deepStrictEqual(unaccounted.grant(records, data, record), [])
  })

  it("keeps of an entitlement only what is different, however deep", () => {
    const tagged = message([1, id("group", "g")], [3, "G"], [4, any(`${url}ETag`)])
    const data = message([1, message([1, tagged], [2, "group:g:member"])], [2, message([1, id("user", "ann")])])
    const { record, kept } = grant(data)
    assert.deepStrictEqual(remainderOf(record.annotations), [`1.1.4 = ${url}ETag `])
    assert.deepStrictEqual(kept, ["Grant.entitlement.resource.annotations"])
    assert.deepStrictEqual(unaccounted.grant(records, data, record), [])
    assert.isBelow(record.annotations[0]!.value.length, 60)
  })

  it("keeps the whole of an entitlement that is another than the row's, and all but the ids of one that has no row", () => {
    const other = message([2, "another"], [3, "member"])
    const { record } = grant(message([1, other]))
    assert.deepStrictEqual(remainderOf(record.annotations), [
      `1.2 = ${Buffer.from("another").toString("hex")}`,
      `1.3 = ${Buffer.from("member").toString("hex")}`
    ])
    const data = message([1, member])
    const orphan = grant(data, { known: {} })
    const nobody: Records = { resourceTypes: new Map(), resources: new Map(), entitlements: new Map() }
    assert.deepStrictEqual(unaccounted.grant(nobody, data, orphan.record), [])
    assert.isFalse(remainderOf(orphan.record.annotations).some((value) => value.startsWith("1.2 ")))
  })

  it("keeps that an entitlement can be granted to a type when only the grant says so, though the type has a row", () => {
    const data = message([1, message([2, "group:g:member"], [5, userType])])
    const unlisted = { ...rows, "Entitlement group:g:member": message([2, "group:g:member"]) }
    const { record } = grant(data, { known: unlisted })
    assert.deepStrictEqual(remainderOf(record.annotations), [`1.5[user].1 = ${Buffer.from("user").toString("hex")}`])
    assert.deepStrictEqual(grant(data).record.annotations, [])
  })

  it("compares with a large row only as a whole, and looks into the first of a long list only", () => {
    const large = message([1, id("group", "g")], [3, "Large"], [10, new Uint8Array(300 * 1024)])
    const known = { ...rows, "Resource group:g": large }
    const copy = (...fields: ReadonlyArray<Field>) =>
      grant(message([1, message([1, message(...fields)], [2, "group:g:member"])]), { known }).record.annotations
    assert.deepStrictEqual(grant(message([1, message([1, large])]), { known }).record.annotations, [])
    assert.deepStrictEqual(remainderOf(copy([1, id("group", "g")], [3, "Large"])), [
      `1.1.3 = ${Buffer.from("Large").toString("hex")}`
    ])
    const types = Array.from({ length: 70 }, (_, at): Field => [5, message([1, `type ${at}`], [2, "same"])])
    const typeRows = Object.fromEntries(
      types.map((_, at) => [`ResourceType type ${at}`, message([1, `type ${at}`], [2, "same"], [5, "more"])])
    )
    const data = message([1, message([2, "group:g:member"], ...types)])
    const { record, kept } = grant(data, { known: typeRows })
    const names = remainderOf(record.annotations).filter((value) => value.includes("].2 "))
    assert.strictEqual(names.length, 6)
    assert.strictEqual(kept.length, 70)
  })

  it("keeps resource types without an id, and looks into the last only of a message that should be there once", () => {
    const nameless = message([2, "group:g:member"], [5, message([2, "nameless"])])
    const { record, kept } = grant(message([1, nameless]))
    assert.deepStrictEqual(remainderOf(record.annotations), [`1.5[].2 = ${Buffer.from("nameless").toString("hex")}`])
    assert.deepStrictEqual(kept, ["Grant.entitlement.grantable_to"])
    const twice = grant(message([1, message([1, message([3, "G"])], [1, group], [1, message([3, "X"])])]))
    const whole = "Grant.entitlement.resource"
    assert.deepStrictEqual(twice.kept, [whole, whole, `${whole}.display_name`])
  })

  it("keeps annotations that are there more often than in the row, and both of a field that is there twice", () => {
    const tag = any(`${url}GroupTrait`, Uint8Array.of(8, 1))
    const twice = grant(message([1, message([1, message([1, id("group", "g")], [4, tag], [4, tag])])]))
    assert.strictEqual(remainderOf(twice.record.annotations).length, 1)
    const data = message([1, message([3, "first"])], [1, member])
    assert.deepStrictEqual(unaccounted.grant(records, data, grant(data).record), [])
    assert.strictEqual(remainderOf(grant(data).record.annotations).length, 1)
  })

  it("makes an expansion of the annotation, due while the run has not ended and some id is not blank", () => {
    const expandable = message([1, "a"], [1, "b"], [2, 1], [3, "user"])
    const data = message([4, any(`${url}GrantImmutable`)], [4, any(`${url}GrantExpandable`, expandable)])
    const { record } = grant(data)
    assert.deepStrictEqual(record.expansion, {
      entitlement_ids: ["a", "b"],
      shallow: true,
      resource_type_ids: ["user"]
    })
    assert.isTrue(record.needs_expansion)
    assert.deepStrictEqual(
      record.annotations.map(({ type }) => type),
      ["c1.connector.v2.GrantImmutable"]
    )
    assert.isFalse(grant(data, { isFinished: true }).record.needs_expansion)
    const blank = grant(message([4, any(`${url}GrantExpandable`, message([1, " "]))])).record
    assert.deepStrictEqual([blank.expansion?.entitlement_ids, blank.needs_expansion], [[" "], false])
    const empty = grant(message([4, any(`${url}GrantExpandable`)])).record
    assert.deepStrictEqual(empty.expansion, { entitlement_ids: [], shallow: false, resource_type_ids: [] })
  })

  it("takes the column's word for an expansion, and keeps the annotation when it is another or says more", () => {
    const column = message([1, "a"])
    const of = (annotation: Uint8Array | undefined, expansion: Uint8Array, needs: boolean) =>
      grant(annotation === undefined ? message() : message([4, any(`${url}GrantExpandable`, annotation)]), {
        row: { expansion, needs_expansion: needs }
      }).record
    const types = (record: Grant) => record.annotations.map(({ value }) => Buffer.from(value).toString("hex"))
    assert.deepStrictEqual(types(of(column, column, true)), [])
    assert.isTrue(of(undefined, column, true).needs_expansion)
    assert.isFalse(of(undefined, column, false).needs_expansion)
    assert.deepStrictEqual(types(of(message([1, "b"]), column, true)), [Buffer.from(message([1, "b"])).toString("hex")])
    const more = message([1, "a"], [9, 1])
    assert.deepStrictEqual(of(undefined, more, true).expansion?.entitlement_ids, ["a"])
    assert.deepStrictEqual(types(of(undefined, more, true)), [Buffer.from(more).toString("hex")])
    assert.deepStrictEqual(types(of(more, more, true)), [Buffer.from(more).toString("hex")])
    assert.isUndefined(of(undefined, new Uint8Array(0), false).expansion)
  })

  it("keeps sources that say more than whether they are direct", () => {
    const odd: ReadonlyArray<Field> = [
      [1, [[1, "fine"]]],
      [
        1,
        [
          [1, "fine"],
          [2, [[1, 1]]]
        ]
      ],
      [
        1,
        [
          [1, "__proto__"],
          [2, []]
        ]
      ],
      [
        1,
        [
          [1, "more"],
          [
            2,
            [
              [1, 1],
              [2, 1]
            ]
          ]
        ]
      ],
      [
        1,
        [
          [1, "odd"],
          [2, [[1, 2]]]
        ]
      ],
      [2, "unknown"]
    ]
    const { record, kept } = grant(message([5, odd]))
    assert.deepStrictEqual(record.sources, { fine: { is_direct: false } })
    assert.deepStrictEqual(record.annotations, [{ type: "c1z/Grant", value: message([5, odd.slice(1)]) }])
    assert.deepStrictEqual(kept, ["Grant.sources"])
  })

  it("remembers remainders by their bytes: the same kept fields are told for each grant, and other bytes are looked at anew", () => {
    const { context, kept } = makeContext(rows)
    const row = { ...entitlementRow, entitlement_id: "group:g:member", principal_resource_type_id: "user" }
    const translated = ["x", "x", "y"].map((name) =>
      translateGrant(
        {
          ...row,
          principal_resource_id: "ann",
          data: message([1, message([2, "group:g:member"], [3, name])], [3, "group:g:member"])
        },
        false,
        context
      )
    )
    assert.deepStrictEqual(
      translated.map(({ annotations }) => remainderOf(annotations)),
      [["1.3 = 78"], ["1.3 = 78"], ["1.3 = 79"]]
    )
    assert.deepStrictEqual(kept, new Array<string>(3).fill("Grant.entitlement.display_name"))
  })

  it("accounts for every value of grants made of pieces of rows, changed and unchanged", () => {
    const annotation = fc
      .tuple(fc.constantFrom("ETag", "GroupTrait", "RoleTrait"), fc.constantFrom("", "a", "\u0008\u0001"))
      .map(([type, value]): Field => [4, any(`${url}${type}`, Buffer.from(value))])
    const odd = fc.constantFrom<Field>([3, "G"], [3, "other"], [8, 1], [8, 2], [77, "unknown"], [5, "text"], [6, 1])
    const resourceOf = fc
      .tuple(
        fc.constantFrom<Field>([1, id("group", "g")], [1, id("group", "h")], [77, 1]),
        fc.array(fc.oneof(annotation, odd))
      )
      .map(([first, rest]) => message(first, ...rest))
    const typeOf = fc
      .tuple(
        fc.constantFrom("user", "robot"),
        fc.array(fc.oneof(annotation, fc.constantFrom<Field>([2, "User"], [2, "X"], [99, 1])))
      )
      .map(([name, rest]) => message([1, name], ...rest))
    const entitlementOf = fc
      .tuple(
        fc.oneof(resourceOf, fc.constant(group)),
        fc.constantFrom<Field>([2, "group:g:member"], [2, "another"], [66, 1]),
        fc.array(fc.oneof(typeOf, fc.constant(userType)), { maxLength: 3 }),
        fc.array(
          fc.constantFrom<Field>([3, "member"], [3, "x"], [7, 1], [7, 2], [8, "member"], [8, 1], [55, "unknown"])
        )
      )
      .map(([inner, name, types, rest]) => message([1, inner], name, ...types.map((type): Field => [5, type]), ...rest))
    const grantOf = fc
      .tuple(
        fc.oneof(entitlementOf, fc.constant(member)),
        fc.oneof(resourceOf, fc.constant(ann), fc.constant(message([1, id("user", "ann")]))),
        fc.array(fc.oneof(annotation, fc.constantFrom<Field>([3, "grant"], [3, "other"], [9, "unknown"])))
      )
      .map(([inner, principal, rest]) => message([1, inner], [2, principal], ...rest))
    fc.assert(
      fc.property(grantOf, (data) => {
        assert.deepStrictEqual(unaccounted.grant(records, data, grant(data).record), [])
      }),
      { numRuns: 2_000, seed: 4 }
    )
  })

  it("is held to account: without its remainder a record does not say all of its message", () => {
    const data = message([1, message([2, "group:g:member"], [3, "x"])], [9, "unknown"])
    const { record } = grant(data)
    assert.deepStrictEqual(unaccounted.grant(records, data, { ...record, annotations: [] }), [
      "1.3 = 78",
      `9 = ${Buffer.from("unknown").toString("hex")}`
    ])
  })
})
