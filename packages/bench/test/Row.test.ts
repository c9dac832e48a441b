import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { requireWork, WorkUndone } from "../src/Row.ts"

describe("Row", () => {
  it.effect("requireWork fails unless all of the work was done", () =>
    Effect.gen(function* () {
      yield* requireWork("a", "reads", { expected: 3, actual: 3 })
      const error = yield* Effect.flip(requireWork("a", "reads", { expected: 3, actual: 4 }))
      assert.instanceOf(error, WorkUndone)
      assert.strictEqual(error.message, "Cannot count row a: reads is 4, expected 3")
    })
  )
})
