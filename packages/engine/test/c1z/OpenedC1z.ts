/** What the tests of older archives share: one with a row in every table, made and opened in a directory of its own. */
import * as fs from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import { it } from "@effect/vitest"
import { type ZstdStream, ZstdStreamLive } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, type Scope, Stream } from "effect"
import type { OpenArchiveOptions, OpenError } from "../../src/Archive.ts"
import * as C1z from "../../src/c1z/C1z.ts"
import type { RecordListError } from "../../src/RecordReader.ts"
import type * as RecordType from "../../src/RecordType.ts"
import type { SyncId } from "../../src/SyncRun.ts"
import { temporaryDirectory } from "../RuntimesSuite.ts"
import { message } from "./Protobuf.ts"
import { firstSync, insert, makeArchive, rows, secondSync } from "./SyntheticC1z.ts"

const live = Layer.mergeAll(LiveDisk.layer, ZstdStreamLive.layer)

/** A test with the disk and scope of its own. */
export const test = (name: string, body: Effect.Effect<void, unknown, Disk | ZstdStream | Scope.Scope>): void =>
  it.live(name, () => body.pipe(Effect.provide(live), Effect.scoped))

/** All records of a type. */
export const recordsOf = <T extends RecordType.Any>(
  { reader }: C1z.OpenC1z,
  type: T,
  sync: string = firstSync
): Effect.Effect<ReadonlyArray<RecordType.Record<T>>, RecordListError> =>
  Stream.runCollect(reader.stream(type, { sync: sync as SyncId }))

export const userType: Uint8Array = message([1, "user"], [2, "User"], [3, 1])
export const groupType: Uint8Array = message([1, "group"], [2, "Group"], [3, 2])
export const ann: Uint8Array = message(
  [
    1,
    [
      [1, "user"],
      [2, "ann"]
    ]
  ],
  [3, "Ann"]
)
export const staff: Uint8Array = message(
  [
    1,
    [
      [1, "group"],
      [2, "staff"]
    ]
  ],
  [3, "Staff"],
  [8, 1]
)
export const member: Uint8Array = message(
  [1, staff],
  [2, "group:staff:member"],
  [3, "member"],
  [5, userType],
  [7, 1],
  [8, "member"]
)
export const memberRow: ReturnType<typeof rows.entitlement> = rows.entitlement(
  "group",
  "staff",
  "group:staff:member",
  member
)
export const annIsMember: Uint8Array = message([1, member], [2, ann], [3, "group:staff:member:user:ann"])

/** One finished run with a row in every table. */
export const fillWhole = (database: DatabaseSync): void => {
  insert(database, "v1_sync_runs", rows.run({ sync_token: '{"needs_expansion":true}', parent_sync_id: secondSync }))
  insert(database, "v1_resource_types", rows.resourceType("user", userType))
  insert(database, "v1_resource_types", rows.resourceType("group", groupType))
  insert(database, "v1_resources", rows.resource("user", "ann", ann))
  insert(database, "v1_resources", rows.resource("group", "staff", staff))
  insert(database, "v1_entitlements", memberRow)
  insert(database, "v1_grants", rows.grant(memberRow, ["user", "ann"], annIsMember))
  insert(database, "v1_assets", rows.asset("logo", Uint8Array.of(1, 2, 3)))
}

/** Opens an archive of a database that is filled so. */
export const opened = (
  fill: (database: DatabaseSync) => void,
  schema?: string,
  options?: OpenArchiveOptions
): Effect.Effect<C1z.OpenC1z, OpenError, Disk | ZstdStream | Scope.Scope> =>
  Effect.flatMap(temporaryDirectory, (directory) => C1z.open(makeArchive(directory, fill, schema), options))

export const failureOf = (
  fill: (database: DatabaseSync) => void,
  schema?: string,
  options?: OpenArchiveOptions
): Effect.Effect<OpenError, C1z.OpenC1z, Disk | ZstdStream> => Effect.flip(Effect.scoped(opened(fill, schema, options)))

/** The files that this process has open, removed ones too, where the system tells. */
export const openFiles = (): ReadonlyArray<string> =>
  fs.existsSync("/proc/self/fd")
    ? fs.readdirSync("/proc/self/fd").flatMap((name) => {
        try {
          return [fs.readlinkSync(`/proc/self/fd/${name}`)]
        } catch {
          return []
        }
      })
    : []
