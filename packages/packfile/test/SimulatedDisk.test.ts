import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import type { Disk, DiskError, DiskLocked } from "../src/Disk.ts"
import { CrashRecorder, SimulatedDisk, SurvivorChoice, type SurvivorPolicy } from "../src/testing/index.ts"

interface Machine {
  readonly disk: Disk
  readonly loseUnsynced: (path: string) => void
  /** Cuts the power and starts again. */
  readonly crash: (policy: SurvivorPolicy, seed?: number) => void
  /** Kills and starts again: nothing is lost. */
  readonly kill: () => void
}

const machine = (): Machine => {
  const world = CrashRecorder.make()
  const { disk, loseUnsynced } = SimulatedDisk.make(world)
  return {
    disk,
    loseUnsynced,
    crash: (policy, seed = 1) =>
      world.restore(world.survive(world.capture(), () => SurvivorChoice.survivorRandom(policy, seed))),
    kill: () => world.restore(world.capture())
  }
}

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

type Work = Effect.Effect<void, DiskError | DiskLocked, Scope.Scope>

const put = (disk: Disk, path: string, content: Uint8Array, isSynced: boolean): Effect.Effect<void, DiskError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* disk.open(path, "replace")
      yield* file.writeAt(content, 0)
      if (isSynced) yield* file.sync
    })
  )

const get = (disk: Disk, path: string): Effect.Effect<Uint8Array | undefined, DiskError> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (Option.isNone(yield* disk.stat(path))) return undefined
      const file = yield* disk.open(path, "read")
      const content = new Uint8Array(yield* file.size)
      yield* file.readAt(content, 0)
      return content
    })
  )

const names = (disk: Disk): Effect.Effect<ReadonlyArray<string>, DiskError> =>
  Effect.map(disk.list("/"), (entries) => entries.map((entry) => entry.name))

/** What is seen over many random power cuts. */
const seen = <A>(
  build: (disk: Disk) => Work,
  look: (disk: Disk) => Effect.Effect<A, DiskError>
): Effect.Effect<ReadonlySet<string>, DiskError | DiskLocked> =>
  Effect.gen(function* () {
    const results = new Set<string>()
    for (let seed = 0; seed < 300; seed++) {
      const { disk, crash } = machine()
      yield* Effect.scoped(build(disk))
      crash("random", seed)
      results.add(JSON.stringify(yield* look(disk)))
    }
    return results
  })

