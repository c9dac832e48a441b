import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import * as OpenFiles from "../src/internal/OpenFiles.ts"

/** Files named by numbers, of which negative ones do not open, and what became of them. */
const withFiles = <A, E>(
  use: (
    files: OpenFiles.OpenFiles<number, number, string>,
    seen: { readonly opened: Array<number>; readonly closed: Array<number> }
  ) => Effect.Effect<A, E, Scope.Scope>,
  gate: Effect.Effect<void> = Effect.void
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const seen = { opened: [] as Array<number>, closed: [] as Array<number> }
      const files = yield* OpenFiles.make<number, number, string>({
        idleCount: 2,
        open: (key) =>
          Effect.acquireRelease(
            Effect.andThen(
              gate,
              Effect.suspend(() => {
                seen.opened.push(key)
                return key < 0 ? Effect.fail(`no file ${key}`) : Effect.succeed(key)
              })
            ),
            () => Effect.sync(() => seen.closed.push(key)),
            { interruptible: true }
          )
      })
      return yield* use(files, seen)
    })
  )

const touch = (files: OpenFiles.OpenFiles<number, number, string>, key: number) =>
  files.use(key, (file) => Effect.sync(() => assert.strictEqual(file, key)))

describe("OpenFiles", () => {
  it.effect("keeps those used last open, and closes the one that nobody used for longest", () =>
    withFiles((files, seen) =>
      Effect.gen(function* () {
        for (const key of [1, 2, 1, 3, 1, 2]) yield* touch(files, key)
        assert.deepStrictEqual(seen, { opened: [1, 2, 3, 2], closed: [2, 3] })
        assert.deepStrictEqual([files.peekUnsafe(1), files.peekUnsafe(3)], [1, undefined])
      })
    )
  )

  it.effect("does not close a file that is used, however many others were since", () =>
    withFiles((files, seen) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* Scope.provide(files.hold(1), scope)
        for (const key of [2, 3, 4, 5]) yield* touch(files, key)
        assert.deepStrictEqual(seen.closed, [2, 3])
        yield* Scope.close(scope, Exit.void)
        // Its use began before that of the others.
        assert.deepStrictEqual(seen.closed, [2, 3, 1])
      })
    )
  )

  it.effect("closes a dropped file when its last reader has left, and opens it anew for the next one", () =>
    withFiles((files, seen) =>
      Effect.gen(function* () {
        yield* touch(files, 1)
        yield* files.use(2, () =>
          Effect.gen(function* () {
            yield* files.drop((key) => key <= 2)
            assert.deepStrictEqual(seen.closed, [1])
            yield* touch(files, 2)
            assert.deepStrictEqual(seen.opened, [1, 2, 2])
          })
        )
        assert.deepStrictEqual(seen.closed, [1, 2])
      })
    )
  )

  it.effect("tells everyone who waits that a file does not open, and tries again for the next one", () =>
    withFiles((files, seen) =>
      Effect.gen(function* () {
        const exits = yield* Effect.all(
          [1, 2, 3].map(() => Effect.flip(touch(files, -1))),
          { concurrency: 3 }
        )
        assert.deepStrictEqual(exits, ["no file -1", "no file -1", "no file -1"])
        yield* Effect.flip(touch(files, -1))
        for (const key of [1, 2, 3]) yield* touch(files, key)
        assert.deepStrictEqual(seen.closed, [1])
      })
    )
  )

  it.effect("opens a file once for all who want it, also when the first of them is interrupted", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      yield* withFiles(
        (files, seen) =>
          Effect.gen(function* () {
            const first = yield* Effect.forkChild(touch(files, 1), { startImmediately: true })
            const second = yield* Effect.forkChild(touch(files, 1), { startImmediately: true })
            const lost = yield* Effect.forkChild(Effect.flip(touch(files, -1)), { startImmediately: true })
            yield* Fiber.interrupt(first)
            yield* Fiber.interrupt(lost)
            yield* Deferred.succeed(gate, undefined)
            yield* Fiber.join(second)
            assert.deepStrictEqual(seen.opened, [1, -1])
            // A file that did not open counts for nothing, although nobody waited for it any more.
            for (const key of [2, 3]) yield* touch(files, key)
            assert.deepStrictEqual(seen.closed, [1])
          }),
        Deferred.await(gate)
      )
    })
  )
})
