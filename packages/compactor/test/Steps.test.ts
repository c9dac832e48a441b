import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { stepAfter } from "../src/internal/Steps.ts"

describe("Steps", () => {
  it.effect("stepAfter tells of the totals and passes what each step added, also when the work began anew", () =>
    Effect.gen(function* () {
      const passed: Array<number> = []
      const told: Array<number> = []
      const note = (numbers: Array<number>) => (number: number) =>
        Effect.sync(() => {
          numbers.push(number)
        })
      const step = stepAfter({ pass: note(passed), watch: (reader) => reader }, ({ bytes }) => note(told)(bytes))
      for (const bytes of [100, 250, 50, 50, 80]) yield* step({ rowCount: 1, bytes })
      assert.deepStrictEqual(told, [100, 250, 50, 50, 80])
      assert.deepStrictEqual(passed, [100, 150, 50, 0, 30])
    })
  )
})
