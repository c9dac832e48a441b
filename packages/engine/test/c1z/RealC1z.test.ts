/** The archives of `../shared/data/c1z`, which other programs made. Skipped where that folder is absent. */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import * as zlib from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { ZstdStreamLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option, type Scope, Stream } from "effect"
import * as Access from "../../src/access/index.ts"
import * as C1z from "../../src/c1z/C1z.ts"
import type { SyncId } from "../../src/SyncRun.ts"
import { temporaryDirectory } from "../RuntimesSuite.ts"
import { type Records, unaccounted } from "./Accounting.ts"

const folder = fileURLToPath(new URL("../../../../../shared/data/c1z/", import.meta.url))
const hasData = fs.existsSync(folder)

const live = Layer.mergeAll(LiveDisk.layer, ZstdStreamLive.layer)

const test = (name: string, body: Effect.Effect<void, unknown, Layer.Success<typeof live> | Scope.Scope>) =>
  it.live.skipIf(!hasData)(`${name} (needs ../shared/data/c1z)`, () => body.pipe(Effect.provide(live), Effect.scoped))

/** The rows as SQLite has them, read by nothing that is tested. */
const rowsOf = Effect.fnUntraced(function* (name: string) {
  const file = path.join(yield* temporaryDirectory, "read.sqlite")
  fs.writeFileSync(file, zlib.zstdDecompressSync(fs.readFileSync(path.join(folder, name)).subarray(5)))
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(file)),
    (open) => Effect.sync(() => open.close())
  )
  return (table: string) =>
    database.prepare(`SELECT * FROM ${table} ORDER BY id`).all() as unknown as ReadonlyArray<{
      readonly [column: string]: string
      readonly data: Uint8Array & string
    }>
})

const micros = (text: string): number =>
  Date.parse(`${text.slice(0, 19).replace(" ", "T")}Z`) * 1_000 + Number(text.slice(20).padEnd(6, "0"))

interface Expected {
  readonly resourceTypes: number
  readonly resources: number
  readonly entitlements: number
  readonly grants: number
  readonly isFinished: boolean
}

/** Opens an archive, and holds it to its counts and every row of it to account. */
const check = Effect.fnUntraced(function* (name: string, expected: Expected) {
  const archive = yield* C1z.open(path.join(folder, name))
  const { reader, report } = archive
  const rows = yield* rowsOf(name)
  const [row] = rows("v1_sync_runs")
  const sync = row!.sync_id as SyncId
  const options = { sync }

  const runs = yield* reader.listSyncs
  assert.deepStrictEqual(
    runs.map(({ sync_id, type, token, started_at, ended_at }) => [sync_id, type, token, started_at, ended_at]),
    [
      [
        sync,
        "full",
        row!.sync_token,
        micros(row!.started_at!),
        row!.ended_at === null ? undefined : micros(row!.ended_at!)
      ]
    ]
  )
  assert.strictEqual(Option.isSome(yield* reader.latestFinishedSync()), expected.isFinished)
  const byDefault = yield* Effect.result(reader.list(Access.ResourceType))
  assert.strictEqual(
    byDefault._tag === "Success" ? "read" : byDefault.failure._tag,
    expected.isFinished ? "read" : "NoFinishedSync"
  )

  const resourceTypes = yield* Stream.runCollect(reader.stream(Access.ResourceType, options))
  const resources = yield* Stream.runCollect(reader.stream(Access.Resource, options))
  const entitlements = yield* Stream.runCollect(reader.stream(Access.Entitlement, options))
  const grants = yield* Stream.runCollect(reader.stream(Access.Grant, options))
  assert.deepStrictEqual(
    [resourceTypes.length, resources.length, entitlements.length, grants.length],
    [expected.resourceTypes, expected.resources, expected.entitlements, expected.grants]
  )
  for (const table of Object.values(report.tables)) {
    assert.deepInclude(table, { translatedCount: table.rowCount, withoutRunCount: 0, replacedCount: 0 })
  }

  const records: Records = {
    resourceTypes: new Map(resourceTypes.map((record) => [record.external_id, record])),
    resources: new Map(resources.map((record) => [`${record.resource_type_id}:${record.resource_id}`, record])),
    entitlements: new Map(entitlements.map((record) => [record.external_id, record]))
  }
  const grantsById = new Map(grants.map((record) => [record.external_id, record]))
  for (const { external_id, data, discovered_at } of rows("v1_resource_types")) {
    const record = records.resourceTypes.get(external_id!)!
    assert.deepStrictEqual([unaccounted.resourceType(data, record), record.discovered_at], [[], micros(discovered_at!)])
  }
  for (const { external_id, data, discovered_at, resource_type_id } of rows("v1_resources")) {
    const record = records.resources.get(external_id!)!
    assert.deepStrictEqual([unaccounted.resource(data, record), record.discovered_at], [[], micros(discovered_at!)])
    assert.strictEqual(record.resource_type_id, resource_type_id)
  }
  for (const { external_id, data, discovered_at, resource_id } of rows("v1_entitlements")) {
    const record = records.entitlements.get(external_id!)!
    assert.deepStrictEqual(
      [unaccounted.entitlement(records, data, record), record.discovered_at],
      [[], micros(discovered_at!)]
    )
    assert.strictEqual(record.resource_id, resource_id)
  }
  const grantRows = rows("v1_grants")
  for (const { external_id, data, discovered_at, ...columns } of grantRows) {
    const record = grantsById.get(external_id!)!
    assert.deepStrictEqual(
      [unaccounted.grant(records, data, record), record.discovered_at],
      [[], micros(discovered_at!)]
    )
    assert.deepStrictEqual(
      [record.entitlement_id, record.entitlement_resource_type_id, record.entitlement_resource_id],
      [columns.entitlement_id, columns.resource_type_id, columns.resource_id]
    )
    assert.deepStrictEqual(
      [record.principal_resource_type_id, record.principal_resource_id],
      [columns.principal_resource_type_id, columns.principal_resource_id]
    )
  }
  assert.strictEqual((yield* reader.check()).findingCount, 0)
  return { archive, records, grants, options, grantRows }
})

