import * as fs from "node:fs"
import * as path from "node:path"
import type { DatabaseSync } from "node:sqlite"
import * as zlib from "node:zlib"
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import type { OpenArchiveOptions } from "../../src/Archive.ts"
import * as C1z from "../../src/c1z/C1z.ts"
import { temporaryDirectory } from "../RuntimesSuite.ts"
import { failureOf, fillWhole, opened, test } from "./OpenedC1z.ts"
import { any, message } from "./Protobuf.ts"
import { insert, laterSchema, makeArchive, rows, wrap } from "./SyntheticC1z.ts"

describe("C1z with hostile archives", () => {
  const whole = (change: (database: DatabaseSync) => void) => (database: DatabaseSync) => {
    fillWhole(database)
    change(database)
  }

  /** What a change of a whole archive makes of opening it: the tag of the error and where it is. */
  const refused = (
    name: string,
    sql: string | ((database: DatabaseSync) => void),
    expected: Readonly<Record<string, unknown>>
  ) =>
    test(
      name,
      Effect.gen(function* () {
        const change = typeof sql === "string" ? (database: DatabaseSync) => database.exec(sql) : sql
        const error = yield* failureOf(whole(change), laterSchema)
        assert.deepInclude(error, expected)
        assert.include(error.message, "made.c1z")
      })
    )

  refused("open refuses a missing table", "DROP TABLE v1_assets", {
    _tag: "C1zSchemaInvalid",
    table: "v1_assets",
    detail: "is missing"
  })
  refused(
    "open refuses a view for a table",
    "ALTER TABLE v1_grants RENAME TO g; CREATE VIEW v1_grants AS SELECT * FROM g",
    {
      _tag: "C1zSchemaInvalid",
      table: "v1_grants",
      detail: "is a view, expected a table"
    }
  )
  refused(
    "open refuses a table of a module",
    "DROP TABLE v1_assets; CREATE VIRTUAL TABLE v1_assets USING fts5(external_id, content_type, data, sync_id, discovered_at)",
    { _tag: "C1zSchemaInvalid", table: "v1_assets", detail: "is a virtual, expected a table" }
  )
  refused("open refuses a missing column", "ALTER TABLE v1_entitlements DROP COLUMN data", {
    _tag: "C1zSchemaInvalid",
    table: "v1_entitlements",
    detail: "has no column data"
  })
  refused(
    "open refuses a generated column, which would run what the file says",
    "ALTER TABLE v1_entitlements DROP COLUMN data; ALTER TABLE v1_entitlements ADD COLUMN data blob AS (zeroblob(1000000000))",
    { _tag: "C1zSchemaInvalid", table: "v1_entitlements", detail: "has a column data that is generated" }
  )
  refused(
    "open refuses a table without row numbers",
    `DROP TABLE v1_assets; CREATE TABLE v1_assets (external_id text primary key, content_type text, data blob, sync_id text,
      discovered_at text) WITHOUT ROWID`,
    { _tag: "C1zSchemaInvalid", table: "v1_assets", detail: "has no row numbers" }
  )
  refused(
    "open refuses a column that hides the row numbers",
    "DROP TABLE v1_assets; CREATE TABLE v1_assets (RowId text, external_id text, content_type text, data blob, sync_id text, discovered_at text)",
    { _tag: "C1zSchemaInvalid", table: "v1_assets", detail: "has a column rowid, which hides the numbers of its rows" }
  )
  refused("open refuses row numbers over 53 bits", "UPDATE v1_assets SET id = 9223372036854775807", {
    _tag: "C1zSchemaInvalid",
    table: "v1_assets",
    detail: "has a row number of more than 53 bits"
  })
  refused("open refuses text for a message", "UPDATE v1_resources SET data = 'text' WHERE id = 2", {
    _tag: "C1zRowInvalid",
    table: "v1_resources",
    row: 2,
    field: "data",
    detail: "it is text, expected blob"
  })
  refused("open refuses bytes for an id", "UPDATE v1_grants SET entitlement_id = x'ff'", {
    _tag: "C1zRowInvalid",
    table: "v1_grants",
    row: 1,
    field: "entitlement_id",
    detail: "it is blob, expected text"
  })
  refused("open refuses a number for a time", "UPDATE v1_grants SET discovered_at = 1765989085", {
    _tag: "C1zRowInvalid",
    field: "discovered_at",
    detail: "it is integer, expected text"
  })
  refused("open refuses a time that is none", "UPDATE v1_sync_runs SET ended_at = 'yesterday'", {
    _tag: "C1zRowInvalid",
    table: "v1_sync_runs",
    row: 1,
    field: "ended_at"
  })
  refused("open refuses 2 for a truth", "UPDATE v1_grants SET needs_expansion = 2", {
    _tag: "C1zRowInvalid",
    field: "needs_expansion",
    detail: "it is integer, expected integer 0 or 1"
  })
  refused(
    "open refuses text that is not UTF-8 instead of replacing it",
    "UPDATE v1_assets SET external_id = CAST(x'61ff' AS TEXT)",
    {
      _tag: "C1zRowInvalid",
      table: "v1_assets",
      field: "external_id",
      detail: "a string is not UTF-8"
    }
  )
  refused("open refuses a sync id that is no KSUID", "UPDATE v1_sync_runs SET sync_id = 'sync 1'", {
    _tag: "C1zRowInvalid",
    table: "v1_sync_runs",
    field: "sync_id"
  })
  refused("open refuses a parent that is no KSUID", "UPDATE v1_sync_runs SET parent_sync_id = 'sync 1'", {
    _tag: "C1zRowInvalid",
    table: "v1_sync_runs",
    field: "parent_sync_id"
  })
  refused(
    "open refuses two runs of one id",
    "DROP INDEX idx_sync_runs_sync_id_v1; INSERT INTO v1_sync_runs (sync_id, started_at, sync_token) SELECT sync_id, started_at, '' FROM v1_sync_runs",
    { _tag: "C1zRowInvalid", table: "v1_sync_runs", row: 2, field: "sync_id" }
  )
  refused(
    "open refuses more runs than it reads the tables for",
    `WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
     INSERT INTO v1_sync_runs (sync_id, started_at, sync_token) SELECT printf('%027d', i), '', '' FROM n`,
    { _tag: "C1zLimitExceeded", table: "v1_sync_runs", subject: "run count", actual: 1_002, maximum: 1_000 }
  )
  refused(
    "open refuses a row that no record can hold, without reading it",
    "UPDATE v1_assets SET data = zeroblob(17000000)",
    {
      _tag: "C1zLimitExceeded",
      table: "v1_assets",
      row: 1,
      subject: "row size"
    }
  )
  refused(
    "open refuses a key that no record can have, and says whose",
    (database) => insert(database, "v1_assets", rows.asset("x".repeat(3_000), Uint8Array.of(1))),
    { _tag: "C1zRowInvalid", table: "v1_assets", row: 2 }
  )
  refused("open refuses a type of runs that is too long", `UPDATE v1_sync_runs SET sync_type = '${"x".repeat(257)}'`, {
    _tag: "C1zRowInvalid",
    table: "v1_sync_runs",
    field: "sync_type"
  })
  const place = (table: string, data: Uint8Array, field: string) =>
    refused(
      `open names table, row and field of a damaged message: ${table}, ${field}`,
      (database) => database.prepare(`UPDATE ${table} SET data = ? WHERE id = 1`).run(data),
      { _tag: "C1zRowInvalid", table, row: 1, field }
    )
  const damaged = Uint8Array.of(0x0a, 9)
  const notText = Uint8Array.of(0xff)
  place("v1_resource_types", damaged, "data")
  place("v1_resource_types", message([2, notText]), "data.display_name")
  place("v1_resources", message([1, damaged]), "data.id")
  place("v1_resources", message([9, damaged]), "data.profile")
  place("v1_resources", message([11, damaged]), "data.status")
  place(
    "v1_resources",
    message([4, any("type.googleapis.com/a").concat([[2, notText]])], [4, notText]),
    "data.annotations"
  )
  place("v1_entitlements", message([5, damaged]), "data.grantable_to")
  place("v1_grants", message([1, [[1, [[1, damaged]]]]]), "data.entitlement.resource")
  place("v1_grants", message([5, [[1, damaged]]]), "data.sources")
  place(
    "v1_grants",
    message([4, any("type.googleapis.com/c1.connector.v2.GrantExpandable", damaged)]),
    "data.annotations"
  )
  refused(
    "open names the column of a damaged expansion",
    (database) => database.prepare("UPDATE v1_grants SET expansion = ?").run(damaged),
    { _tag: "C1zRowInvalid", table: "v1_grants", row: 1, field: "expansion" }
  )

  test(
    "open reads a table itself and no index of it, which may hold other rows",
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const columns = "external_id, data, sync_id, discovered_at"
      const file = makeArchive(
        directory,
        whole((database) =>
          database.exec(`CREATE TABLE x1_resource_types AS SELECT * FROM v1_resource_types;
            CREATE INDEX forged ON x1_resource_types (${columns});
            ANALYZE;
            DELETE FROM sqlite_stat1;
            INSERT INTO sqlite_stat1 VALUES ('v1_resource_types', 'forged', '1000000 1 1 1 1 sz=1');
            UPDATE v1_resource_types SET data = 'text' WHERE id = 2`)
        )
      )
      // The schema then says that the index is of the other table.
      const content = Buffer.from(zlib.zstdDecompressSync(fs.readFileSync(file).subarray(5))).toString("latin1")
      const forged = content
        .replace("forgedx1_resource_types", "forgedv1_resource_types")
        .replace("INDEX forged ON x1_resource_types", "INDEX forged ON v1_resource_types")
      fs.writeFileSync(file, wrap(Buffer.from(forged, "latin1")))
      const failure = yield* Effect.flip(C1z.open(file))
      assert.strictEqual(failure._tag, "C1zRowInvalid")
      assert.include(failure.message, "table v1_resource_types, row 2, data: it is text, expected blob")
    })
  )
  test(
    "open refuses text in another encoding",
    Effect.gen(function* () {
      const error = yield* failureOf(() => {}, `PRAGMA encoding = 'UTF-16le'; ${laterSchema}`)
      assert.deepInclude(error, { _tag: "C1zSchemaInvalid", detail: "has text in UTF-16le, expected UTF-8" })
    })
  )

  test(
    "open runs no trigger and nothing of the schema",
    Effect.gen(function* () {
      const archive = yield* opened(
        whole((database) =>
          database.exec(`CREATE TRIGGER t AFTER INSERT ON v1_grants BEGIN DELETE FROM v1_grants; END;
            CREATE TABLE checked (a CHECK (length(zeroblob(a)) > 0));
            CREATE VIEW endless AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT * FROM n`)
        )
      )
      assert.strictEqual(archive.report.tables.v1_grants?.translatedCount, 1)
    })
  )

  const wrapped = (
    name: string,
    content: Uint8Array,
    expected: Readonly<Record<string, unknown>>,
    options?: OpenArchiveOptions
  ) =>
    test(
      name,
      Effect.gen(function* () {
        const file = path.join(yield* temporaryDirectory, "made.c1z")
        fs.writeFileSync(file, content)
        assert.deepInclude(yield* Effect.flip(Effect.scoped(C1z.open(file, options))), expected)
      })
    )

  wrapped("open refuses a file of another magic", Buffer.from("C1ZF\u0001rest"), {
    _tag: "ArchiveCorrupt",
    part: "magic"
  })
  wrapped("open refuses an empty file", new Uint8Array(0), { _tag: "ArchiveCorrupt", part: "magic" })
  wrapped("open refuses a magic alone", Buffer.from("C1ZF\0"), { _tag: "ArchiveCorrupt", part: "payload" })
  wrapped("open refuses bytes behind the stream", Buffer.concat([wrap(Buffer.alloc(10)), Buffer.from("x")]), {
    _tag: "ArchiveCorrupt",
    part: "payload"
  })
  wrapped("open refuses a stream of something else", wrap(Buffer.from("no database at all ".repeat(500))), {
    _tag: "C1zUnreadable"
  })
  wrapped("open refuses a stream of nothing", wrap(new Uint8Array(0)), {
    _tag: "C1zSchemaInvalid",
    detail: "is missing"
  })
  wrapped("open refuses a small file that decodes to more than its limit", wrap(new Uint8Array(65 * 1024 * 1024)), {
    _tag: "ArchiveLimitExceeded",
    subject: "decoded size",
    maximum: 64 * 1024 * 1024
  })
  wrapped(
    "open refuses what decodes to more than the caller allows",
    wrap(new Uint8Array(5_000)),
    { _tag: "ArchiveLimitExceeded", subject: "decoded size", maximum: 4_096 },
    { limits: { maxDecodedSizeBytes: 4_096 } }
  )

  test(
    "open takes a stream without a checksum, as earlier writers made them",
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = makeArchive(directory, fillWhole)
      const database = fs.readFileSync(path.join(directory, "made.sqlite"))
      fs.writeFileSync(file, Buffer.concat([Buffer.from("C1ZF\0"), zlib.zstdCompressSync(database)]))
      assert.strictEqual((yield* C1z.open(file)).report.tables.v1_grants?.translatedCount, 1)
    })
  )

  test(
    "open refuses every truncation of an archive",
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const bytes = fs.readFileSync(makeArchive(directory, fillWhole))
      const file = path.join(directory, "cut.c1z")
      const step = Math.max(1, Math.floor(bytes.length / 40))
      for (let size = 0; size < bytes.length; size += size < 8 || size > bytes.length - 8 ? 1 : step) {
        fs.writeFileSync(file, bytes.subarray(0, size))
        assert.strictEqual((yield* Effect.flip(Effect.scoped(C1z.open(file))))._tag, "ArchiveCorrupt", `${size} bytes`)
      }
    })
  )

  test(
    "open gives an archive or a typed error for damaged pages of the database",
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      makeArchive(directory, fillWhole)
      const database = fs.readFileSync(path.join(directory, "made.sqlite"))
      const file = path.join(directory, "damaged.c1z")
      const tags = new Set<string>()
      let seed = 7
      const next = (bound: number) => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
        return seed % bound
      }
      for (let round = 0; round < 60; round++) {
        const bytes = Uint8Array.from(database)
        // The headers of pages and the cells at their ends, where there is most to break.
        const page = next(bytes.length / 4_096) * 4_096
        for (let change = 0; change < 4; change++)
          bytes[page + (next(2) === 0 ? next(120) : 4_095 - next(300))] = next(256)
        fs.writeFileSync(file, wrap(bytes))
        const exit = yield* Effect.result(Effect.scoped(C1z.open(file)))
        tags.add(exit._tag === "Success" ? "opened" : exit.failure._tag)
      }
      assert.includeMembers([...tags], ["opened", "C1zUnreadable"])
      for (const tag of tags) assert.match(tag, /^(opened|C1z\w+)$/)
    })
  )
})
