import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer } from "effect"
import { cases } from "./ArchiveSuite.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

const live = Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, ZstdStreamLive.layer)

describe("Archive", () => {
  for (const [name, run] of Object.entries(cases)) {
    it.live(
      `Archive: ${name}`,
      () => Effect.flatMap(temporaryDirectory, run).pipe(Effect.scoped, Effect.provide(live)),
      60_000
    )
  }
})

const commands = fileURLToPath(new URL("../../../node_modules/.bin/", import.meta.url))
const program = fileURLToPath(new URL("./ArchiveMain.ts", import.meta.url))

describe("Archive on other runtimes", () => {
  for (const [runtime, flags] of [
    // The condition leads to the sources, which Node runs as they are.
    ["node", ["--conditions=bun"]],
    ["deno", ["run", "--allow-all", "--quiet"]]
  ] as const) {
    it.live.skipIf(!existsSync(`${commands}${runtime}`))(
      `Archive passes its suite on ${runtime}`,
      () =>
        Effect.gen(function* () {
          const directory = yield* temporaryDirectory
          const options = { encoding: "utf8", timeout: 280_000 } as const
          const result = spawnSync(`${commands}${runtime}`, [...flags, program, directory], options)
          assert.strictEqual(result.stdout.trim(), `${Object.keys(cases).length} passed`, result.stdout + result.stderr)
        }).pipe(Effect.scoped),
      300_000
    )
  }
})