describe("SimulatedDisk", () => {
  it.effect("keeps through every crash what was synced with its name", () =>
    Effect.gen(function* () {
      for (let seed = 0; seed < 50; seed++) {
        for (const policy of ["lost", "zeros", "nameless", "sizeless", "last", "torn", "prefix", "random"] as const) {
          const { disk, crash } = machine()
          yield* put(disk, "/a", bytes(10_000, 7), true)
          yield* disk.syncDirectory("/")
          crash(policy, seed)
          assert.deepStrictEqual(yield* get(disk, "/a"), bytes(10_000, 7))
        }
      }
    })
  )

  it.effect("loses the name of a synced file whose directory was not", () =>
    Effect.gen(function* () {
      const { disk, crash } = machine()
      yield* put(disk, "/a", bytes(10, 7), true)
      crash("nameless")
      assert.deepStrictEqual(yield* names(disk), [])
    })
  )

  it.effect("keeps the length and zeros for bytes that were not synced", () =>
    Effect.gen(function* () {
      const { disk, crash } = machine()
      yield* put(disk, "/a", bytes(10_000, 7), false)
      yield* disk.syncDirectory("/")
      crash("zeros")
      assert.deepStrictEqual(yield* get(disk, "/a"), bytes(10_000, 0))
    })
  )

  it.effect("loses a new directory, and all that was synced in it, when its parent was not", () =>
    Effect.gen(function* () {
      const { disk, crash } = machine()
      yield* disk.makeDirectory("/d")
      yield* put(disk, "/d/a", bytes(10, 7), true)
      yield* disk.syncDirectory("/d")
      crash("lost")
      assert.deepStrictEqual(yield* names(disk), [])
    })
  )

  it.effect("brings back an unlinked file when the directory was not synced, and never when it was", () =>
    Effect.gen(function* () {
      const unlinked = (isSynced: boolean) => (disk: Disk) =>
        Effect.gen(function* () {
          yield* put(disk, "/a", bytes(1, 7), true)
          yield* disk.syncDirectory("/")
          yield* disk.unlink("/a")
          if (isSynced) yield* disk.syncDirectory("/")
        })
      assert.deepStrictEqual([...(yield* seen(unlinked(false), names))].sort(), ['["a"]', "[]"])
      assert.deepStrictEqual([...(yield* seen(unlinked(true), names))], ["[]"])
    })
  )

  it.effect("shows a renamed file under its old name, its new one or both, but never neither", () =>
    Effect.gen(function* () {
      const renamed = (disk: Disk) =>
        Effect.gen(function* () {
          yield* put(disk, "/a", bytes(1, 7), true)
          yield* disk.syncDirectory("/")
          yield* disk.rename({ source: "/a", target: "/b" })
        })
      assert.deepStrictEqual([...(yield* seen(renamed, names))].sort(), ['["a","b"]', '["a"]', '["b"]'])
    })
  )

  it.effect("keeps the first name of a linked file, and the second only when its directory was synced", () =>
    Effect.gen(function* () {
      const linked = (isSynced: boolean) => (disk: Disk) =>
        Effect.gen(function* () {
          yield* put(disk, "/a", bytes(1, 7), true)
          yield* disk.syncDirectory("/")
          yield* disk.link({ source: "/a", target: "/b" })
          if (isSynced) yield* disk.syncDirectory("/")
        })
      assert.deepStrictEqual([...(yield* seen(linked(false), names))].sort(), ['["a","b"]', '["a"]'])
      assert.deepStrictEqual([...(yield* seen(linked(true), names))], ['["a","b"]'])
    })
  )

  it.effect("shows a renamed directory under one name only, across directories too", () =>
    Effect.gen(function* () {
      const renamed = (disk: Disk) =>
        Effect.gen(function* () {
          yield* disk.makeDirectory("/a/inner")
          yield* disk.makeDirectory("/b")
          yield* disk.syncDirectory("/a")
          yield* disk.syncDirectory("/")
          yield* disk.rename({ source: "/a/inner", target: "/b/inner" })
        })
      const look = (disk: Disk) =>
        Effect.gen(function* () {
          return (yield* disk.list("/a")).length * 10 + (yield* disk.list("/b")).length
        })
      assert.deepStrictEqual([...(yield* seen(renamed, look))].sort(), ["1", "10"])
    })
  )

  it.effect("tears a block at 512 bytes", () =>
    Effect.gen(function* () {
      const overwritten = (disk: Disk) =>
        Effect.gen(function* () {
          yield* put(disk, "/a", bytes(4096, 1), true)
          yield* disk.syncDirectory("/")
          const file = yield* disk.open("/a", "readWrite")
          yield* file.writeAt(bytes(4096, 2), 0)
        })
      const sectors = (disk: Disk) =>
        Effect.map(get(disk, "/a"), (content) =>
          Array.from({ length: 8 }, (_, index) => [...new Set(content!.subarray(index * 512, index * 512 + 512))])
        )
      const results = yield* seen(overwritten, sectors)
      const isWhole = (result: string): boolean => /^\[(\[1\],?)+\]$|^\[(\[2\],?)+\]$/.test(result)
      assert.isTrue([...results].every((result) => /^\[(\[[12]\],?){8}\]$/.test(result)))
      assert.isTrue([...results].some((result) => !isWhole(result)))
      assert.strictEqual([...results].filter(isWhole).length, 2)
    })
  )

  it.effect("reorders the writes to one file", () =>
    Effect.gen(function* () {
      const twoBlocks = (disk: Disk) =>
        Effect.gen(function* () {
          yield* put(disk, "/a", bytes(8192, 1), true)
          yield* disk.syncDirectory("/")
          const file = yield* disk.open("/a", "readWrite")
          yield* file.writeAt(bytes(4096, 2), 0)
          yield* file.writeAt(bytes(4096, 3), 4096)
        })
      const ends = (disk: Disk) => Effect.map(get(disk, "/a"), (content) => [content![0], content![8191]])
      assert.includeMembers([...(yield* seen(twoBlocks, ends))], ["[1,1]", "[1,3]", "[2,1]", "[2,3]"])
    })
  )

  it.effect("loses no bytes to a kill, and yet has not synced them", () =>
    Effect.gen(function* () {
      const { disk, kill, crash } = machine()
      yield* put(disk, "/a", bytes(10, 7), false)
      kill()
      assert.deepStrictEqual(yield* get(disk, "/a"), bytes(10, 7))
      crash("lost")
      assert.deepStrictEqual(yield* names(disk), [])
    })
  )

  it.effect("keeps readable and never writes what a failed sync lost, whatever is synced later", () =>
    Effect.gen(function* () {
      const { disk, loseUnsynced, crash } = machine()
      yield* put(disk, "/a", bytes(4096, 1), true)
      yield* disk.syncDirectory("/")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const file = yield* disk.open("/a", "readWrite")
          yield* file.writeAt(bytes(4096, 2), 0)
          loseUnsynced("/a")
          yield* file.sync
        })
      )
      assert.deepStrictEqual(yield* get(disk, "/a"), bytes(4096, 2))
      crash("kept")
      assert.deepStrictEqual(yield* get(disk, "/a"), bytes(4096, 1))
    })
  )

  it.effect("frees locks and closes files when the machine starts again", () =>
    Effect.gen(function* () {
      const { disk, kill } = machine()
      yield* disk.lock("/LOCK")
      const file = yield* disk.open("/a", "create")
      kill()
      yield* disk.lock("/LOCK")
      assert.propertyVal(yield* Effect.flip(file.size), "code", "EBADF")
    })
  )

  it.effect("writes up to its capacity, fails with DiskFull and poisons the file", () =>
    Effect.gen(function* () {
      const { disk } = SimulatedDisk.make(CrashRecorder.make(), { capacityBytes: 3 * 4096 })
      const file = yield* disk.open("/a", "create")
      assert.propertyVal(yield* Effect.flip(file.writeAt(bytes(20_000, 1), 100)), "_tag", "DiskFull")
      assert.strictEqual(yield* file.size, 3 * 4096)
      assert.strictEqual(yield* disk.freeSpaceBytes("/"), 0)
      assert.propertyVal(yield* Effect.flip(file.sync), "_tag", "DiskFull")
      yield* disk.unlink("/a")
      assert.strictEqual(yield* disk.freeSpaceBytes("/"), 3 * 4096)
    })
  )
})
