import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { EngineFailed } from "../src/Engine.ts"
import { makeStoredDatabase } from "../src/internal/StoredDatabase.ts"
import { makeMedium } from "../src/live/MemoryMedium.ts"
import { makeMemoryStore } from "../src/live/MemoryStore.ts"
import { bytes } from "./RuntimesSuite.ts"

describe("StoredDatabase", () => {
  it.live("flush that is interrupted lets no write in before its sync has ended", () =>
    Effect.gen(function* () {
      const medium = makeMedium()
      medium.changeSynced("create", "/db", new Map([["a", undefined]]))
      const events: Array<string> = []
      const started = yield* Deferred.make<void>()
      const synced = Promise.withResolvers<void>()
      const { database } = makeStoredDatabase({
        path: "/db",
        keyspaces: ["a"],
        readOnly: false,
        store: {
          ...makeMemoryStore({ medium, path: "/db", keyspaces: ["a"], copyTo: async () => {} }),
          flush: async () => {
            Deferred.doneUnsafe(started, Effect.void)
            await synced.promise
            events.push("synced")
          }
        },
        fault: (operation, cause) => new EngineFailed({ path: "/db", operation, detail: String(cause) }),
        checkpoint: () => Effect.void,
        fileBytes: Effect.succeed(0)
      })
      const flush = yield* Effect.forkChild(database.flush)
      yield* Deferred.await(started)
      const interrupt = yield* Effect.forkChild(Fiber.interrupt(flush))
      const write = yield* Effect.forkChild(
        database.write(
          (batch) => {
            events.push("written")
            batch.put("a", bytes("k"), bytes("v"))
          },
          { durability: "buffered" }
        )
      )
      for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
      synced.resolve()
      yield* Fiber.join(interrupt)
      yield* Fiber.join(write)
      assert.deepStrictEqual(events, ["synced", "written"])
    })
  )

  it.live("replace lets others have their turn between the steps in which it deletes", () =>
    Effect.gen(function* () {
      const medium = makeMedium()
      medium.changeSynced("create", "/db", new Map([["a", undefined]]))
      const events: Array<string> = []
      const { database } = makeStoredDatabase({
        path: "/db",
        keyspaces: ["a"],
        readOnly: false,
        store: {
          ...makeMemoryStore({ medium, path: "/db", keyspaces: ["a"], copyTo: async () => {} }),
          deleteSome: (_, bounds) => {
            events.push("deleted")
            return events.filter((event) => event === "deleted").length < 4 ? bounds : undefined
          }
        },
        fault: (operation, cause) => new EngineFailed({ path: "/db", operation, detail: String(cause) }),
        checkpoint: () => Effect.void,
        fileBytes: Effect.succeed(0)
      })
      let isOver = false
      const turn = () => {
        events.push("turn")
        if (!isOver) setImmediate(turn)
      }
      setImmediate(turn)
      yield* database.replace([{ keyspace: "a", range: {}, rows: Stream.empty }])
      isOver = true
      const places = events.flatMap((event, place) => (event === "deleted" ? [place] : []))
      assert.lengthOf(places, 4)
      for (let step = 1; step < places.length; step++) assert.isAbove(places[step]! - places[step - 1]!, 1)
    })
  )
})
