import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { collect, entriesAt, entryAt, expectedRange, makeMachine, withStore } from "./support/StoreHarness.ts"

describe("LogWriter", () => {
  it.effect(
    "fails, and lets other reads go on, when a stalled reader keeps the live database from being reopened",
    () => {
      const machine = makeMachine()
      return withStore(machine, ({ history }) =>
        Effect.gen(function* () {
          yield* history.append(entriesAt(0, 1))
          const [stalled, released] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const reading = yield* Effect.forkChild(
            Stream.runForEach(history.range(), () =>
              Effect.andThen(Deferred.succeed(stalled, undefined), Deferred.await(released))
            )
          )
          yield* Deferred.await(stalled)
          machine.medium.inject({ point: "sync", code: "EIO", path: "/store/hot/00000000" })
          yield* Effect.flip(history.append([entryAt(2)]))
          const appending = yield* Effect.forkChild(Effect.flip(history.append([entryAt(2)])))
          const waiting = yield* Effect.forkChild(history.get(1))
          yield* TestClock.adjust("5 seconds")
          assert.strictEqual(
            (yield* Fiber.join(appending)).message,
            "Cannot reopen database /store/hot/00000000: it is being read"
          )
          assert.deepStrictEqual(yield* Fiber.join(waiting), entryAt(1))
          yield* Deferred.succeed(released, undefined)
          yield* Fiber.join(reading)
          yield* history.append([entryAt(2)])
          assert.deepStrictEqual(yield* collect(history), expectedRange(0, 2))
        })
      )
    }
  )
})
