import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Disk, DiskFailed } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Exit, Layer } from "effect"
import { Engine } from "../src/Engine.ts"
import * as LmdbEngine from "../src/live/LmdbEngine.ts"
import * as SqliteEngine from "../src/live/SqliteEngine.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

/** What a disk has left to do before it stops, and which directories it has synced. */
interface Steps {
  left: number
  synced: Array<string>
}

/** A disk on which every step of a removal fails once none is left, as if the process had been killed there. */
const stoppingDisk = (steps: Steps): Layer.Layer<Disk> =>
  Layer.effect(
    Disk,
    Effect.map(Disk, (disk): Disk => {
      const stop = <A, E, R>(target: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | DiskFailed, R> =>
        Effect.suspend(
          (): Effect.Effect<A, E | DiskFailed, R> =>
            steps.left-- > 0
              ? effect
              : Effect.fail(new DiskFailed({ path: target, operation: "unlink", code: "EIO", detail: "stopped" }))
        )
      return {
        ...disk,
        unlink: (target) => stop(target, disk.unlink(target)),
        removeDirectory: (target) => stop(target, disk.removeDirectory(target)),
        syncDirectory: (target) =>
          stop(
            target,
            Effect.tap(disk.syncDirectory(target), () => Effect.sync(() => void steps.synced.push(target)))
          )
      }
    })
  ).pipe(Layer.provide(LiveDisk.layer))

const adapters = [
  { name: "sqlite", layer: SqliteEngine.layer },
  { name: "lmdb", layer: LmdbEngine.layer }
]

describe("Engine", () => {
  for (const { name, layer } of adapters) {
    it.live(`destroy of ${name} finishes what an earlier one left at any step`, () =>
      Effect.gen(function* () {
        const root = yield* temporaryDirectory
        const directory = path.join(root, "db")
        const steps: Steps = { left: 0, synced: [] }
        const engine = yield* Effect.provide(Engine, Layer.provide(layer, stoppingDisk(steps)))
        const unlimited = Number.POSITIVE_INFINITY
        for (let step = 0; ; step++) {
          steps.left = unlimited
          yield* Effect.scoped(engine.open({ path: directory, keyspaces: ["a"] }))
          steps.left = step
          const first = yield* Effect.exit(engine.destroy(directory))
          steps.left = unlimited
          steps.synced = []
          yield* engine.destroy(directory)
          assert.include(steps.synced, root, `stopped at step ${step}`)
          assert.deepStrictEqual(fs.readdirSync(root), [], `stopped at step ${step}`)
          if (Exit.isSuccess(first)) {
            assert.isAtLeast(step, 5)
            return
          }
        }
      }).pipe(Effect.scoped)
    )
  }
})
