import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import type { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "../RuntimesSuite.ts"
import { message } from "./Protobuf.ts"
import { insert, makeArchive, rows } from "./SyntheticC1z.ts"

const commands = fileURLToPath(new URL("../../../../node_modules/.bin/", import.meta.url))
const main = fileURLToPath(new URL("./RuntimesMain.ts", import.meta.url))

const fill = (database: DatabaseSync): void => {
  insert(database, "v1_sync_runs", rows.run())
  insert(database, "v1_resource_types", rows.resourceType("before", message([1, "before"])))
  database
    .prepare("UPDATE v1_resource_types SET external_id = CAST(? AS TEXT)")
    .run(new TextEncoder().encode("a\0zero and \ufeff more"))
  insert(
    database,
    "v1_resources",
    rows.resource(
      "user",
      "ann",
      message(
        [
          1,
          [
            [1, "user"],
            [2, "ann"]
          ]
        ],
        [8, 1]
      )
    )
  )
}

describe("C1z on other runtimes", () => {
  for (const [runtime, flags] of [
    ["bun", []],
    // The condition leads to the sources, which Node runs as they are.
    ["node", ["--conditions=bun"]],
    ["deno", ["run", "--allow-all", "--quiet"]]
  ] as const) {
    const open = (change: (database: DatabaseSync) => void) =>
      Effect.map(temporaryDirectory, (directory) => {
        const file = makeArchive(directory, (database) => {
          fill(database)
          change(database)
        })
        const result = spawnSync(`${commands}${runtime}`, [...flags, main, file], {
          encoding: "utf8",
          timeout: 100_000
        })
        assert.strictEqual(result.status, 0, result.stderr)
        return JSON.parse(result.stdout) as Readonly<Record<string, unknown>>
      })

    it.live.skipIf(!existsSync(`${commands}${runtime}`))(
      `open keeps text with zeros, names damaged rows and refuses large numbers on ${runtime}`,
      () =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* open(() => {}), {
            ids: ["a\0zero and \ufeff more"],
            resourceCount: 1,
            kept: { "Resource.creation_source": 1, "ResourceType.id": 1 }
          })
          const damaged = yield* open((database) => database.exec("UPDATE v1_resources SET data = x'0a09'"))
          assert.deepInclude(damaged, { tag: "C1zRowInvalid" })
          const large = yield* open((database) => database.exec("UPDATE v1_resources SET id = 9223372036854775807"))
          assert.deepInclude(large, { tag: "C1zSchemaInvalid" })
        }).pipe(Effect.scoped)
    )
  }
})