describe("C1z with archives of other programs", () => {
  test(
    "open accounts for every value of the unexpanded archive, and its expansions are due",
    Effect.gen(function* () {
      const expected = { resourceTypes: 4, resources: 1_221, entitlements: 342, grants: 2_909, isFinished: false }
      const { archive, grants, options } = yield* check("small.unexpanded.c1z", expected)
      const due = yield* archive.reader.list(Access.Grant, { ...options, index: "by_needs_expansion" })
      assert.strictEqual(due.items.length, 409)
      assert.strictEqual(grants.filter(({ expansion }) => expansion !== undefined).length, 409)
      assert.deepStrictEqual(archive.report.kept, {
        "Grant.entitlement.resource.annotations": 2_909,
        "Resource.creation_source": 1_221
      })
      assert.deepStrictEqual(archive.report.dropped, {})
    })
  )

  test(
    "open accounts for every value of the expanded archive, and finds each grant by entitlement and by principal",
    Effect.gen(function* () {
      const expected = { resourceTypes: 4, resources: 1_221, entitlements: 342, grants: 14_981, isFinished: true }
      const { archive, records, grants, options, grantRows } = yield* check("small.expanded.c1z", expected)
      const { reader } = archive
      assert.strictEqual(grants.filter(({ needs_expansion }) => needs_expansion).length, 0)
      const found = { entitlement: new Set<string>(), principal: new Set<string>() }
      for (const entitlement_id of records.entitlements.keys()) {
        const prefix = { entitlement_id }
        yield* Stream.runForEach(
          reader.stream(Access.Grant, { ...options, index: "by_entitlement", prefix }),
          (grant) =>
            Effect.sync(() => {
              assert.strictEqual(grant.entitlement_id, entitlement_id)
              found.entitlement.add(grant.external_id)
            })
        )
      }
      for (const { resource_type_id, resource_id } of records.resources.values()) {
        const prefix = { principal_resource_type_id: resource_type_id, principal_resource_id: resource_id }
        yield* Stream.runForEach(reader.stream(Access.Grant, { ...options, index: "by_principal", prefix }), (grant) =>
          Effect.sync(() => {
            assert.strictEqual(grant.principal_resource_id, resource_id)
            found.principal.add(grant.external_id)
          })
        )
      }
      assert.deepStrictEqual([found.entitlement.size, found.principal.size], [14_981, 14_981])
      // Most of a grant's message repeats its entitlement: its record does not.
      const messageBytes = grantRows.reduce((sum, { data }) => sum + data.length, 0)
      const recordBytes = grants.reduce((sum, grant) => sum + Access.Grant.codec.encodeUnsafe(grant).length, 0)
      assert.isBelow(recordBytes, messageBytes / 2)
    })
  )

  test(
    "open shows the sync that never ended as unfinished",
    Effect.gen(function* () {
      const expected = { resourceTypes: 5, resources: 79, entitlements: 0, grants: 0, isFinished: false }
      const { archive } = yield* check("unfinished.c1z", expected)
      assert.deepStrictEqual(archive.report.dropped, { "v1_sync_runs.grants_backfilled": 1 })
      assert.deepStrictEqual(archive.report.kept, {})
    })
  )
})
