import type { DatabaseSync } from "node:sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as C1zMessages from "../../src/c1z/C1zMessages.ts"
import { makeResolve } from "../../src/c1z/C1zReferents.ts"
import { checkSchema } from "../../src/c1z/C1zSchema.ts"
import { resourceKey } from "../../src/c1z/Remainder.ts"
import { loadSqliteDriver } from "../../src/live/SqliteDriver.ts"
import { temporaryDirectory } from "../RuntimesSuite.ts"
import { firstSync, insert, makeDatabase, rows, secondSync } from "./SyntheticC1z.ts"

const data = (byte: number) => Uint8Array.of(8, byte)

const resolveIn = Effect.fnUntraced(function* (fill: (database: DatabaseSync) => void) {
  const file = makeDatabase(yield* temporaryDirectory, fill)
  const driver = yield* Effect.promise(loadSqliteDriver)
  const connection = yield* Effect.acquireRelease(
    Effect.sync(() => driver.openReading(file)),
    (open) => Effect.sync(() => open.close())
  )
  return makeResolve(connection, checkSchema(connection, file))
})

describe("C1zReferents", () => {
  it.live("makeResolve finds rows by id in their sync, and resources by type and id whatever colons are in them", () =>
    Effect.gen(function* () {
      const resolveOf = yield* resolveIn((database) => {
        insert(database, "v1_resource_types", rows.resourceType("user", data(1)))
        insert(database, "v1_resource_types", rows.resourceType("user", data(2), { sync_id: secondSync }))
        insert(database, "v1_resources", rows.resource("a:b", "c", data(3)))
        insert(database, "v1_entitlements", rows.entitlement("a", "b", "e", data(4)))
      })
      const resolve = resolveOf(firstSync)
      for (const round of ["looked up", "remembered"]) {
        assert.deepStrictEqual(resolve(C1zMessages.resourceType, "user"), data(1), round)
        assert.deepStrictEqual(resolve(C1zMessages.resource, resourceKey("a:b", "c")), data(3), round)
        assert.isUndefined(resolve(C1zMessages.resource, resourceKey("a", "b:c")), round)
        assert.deepStrictEqual(resolve(C1zMessages.entitlement, "e"), data(4), round)
        assert.isUndefined(resolve(C1zMessages.entitlement, "other"), round)
        assert.isUndefined(resolve(C1zMessages.resourceId, "user"), round)
      }
      assert.deepStrictEqual(resolveOf(secondSync)(C1zMessages.resourceType, "user"), data(2))
    }).pipe(Effect.scoped)
  )

  const index = "idx_entitlements_external_sync_v1"
  for (const [name, sql] of [
    ["there is none", ""],
    ["it is not unique", `CREATE INDEX ${index} ON v1_entitlements (external_id, sync_id)`],
    ["it has not every row", `CREATE UNIQUE INDEX ${index} ON v1_entitlements (external_id, sync_id) WHERE id > 0`],
    ["it is over other columns", `CREATE UNIQUE INDEX ${index} ON v1_entitlements (external_id, resource_id, sync_id)`],
    ["it is over less", `CREATE UNIQUE INDEX ${index} ON v1_entitlements (external_id)`],
    ["it compares otherwise", `CREATE UNIQUE INDEX ${index} ON v1_entitlements (external_id COLLATE NOCASE, sync_id)`],
    ["it is over an expression", `CREATE UNIQUE INDEX ${index} ON v1_entitlements (lower(external_id), sync_id)`]
  ] as const) {
    it.live(`makeResolve finds no row without the index of the format: ${name}`, () =>
      Effect.gen(function* () {
        const resolveOf = yield* resolveIn((database) => {
          database.exec(`DROP INDEX ${index}; ${sql}`)
          insert(database, "v1_entitlements", rows.entitlement("a", "b", "e", data(4)))
        })
        assert.isUndefined(resolveOf(firstSync)(C1zMessages.entitlement, "e"))
      }).pipe(Effect.scoped)
    )
  }

  it.live("makeResolve uses an index of any name", () =>
    Effect.gen(function* () {
      const resolveOf = yield* resolveIn((database) => {
        database.exec(
          `DROP INDEX ${index}; CREATE UNIQUE INDEX "a ""b"" ' c" ON v1_entitlements (sync_id, external_id)`
        )
        insert(database, "v1_entitlements", rows.entitlement("a", "b", "e", data(4)))
      })
      assert.deepStrictEqual(resolveOf(firstSync)(C1zMessages.entitlement, "e"), data(4))
    }).pipe(Effect.scoped)
  )

  it.live("makeResolve forgets rows when it has kept many bytes, and finds them again", () =>
    Effect.gen(function* () {
      const large = new Uint8Array(6 * 1024 * 1024)
      const resolveOf = yield* resolveIn((database) => {
        for (const id of ["a", "b", "c"]) insert(database, "v1_resource_types", rows.resourceType(id, large))
      })
      const resolve = resolveOf(firstSync)
      const find = (id: string) => resolve(C1zMessages.resourceType, id)!
      const first = find("a")
      assert.strictEqual(find("a"), first)
      find("b")
      find("c")
      assert.notStrictEqual(find("a"), first)
      assert.strictEqual(find("a").length, large.length)
    }).pipe(Effect.scoped)
  )
})
