import { assert, describe, it } from "@effect/vitest"
import { ProtobufInvalid } from "../../src/c1z/ProtobufFields.ts"
import * as TranslateAccess from "../../src/c1z/TranslateAccess.ts"
import { unaccounted } from "./Accounting.ts"
import { any, type Field, message } from "./Protobuf.ts"
import { id, makeContext, remainderOf, url } from "./Translation.ts"

const resourceType = (...fields: ReadonlyArray<Field>) => {
  const data = message(...fields)
  const { context, kept } = makeContext()
  const record = TranslateAccess.translateResourceType({ external_id: "user", data, discovered_at: 7 }, context)
  assert.deepStrictEqual(unaccounted.resourceType(data, record), [])
  return { record, kept }
}

const resource = (fields: ReadonlyArray<Field>, row: Partial<TranslateAccess.ResourceRow> = {}) => {
  const data = message(...fields)
  const { context, kept } = makeContext()
  const record = TranslateAccess.translateResource(
    { resource_type_id: "user", external_id: "user:ann", data, discovered_at: 7, ...row },
    context
  )
  assert.deepStrictEqual(unaccounted.resource(data, record), [])
  return { record, kept }
}

describe("translateResourceType", () => {
  it("gives fields, traits of both encodings, and annotations by their short types", () => {
    const { record, kept } = resourceType(
      [1, "user"],
      [2, "User"],
      [3, Uint8Array.of(1, 7)],
      [3, 12],
      [4, any(`${url}SkipGrants`)],
      [4, any("example.com/a.B", Uint8Array.of(1))],
      [5, "Who"]
    )
    assert.deepStrictEqual(record, {
      external_id: "user",
      display_name: "User",
      description: "Who",
      traits: ["user", "scope_binding", "managed_device"],
      annotations: [
        { type: "c1.connector.v2.SkipGrants", value: new Uint8Array(0) },
        { type: "example.com/a.B", value: Uint8Array.of(1) }
      ],
      discovered_at: 7
    })
    assert.deepStrictEqual(kept, [])
  })

  it("calls a trait that it does not know by its number, and keeps a number that is written oddly", () => {
    assert.deepStrictEqual(resourceType([3, Uint8Array.of(99)]).record.traits, ["99"])
    const odd = resourceType([3, Uint8Array.of(0x81, 0)])
    assert.deepStrictEqual(odd.record.traits, [])
    assert.deepStrictEqual(odd.kept, ["ResourceType.traits"])
    assert.throws(() => resourceType([3, Uint8Array.of(1, 0x81)]), ProtobufInvalid)
  })

  it("keeps what it has no field for, another id, earlier ones of a field that is there twice, and fields of another type", () => {
    const { record, kept } = resourceType(
      [1, "other"],
      [2, "first"],
      [2, "last"],
      [5, 1],
      [6, 1],
      [99, "unknown"],
      [4, any("")],
      [4, any(url.slice(0, -"c1.connector.v2.".length))],
      [4, [...any(`${url}Odd`), [3, "more"]]],
      [4, [...any(`${url}Odd`), [1, `${url}Twice`]]],
      [4, any("bare")],
      [4, any(`${url}a/b`)],
      [4, any("c1z/ResourceType", Uint8Array.of(1))],
      [4, [...any(`${url}Odd`), [3, 1]]]
    )
    assert.strictEqual(record.display_name, "last")
    assert.isUndefined(record.description)
    assert.deepStrictEqual(
      record.annotations.map(({ type }) => type),
      ["c1z/ResourceType"]
    )
    assert.deepStrictEqual(kept, [
      "ResourceType.id",
      "ResourceType.display_name",
      "ResourceType.description",
      "ResourceType.sourced_externally",
      "ResourceType.#99",
      ...new Array<string>(8).fill("ResourceType.annotations")
    ])
  })
})

describe("translateResource", () => {
  it("gives ids from the columns, and the profile, status and external id of the message", () => {
    const profile: ReadonlyArray<Field> = [
      [
        1,
        [
          [1, "mail"],
          [2, [[3, "a@b"]]]
        ]
      ]
    ]
    const { record, kept } = resource([
      [1, id("user", "ann")],
      [2, id("org", "acme")],
      [3, "Ann"],
      [5, ""],
      [7, [[1, "E-1"]]],
      [9, profile],
      [11, [[1, 2]]]
    ])
    assert.deepStrictEqual(record, {
      resource_type_id: "user",
      resource_id: "ann",
      display_name: "Ann",
      description: "",
      external_id: "E-1",
      parent_resource_type_id: "org",
      parent_resource_id: "acme",
      profile: { mail: "a@b" },
      status: "disabled",
      annotations: [],
      discovered_at: 7
    })
    assert.deepStrictEqual(kept, [])
  })

  it("keeps what those have besides, the fields that records do not have, and a profile that JSON does not say", () => {
    const { record, kept } = resource([
      [1, [...id("user", "ann"), [3, 1]]],
      [6, 1],
      [
        7,
        [
          [1, "E-1"],
          [2, "https://x"]
        ]
      ],
      [8, 1],
      [
        9,
        [
          [
            1,
            [
              [1, "a"],
              [2, [[4, 2]]]
            ]
          ]
        ]
      ],
      [10, [[1, "icon"]]],
      [
        11,
        [
          [1, 1],
          [2, "by hand"]
        ]
      ],
      [12, [[1, 1_700_000_000]]]
    ])
    assert.deepStrictEqual([record.external_id, record.status, record.profile], ["E-1", "enabled", undefined])
    assert.deepStrictEqual(kept.sort(), [
      "Resource.baton_resource",
      "Resource.created_at",
      "Resource.creation_source",
      "Resource.external_id.link",
      "Resource.icon",
      "Resource.id.baton_resource",
      "Resource.profile",
      "Resource.status.details"
    ])
  })

  it("takes the columns' word for ids and parent and keeps the message's", () => {
    const { record, kept } = resource(
      [
        [1, id("user", "bob")],
        [2, id("org", "other")]
      ],
      {
        parent_resource_type_id: "org",
        parent_resource_id: "acme"
      }
    )
    assert.deepStrictEqual([record.resource_id, record.parent_resource_id], ["ann", "acme"])
    assert.deepStrictEqual(remainderOf(record.annotations), ["1.2 = 626f62", "2.2 = 6f74686572"])
    assert.deepStrictEqual(kept, ["Resource.id.resource", "Resource.parent_resource_id.resource"])
  })

  it("keeps an external id that does not begin with the type, and takes the id from the message", () => {
    const { record } = resource([[1, id("user", "ann")]], { external_id: "ann@acme" })
    assert.strictEqual(record.resource_id, "ann")
    assert.deepStrictEqual(record.annotations, [
      { type: "c1z/v1_resources/external_id", value: new TextEncoder().encode("ann@acme") }
    ])
    assert.strictEqual(resource([], { external_id: "ann" }).record.resource_id, "ann")
  })
})
