import { assert, describe, it } from "@effect/vitest"
import { DiskFailed } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect } from "effect"
import * as DurableDirectories from "../src/internal/DurableDirectories.ts"

describe("DurableDirectories", () => {
  it.effect(
    "DurableDirectories.ensure trusts a directory that was removed no more, also when making it anew failed",
    () =>
      Effect.gen(function* () {
        const { disk } = SimulatedDisk.make(CrashRecorder.make())
        const synced: Array<string> = []
        let isFailing = false
        const directories = DurableDirectories.make({
          ...disk,
          syncDirectory: (path) =>
            Effect.suspend(() => {
              if (isFailing)
                return Effect.fail(
                  new DiskFailed({ operation: "sync directory", path, code: "EIO", detail: "I/O error" })
                )
              synced.push(path)
              return disk.syncDirectory(path)
            })
        })
        yield* directories.ensure("/tree/a", "/tree")
        assert.deepStrictEqual(synced.splice(0), ["/", "/tree"])
        yield* directories.ensure("/tree/a", "/tree")
        assert.deepStrictEqual(synced, [])
        yield* directories.removeEmpty("/tree/a")
        assert.deepStrictEqual(synced.splice(0), ["/tree"])
        isFailing = true
        yield* Effect.flip(directories.ensure("/tree/a", "/tree"))
        isFailing = false
        yield* directories.ensure("/tree/a", "/tree")
        assert.deepStrictEqual(synced.splice(0), ["/tree"])
      })
  )

  it.effect("DurableDirectories.removeEmpty leaves what is not empty or held, and syncs above what is gone", () =>
    Effect.gen(function* () {
      const { disk } = SimulatedDisk.make(CrashRecorder.make())
      const synced: Array<string> = []
      const directories = DurableDirectories.make({
        ...disk,
        syncDirectory: (path) =>
          Effect.andThen(
            disk.syncDirectory(path),
            Effect.sync(() => synced.push(path))
          )
      })
      const places = ["/tree/a", "/tree/a/b"].map((directory) => ({ directory, root: "/tree" }))
      const remove = Effect.forEach(places, ({ directory }) => directories.removeEmpty(directory))
      yield* directories.holding(places)(remove)
      yield* directories.removeEmpty("/tree/a")
      const names = yield* disk.list("/tree")
      assert.deepStrictEqual(
        names.map(({ name }) => name),
        ["a"]
      )
      synced.length = 0
      yield* directories.removeEmpty("/tree/none")
      assert.deepStrictEqual(synced, ["/tree"])
      yield* directories.removeEmpty("/none/at/all")
    })
  )
})
