import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe } from "@effect/vitest"
import { Effect, Option } from "effect"
import { ArchiveFormats } from "../../src/ArchiveFormats.ts"
import * as Access from "../../src/access/index.ts"
import * as C1z from "../../src/c1z/C1z.ts"
import type { SyncId } from "../../src/SyncRun.ts"
import { temporaryDirectory } from "../RuntimesSuite.ts"
import {
  ann,
  failureOf,
  fillWhole,
  member,
  memberRow,
  opened,
  openFiles,
  recordsOf,
  test,
  userType
} from "./OpenedC1z.ts"
import { message } from "./Protobuf.ts"
import { firstSync, insert, laterSchema, makeArchive, rows, secondSync } from "./SyntheticC1z.ts"

describe("C1z", () => {
  test(
    "open gives a record for every row, the run as it was, and counts of both",
    Effect.gen(function* () {
      const archive = yield* opened(fillWhole)
      const runs = yield* archive.reader.listSyncs
      assert.deepStrictEqual(runs, [
        {
          sync_id: firstSync as SyncId,
          type: "full",
          parent_sync_id: secondSync as SyncId,
          started_at: Date.UTC(2025, 11, 17, 16, 31, 25) * 1_000 + 57_185,
          ended_at: Date.UTC(2025, 11, 17, 16, 33, 36) * 1_000 + 381_420,
          token: '{"needs_expansion":true}',
          counts: { ResourceType: 2, Resource: 2, Entitlement: 1, Grant: 1, Asset: 1 }
        }
      ])
      const [grant] = yield* recordsOf(archive, Access.Grant)
      assert.deepStrictEqual(grant?.annotations, [])
      const byPrincipal = yield* archive.reader.list(Access.Grant, {
        index: "by_principal",
        prefix: { principal_resource_type_id: "user", principal_resource_id: "ann" }
      })
      assert.deepStrictEqual(
        byPrincipal.items.map(({ external_id }) => external_id),
        ["group:staff:member:user:ann"]
      )
      const [asset] = yield* recordsOf(archive, Access.Asset)
      assert.deepStrictEqual([asset?.content_type, [...(asset?.data ?? [])]], ["image/png", [1, 2, 3]])
      assert.deepStrictEqual(archive.report.tables.v1_grants, {
        rowCount: 1,
        translatedCount: 1,
        withoutRunCount: 0,
        replacedCount: 0,
        annotatedCount: 0
      })
      assert.deepStrictEqual(archive.report.kept, { "Resource.creation_source": 1 })
      assert.deepStrictEqual(archive.report.dropped, {})
      assert.strictEqual((yield* archive.reader.check()).findingCount, 0)
      assert.deepStrictEqual([archive.info.format, archive.info.manifest.syncs[0]?.counts.Grant], ["c1z", 1])
    })
  )

  test(
    "open keeps several runs apart, shows one without an end as unfinished, and leaves rows of no run out and counted",
    Effect.gen(function* () {
      const archive = yield* opened((database) => {
        fillWhole(database)
        insert(
          database,
          "v1_sync_runs",
          rows.run({ sync_id: secondSync, ended_at: null, sync_type: "", sync_token: "t" })
        )
        const other = message(
          [
            1,
            [
              [1, "user"],
              [2, "ann"]
            ]
          ],
          [3, "Ann again"]
        )
        insert(database, "v1_resources", rows.resource("user", "ann", other, { sync_id: secondSync }))
        insert(database, "v1_resources", rows.resource("user", "bob", ann, { sync_id: "nobody's" }))
      })
      const runs = yield* archive.reader.listSyncs
      assert.deepStrictEqual(
        runs.map(({ sync_id, type, ended_at, token }) => [sync_id, type, ended_at !== undefined, token]),
        [
          [firstSync, "full", true, '{"needs_expansion":true}'],
          [secondSync, "unspecified", false, "t"]
        ]
      )
      assert.strictEqual(Option.getOrThrow(yield* archive.reader.latestFinishedSync()).sync_id, firstSync)
      const second = yield* recordsOf(archive, Access.Resource, secondSync)
      assert.deepStrictEqual(
        second.map(({ display_name }) => display_name),
        ["Ann again"]
      )
      assert.strictEqual((yield* recordsOf(archive, Access.Resource)).length, 2)
      assert.deepInclude(archive.report.tables.v1_resources, { rowCount: 4, translatedCount: 3, withoutRunCount: 1 })
    })
  )

  test(
    "open reads the columns of later generations, and counts those and other tables that it does not know",
    Effect.gen(function* () {
      const archive = yield* opened((database) => {
        insert(database, "v1_sync_runs", rows.run({ supports_diff: 1, linked_sync_id: "" }))
        const due = { expansion: message([1, "a"]), needs_expansion: 1 }
        insert(database, "v1_grants", rows.grant(memberRow, ["user", "ann"], message(), due))
        insert(database, "v1_grants", rows.grant(memberRow, ["user", "bob"], message(), { expansion: null }))
        insert(database, "v1_connector_sessions", { sync_id: firstSync, key: "k", value: Uint8Array.of(1) })
        database.exec("CREATE VIEW v2_other AS SELECT 1; CREATE TABLE empty (a)")
      }, laterSchema)
      const grants = yield* recordsOf(archive, Access.Grant)
      assert.deepStrictEqual(
        grants.map(({ expansion, needs_expansion }) => [expansion?.entitlement_ids, needs_expansion]),
        [
          [["a"], true],
          [undefined, false]
        ]
      )
      assert.deepStrictEqual(archive.report.dropped, { v1_connector_sessions: 1, "v1_sync_runs.supports_diff": 1 })
      const due = yield* archive.reader.list(Access.Grant, { index: "by_needs_expansion" })
      assert.strictEqual(due.items.length, 1)
    })
  )

  test(
    "open opens archives of the first generation, whose runs have no type and no parent",
    Effect.gen(function* () {
      const archive = yield* opened((database) => {
        database.exec(
          "ALTER TABLE v1_sync_runs DROP COLUMN sync_type; ALTER TABLE v1_sync_runs DROP COLUMN parent_sync_id"
        )
        insert(database, "v1_sync_runs", rows.run())
      })
      const [run] = yield* archive.reader.listSyncs
      assert.deepStrictEqual([run?.type, run?.parent_sync_id], ["unspecified", undefined])
    })
  )

  test(
    "open keeps messages within whole where the index is missing that finds their rows, and counts rows that others replaced",
    Effect.gen(function* () {
      const archive = yield* opened((database) => {
        database.exec(`DROP INDEX idx_entitlements_external_sync_v1; DROP INDEX idx_resources_external_sync_v1;
          DROP INDEX idx_resource_types_external_sync_v1; DROP INDEX idx_grants_external_sync_v1`)
        fillWhole(database)
        insert(database, "v1_grants", rows.grant(memberRow, ["user", "ann"], message([9, "last"])))
        insert(database, "v1_grants", rows.grant(memberRow, ["user", "bob"], message([1, member])))
      })
      const grants = yield* recordsOf(archive, Access.Grant)
      assert.deepStrictEqual(
        grants.map(({ annotations }) => annotations.map(({ type, value }) => [type, value.length > 40])),
        [[["c1z/Grant", false]], [["c1z/Grant", true]]]
      )
      assert.deepInclude(archive.report.tables.v1_grants, { rowCount: 3, translatedCount: 3, replacedCount: 1 })
    })
  )

  test(
    "open counts times that are finer than a microsecond",
    Effect.gen(function* () {
      const archive = yield* opened((database) => {
        insert(database, "v1_sync_runs", rows.run())
        const discovered_at = "2025-12-17 16:31:25.000000001"
        insert(database, "v1_resource_types", rows.resourceType("user", userType, { discovered_at }))
      })
      assert.deepStrictEqual(archive.report.dropped, { "v1_resource_types.discovered_at below a microsecond": 1 })
    })
  )

  test(
    "open reads rows whatever their numbers and in pages of bytes",
    Effect.gen(function* () {
      const archive = yield* opened((database) => {
        insert(database, "v1_sync_runs", rows.run())
        const large = new Uint8Array(3 * 1024 * 1024)
        for (const [at, id] of [-5, 0, 7, 9_007_199_254_740_990].entries()) {
          insert(database, "v1_assets", rows.asset(`${at}`, large.fill(at), { id }))
        }
        for (let at = 0; at < 2_500; at++) {
          insert(database, "v1_resource_types", rows.resourceType(`${at}`, message([1, `${at}`])))
        }
      })
      const assets = yield* recordsOf(archive, Access.Asset)
      assert.deepStrictEqual(
        assets.map(({ data }) => [data[0], data.length]),
        [0, 1, 2, 3].map((at) => [at, 3 * 1024 * 1024])
      )
      assert.strictEqual((yield* recordsOf(archive, Access.ResourceType)).length, 2_500)
    })
  )

  test(
    "open leaves nothing behind: not the database when it is open, and not its directory when it is closed or has failed",
    Effect.gen(function* () {
      const temporary = yield* temporaryDirectory
      const options = { temporaryDirectory: temporary }
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* opened(fillWhole, undefined, options)
          const [directory] = fs.readdirSync(temporary)
          assert.strictEqual(fs.statSync(path.join(temporary, directory!)).mode & 0o777, 0o700)
          assert.deepStrictEqual(fs.readdirSync(path.join(temporary, directory!)), ["store"])
          assert.deepStrictEqual(
            openFiles().filter((file) => file.includes(`${directory}/database`)),
            []
          )
        })
      )
      assert.deepStrictEqual(fs.readdirSync(temporary), [])
      yield* failureOf((database) => database.exec("DROP TABLE v1_grants"), undefined, options)
      assert.deepStrictEqual(fs.readdirSync(temporary), [])
    })
  )

  test(
    "layer adds the format to those of Archive, which knows it by its first five bytes",
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = makeArchive(directory, fillWhole)
      const formats = yield* Effect.provide(ArchiveFormats, C1z.layer)
      const [format] = formats
      assert.deepStrictEqual([formats.length, format?.name], [1, "c1z"])
      assert.isTrue(format!.matches(fs.readFileSync(file).subarray(0, 16)))
      assert.isFalse(format!.matches(Buffer.from("C1ZF\u0001")))
      assert.isFalse(format!.matches(Buffer.from("C1ZF")))
      const archive = yield* format!.open(file, {})
      assert.deepStrictEqual(
        (yield* archive.reader.listSyncs).map(({ sync_id }) => sync_id),
        [firstSync as SyncId]
      )
    })
  )
})
