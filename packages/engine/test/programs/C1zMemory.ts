/**
 * One step with an older archive of so many grants: `make` it, or `open` it, which prints the largest resident set of the process
 * in MB. Parameters: a directory, grants, the step.
 */
import * as fs from "node:fs"
import { ZstdStreamLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer } from "effect"
import * as C1z from "../../src/c1z/C1z.ts"
import { message } from "../c1z/Protobuf.ts"
import { insert, makeArchive, rows } from "../c1z/SyntheticC1z.ts"

const [directory, count, step] = process.argv.slice(2) as [string, string, "make" | "open"]
const grantCount = Number(count)
const path = `${directory}/made.c1z`

const idOf = (type: string, at: number) => `${type}-${String(at).padStart(12, "0")}`

const resourceOf = (type: string, at: number) =>
  message(
    [
      1,
      [
        [1, type],
        [2, idOf(type, at)]
      ]
    ],
    [3, `${type} number ${at}`],
    [5, "a description of moderate size that repeats"]
  )

/** Ten grants for each user, a hundred for each group. */
const make = () =>
  makeArchive(directory, (database) => {
    insert(database, "v1_sync_runs", rows.run())
    const usersCount = Math.ceil(grantCount / 10)
    const users = Array.from({ length: usersCount }, (_, at) => resourceOf("user", at))
    users.forEach((user, at) => {
      insert(database, "v1_resources", rows.resource("user", idOf("user", at), user))
    })
    for (let group = 0; group * 100 < grantCount; group++) {
      const resource = resourceOf("group", group)
      const name = `group:${idOf("group", group)}:member`
      const data = message([1, resource], [2, name], [3, "member"], [8, "member"])
      const entitlement = rows.entitlement("group", idOf("group", group), name, data)
      insert(database, "v1_resources", rows.resource("group", idOf("group", group), resource))
      insert(database, "v1_entitlements", entitlement)
      for (let at = 0; at < 100; at++) {
        const user = ((group * 100 + at) * 7919) % usersCount
        const grant = message([1, data], [2, users[user]!], [3, `${name}:user:${idOf("user", user)}`])
        insert(database, "v1_grants", rows.grant(entitlement, ["user", idOf("user", user)], grant))
      }
    }
  })

const open = Effect.gen(function* () {
  const { report } = yield* C1z.open(path, { temporaryDirectory: directory })
  const translated = report.tables.v1_grants?.translatedCount
  if (translated !== grantCount) return yield* Effect.die(new Error(`${translated} grants were translated`))
  const peak = /VmHWM:\s+(\d+) kB/.exec(fs.readFileSync("/proc/self/status", "utf8"))![1]
  console.log(Math.round((Number(peak) * 1024) / 1e6))
})

if (step === "make") make()
else {
  const services = Layer.mergeAll(LiveDisk.layer, ZstdStreamLive.layer)
  await Effect.runPromise(Effect.scoped(Effect.provide(open, services)))
}
