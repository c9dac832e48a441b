import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
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

  it.effect("output calls onTick with the process while it runs", () =>
    Effect.gen(function* () {
      const seen = new Set<number>()
      const directory = mkdtempSync(join(tmpdir(), "icecore-program-"))
      const onTick = (pid: number) => {
        seen.add(pid)
        writeFileSync(join(directory, "seen"), "")
      }
      const script = `until [ -e ${directory}/seen ]; do :; done; echo $$`
      const printed = yield* Program.output("sh", ["-c", script], { onTick })
      rmSync(directory, { recursive: true })
      assert.deepStrictEqual([...seen], [Number(printed)])
    })
  )
})
