/**
 * Takes the lock at a path, says `locked` and its process id or the tag of the error, and holds it until it is killed. Keeps
 * no reference to the lock of its own, and collects garbage when it is asked to (`collect`), then says `collected`.
 */
import { Effect, Scope } from "effect"
import { Disk } from "../../src/Disk.ts"
import { LiveDisk } from "../../src/live/index.ts"

const [path, collect] = process.argv.slice(2)
if (path === undefined) throw new Error("usage: holdLock.ts <path> [collect]")

const lockForEver = Effect.gen(function* () {
  const disk = yield* Disk
  yield* Scope.provide(disk.lock(path), yield* Scope.make())
})

const outcome = await Effect.runPromise(
  lockForEver.pipe(
    Effect.as("locked"),
    Effect.catch((error) => Effect.succeed(error._tag)),
    Effect.provide(LiveDisk.layer)
  )
)
// The id, because a runtime may have been started through a wrapper that a SIGKILL would part from it.
console.log(outcome === "locked" ? `locked ${process.pid}` : outcome)
if (outcome !== "locked") process.exit(1)

if (collect === "collect") {
  const force =
    (globalThis as { Bun?: { gc: (synchronous: boolean) => void }; gc?: () => void }).Bun?.gc ?? globalThis.gc
  for (let round = 0; round < 20; round++) {
    force?.(true)
    await new Promise((resolve) => setImmediate(resolve))
  }
  console.log("collected")
}
setInterval(() => undefined, 60_000)
