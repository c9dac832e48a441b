/** Small archives of the older format, made by tests: the tables of its generations, and rows as each test wants them. */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"
import * as zlib from "node:zlib"

/** Two runs' ids. */
export const firstSync = "36zfOAoWMxQdISbixanQCRBiX7E"
export const secondSync = "3ARefY5G8eOytquwYgm41Nq07IZ"

export const discoveredAt = "2025-12-17 16:31:25.057"

/** The tables as earlier generations made them; later ones added columns. */
export const earlierSchema = `
CREATE TABLE v1_resource_types (id integer primary key, external_id text not null, data blob not null, sync_id text not null,
  discovered_at datetime not null);
CREATE UNIQUE INDEX idx_resource_types_external_sync_v1 on v1_resource_types (external_id, sync_id);
CREATE TABLE v1_resources (id integer primary key, resource_type_id text not null, external_id text not null,
  parent_resource_type_id text, parent_resource_id text, data blob not null, sync_id text not null,
  discovered_at datetime not null);
CREATE UNIQUE INDEX idx_resources_external_sync_v1 on v1_resources (external_id, sync_id);
CREATE TABLE v1_entitlements (id integer primary key, resource_type_id text not null, resource_id text not null,
  external_id text not null, data blob not null, sync_id text not null, discovered_at datetime not null);
CREATE UNIQUE INDEX idx_entitlements_external_sync_v1 on v1_entitlements (external_id, sync_id);
CREATE TABLE v1_grants (id integer primary key, resource_type_id text not null, resource_id text not null,
  entitlement_id text not null, principal_resource_type_id text not null, principal_resource_id text not null,
  external_id text not null, data blob not null, sync_id text not null, discovered_at datetime not null);
CREATE UNIQUE INDEX idx_grants_external_sync_v1 on v1_grants (external_id, sync_id);
CREATE TABLE v1_sync_runs (id integer primary key, sync_id text not null, started_at datetime not null, ended_at datetime,
  sync_token text not null, sync_type text not null default 'full', parent_sync_id text not null default '');
CREATE UNIQUE INDEX idx_sync_runs_sync_id_v1 on v1_sync_runs (sync_id);
CREATE TABLE v1_assets (id integer primary key, external_id text not null, content_type text not null, data blob not null,
  sync_id text not null, discovered_at datetime not null);
CREATE UNIQUE INDEX idx_assets_external_sync_v1 on v1_assets (external_id, sync_id);
CREATE TABLE v1_connector_sessions (id integer primary key, sync_id text not null, key text not null, value blob not null);
`

/** What later generations have besides. */
export const laterSchema: string = `${earlierSchema}
ALTER TABLE v1_grants ADD COLUMN expansion blob;
ALTER TABLE v1_grants ADD COLUMN needs_expansion integer not null default 0;
ALTER TABLE v1_sync_runs ADD COLUMN linked_sync_id text not null default '';
ALTER TABLE v1_sync_runs ADD COLUMN supports_diff integer not null default 0;
`

export type Row = Readonly<Record<string, SQLInputValue>>

/** Puts a row into a table. */
export const insert = (database: DatabaseSync, table: string, row: Row): void => {
  const columns = Object.keys(row)
  const places = columns.map(() => "?").join(", ")
  database.prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places})`).run(...Object.values(row))
}

/** Rows that say only what a test is about. */
export const rows = {
  run: (row: Row = {}): Row => ({
    sync_id: firstSync,
    started_at: "2025-12-17 16:31:25.057185",
    ended_at: "2025-12-17 16:33:36.38142",
    sync_token: "",
    ...row
  }),
  resourceType: (id: string, data: Uint8Array, row: Row = {}): Row => ({
    external_id: id,
    data,
    sync_id: firstSync,
    discovered_at: discoveredAt,
    ...row
  }),
  resource: (type: string, id: string, data: Uint8Array, row: Row = {}): Row => ({
    resource_type_id: type,
    external_id: `${type}:${id}`,
    data,
    sync_id: firstSync,
    discovered_at: discoveredAt,
    ...row
  }),
  entitlement: (type: string, id: string, name: string, data: Uint8Array, row: Row = {}): Row => ({
    resource_type_id: type,
    resource_id: id,
    external_id: name,
    data,
    sync_id: firstSync,
    discovered_at: discoveredAt,
    ...row
  }),
  grant: (entitlement: Row, principal: readonly [string, string], data: Uint8Array, row: Row = {}): Row => ({
    resource_type_id: entitlement.resource_type_id!,
    resource_id: entitlement.resource_id!,
    entitlement_id: entitlement.external_id!,
    principal_resource_type_id: principal[0],
    principal_resource_id: principal[1],
    external_id: `${entitlement.external_id}:${principal.join(":")}`,
    data,
    sync_id: firstSync,
    discovered_at: discoveredAt,
    ...row
  }),
  asset: (id: string, data: Uint8Array, row: Row = {}): Row => ({
    external_id: id,
    content_type: "image/png",
    data,
    sync_id: firstSync,
    discovered_at: discoveredAt,
    ...row
  })
}

/** Makes a database file and returns its path. */
export const makeDatabase = (
  directory: string,
  fill: (database: DatabaseSync) => void,
  schema: string = earlierSchema
): string => {
  const file = path.join(directory, "made.sqlite")
  fs.rmSync(file, { force: true })
  const database = new DatabaseSync(file)
  database.exec(`PRAGMA synchronous = OFF; ${schema}; BEGIN`)
  fill(database)
  database.exec("COMMIT")
  database.close()
  return file
}

/** Wraps bytes as an archive: the magic and a zstd stream that promises no size. */
export const wrap = (content: Uint8Array): Uint8Array =>
  Buffer.concat([
    Buffer.from("C1ZF\0"),
    zlib.zstdCompressSync(content, { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } })
  ])

/** Makes an archive and returns its path. */
export const makeArchive = (
  directory: string,
  fill: (database: DatabaseSync) => void,
  schema: string = earlierSchema
): string => {
  const file = path.join(directory, "made.c1z")
  fs.writeFileSync(file, wrap(fs.readFileSync(makeDatabase(directory, fill, schema))))
  return file
}
