/** `ICECORE_KEY_COUNT` sets how many keys the large index has: 600,000 by default, 10,000,000 for the figures of the documentation. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { KeyIndex } from "../src/index.ts"
import { LiveDisk } from "../src/live/index.ts"
import { randomNumbers, temporaryDirectory } from "./Fixtures.ts"
import { randomKey } from "./Keys.ts"

const keyCount = Number(process.env.ICECORE_KEY_COUNT ?? 600_000)

describe.skipIf(process.platform !== "linux")("KeyIndex of many keys", () => {
  for (const runCount of [6, 1200]) {
    it.effect(`KeyIndex.build of ${keyCount} keys in ${runCount} runs takes under 64 MiB, and 4.5 bytes a key`, () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const program = new URL("programs/KeyIndexMemory.ts", import.meta.url).pathname
        const keysPerRun = Math.floor(keyCount / runCount)
        const run = Bun.spawnSync([process.execPath, program, directory, `${runCount}`, `${keysPerRun}`])
        assert.strictEqual(run.exitCode, 0, run.stderr.toString())
        const built: { readonly keyCount: number; readonly sizeBytes: number; readonly grownBytes: number } =
          JSON.parse(run.stdout.toString())
        console.log(`${runCount} runs: ${(built.grownBytes / 2 ** 20).toFixed(1)} MiB above the baseline`)
        assert.strictEqual(built.keyCount, runCount * keysPerRun)
        assert.isBelow(built.grownBytes, 64 * 2 ** 20)
        assert.isAtMost(built.sizeBytes / built.keyCount, 4.5)

        const index = yield* KeyIndex.open(`${directory}/keys.idx`, { residentLimitBytes: Number.POSITIVE_INFINITY })
        const positioned = yield* KeyIndex.open(`${directory}/keys.idx`, { residentLimitBytes: 0 })
        yield* positioned.verify
        const next = randomNumbers(1)
        let wrong = 0
        for (let seq = 0; seq < built.keyCount; seq++) {
          const key = randomKey(next)
          if (index.lookupResident!(key) !== seq) wrong++
          if (seq % 1000 === 0 && (yield* positioned.lookup(key)) !== seq) wrong++
        }
        assert.strictEqual(wrong, 0)
        let passed = 0
        for (let stranger = 0; stranger < 100_000; stranger++) {
          if (index.lookupResident!(randomKey(next)) >= 0) passed++
        }
        assert.isBelow(passed, (100_000 / 256) * 1.25)
      }).pipe(Effect.provide(LiveDisk.layer))
    )
  }
})
