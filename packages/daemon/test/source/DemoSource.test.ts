import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as DemoSource from "../../src/source/DemoSource.ts"
import { readAll, text } from "../support/SourceHarness.ts"

describe("DemoSource", () => {
  it("entryAt gives the same bytes for a seq for ever", () => {
    assert.strictEqual(
      text(DemoSource.entryAt(0)),
      '{"seq":0,"time":"2024-01-01T00:00:00.000Z","hash":"437527032e4a67269dd01913a3c9e1f53d1ab4bfd3c338a64e1e60a8a7f38a23","from":"acct-0082","to":"acct-0289","amount":"908.12"}'
    )
    assert.strictEqual(
      text(DemoSource.entryAt(2 ** 40 + 7)),
      '{"seq":1099511627783,"time":"+176234-09-07T03:01:55.000Z","hash":"1d7b05d2710bfc9f0c53ded8c86537df2adce48c5d6fb6216e3276f6bab8d6d5","from":"acct-0177","to":"acct-0999","amount":"136.82"}'
    )
  })

  it("entryAt gives valid JSON up to the last safe seq, other bytes for each, never to and from one account", () => {
    const hashes = new Set<string>()
    for (const seq of [
      ...Array.from({ length: 5_000 }, (_, index) => index),
      2 ** 32,
      2 ** 32 + 1,
      Number.MAX_SAFE_INTEGER
    ]) {
      const entry = JSON.parse(text(DemoSource.entryAt(seq)))
      assert.strictEqual(entry.seq, seq)
      assert.match(entry.hash, /^[0-9a-f]{64}$/)
      assert.notStrictEqual(entry.from, entry.to)
      hashes.add(entry.hash)
    }
    assert.strictEqual(hashes.size, 5_003)
  })

  it.effect("entries from any seq, with or without a position, are the rest of the log", () =>
    Effect.gen(function* () {
      const source = DemoSource.make({ firstSeq: 2, count: 2_500 })
      const all = yield* readAll(source, { from: 2 })
      assert.deepStrictEqual(
        all,
        Array.from({ length: 2_500 }, (_, index) => text(DemoSource.entryAt(index + 2)))
      )
      assert.deepStrictEqual(yield* source.tip, Option.some(2_501))
      const [batch] = yield* Stream.runCollect(source.entries({ from: 2 }))
      const resume = batch!.positionAfter(100)
      assert.deepStrictEqual(yield* readAll(source, { from: 102, resume }), all.slice(100))
      assert.deepStrictEqual(yield* readAll(source, { from: 2_502 }), [])
      assert.strictEqual((yield* Effect.flip(readAll(source, { from: 101, resume })))._tag, "PositionInvalid")
      assert.strictEqual((yield* Effect.flip(readAll(source, { from: 2_503 })))._tag, "SourceTooShort")
    })
  )

  it.effect("entries come at the rate by the clock, and at once when they are not new", () =>
    Effect.gen(function* () {
      const source = DemoSource.make({ ratePerSecond: 50 })
      let count = 0
      const fiber = yield* Effect.forkChild(
        Stream.runForEach(source.entries({ from: 0 }), (batch) => Effect.sync(() => (count += batch.entries.length)))
      )
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(count, 50)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(count, 150)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* source.tip, Option.some(149))
      const again = yield* Stream.runCollect(Stream.take(source.entries({ from: 0 }), 1))
      assert.strictEqual(again[0]!.entries.length, 150)
    })
  )
})
