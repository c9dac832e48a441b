import { assert, it, vi } from "@effect/vitest"
import { CompactBaseFailed, CompactRefused } from "@icecore/compactor"
import { EngineFailed } from "@icecore/engine"
import { Effect } from "effect"
import * as RecordServices from "../src/cli/records/RecordServices.ts"
import * as WorkingStore from "../src/cli/records/WorkingStore.ts"

it.live("RecordServices.layer logs warnings on standard error, and nothing of less weight", () =>
  Effect.gen(function* () {
    const out = vi.spyOn(console, "log").mockImplementation(() => undefined)
    const err = vi.spyOn(console, "error").mockImplementation(() => undefined)
    yield* Effect.logInfo("quiet").pipe(
      Effect.andThen(Effect.logWarning("loud")),
      Effect.provide(RecordServices.layer),
      Effect.ensuring(Effect.sync(() => vi.restoreAllMocks()))
    )
    assert.deepStrictEqual([out.mock.calls.length, err.mock.calls.length], [0, 1])
    assert.include(String(err.mock.calls[0]), "loud")
  })
)

it.effect("WorkingStore.naming names the file that a store becomes in what the store failed with", () =>
  Effect.gen(function* () {
    const cause = new EngineFailed({ path: "/private/store", operation: "write to", detail: "no" })
    const failed = new CompactBaseFailed({ operation: "merge", base: "/private/store", cause })
    const named = yield* Effect.flip(WorkingStore.naming("out.icearch", Effect.fail(failed)))
    assert.match(named.message, /^Cannot merge into out\.icearch: /)
    const other = new CompactRefused({ operation: "merge", base: "x", detail: "no" })
    assert.strictEqual(yield* Effect.flip(WorkingStore.naming("out.icearch", Effect.fail(other))), other)
  })
)
