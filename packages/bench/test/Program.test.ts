import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Program from "../src/peers/Program.ts"
import { RowSkipped } from "../src/Row.ts"

describe("Program", () => {
  it.effect("required skips a row whose programs are missing and names them", () =>
    Effect.gen(function* () {
      yield* Program.required("a", ["ls"])
      const error = yield* Effect.flip(Program.required("a", ["ls", "no-such-program"]))
      assert.instanceOf(error, RowSkipped)
      assert.strictEqual(error.message, "Cannot run row a: no-such-program is not installed")
    })
  )

  it.effect("output gives what a program wrote, and what it complained of when it ended badly", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Program.output("echo", ["one"]), "one\n")
      const error = yield* Effect.flip(Program.output("ls", ["/no-such-directory"]))
      assert.match(error.message, /^Cannot run ls: it ended with \d+: .*no-such-directory/)
    })
  )
})
