import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Queue, Sink, Stdio, Terminal } from "effect"
import { TestClock } from "effect/testing"
import * as Progress from "../src/cli/Progress.ts"

const sample: Progress.ProgressSample = {
  entries: 5_000,
  frozenChunks: 2,
  done: 25,
  total: Option.some(100),
  problem: Option.none()
}

const world = (isTerminal: boolean, written: Array<string>, columns = 60) =>
  Layer.merge(
    Stdio.layerTest({
      stderrIsTerminal: Effect.succeed(isTerminal),
      stderr: () => Sink.forEach((text) => Effect.sync(() => written.push(String(text))))
    }),
    Layer.succeed(
      Terminal.Terminal,
      Terminal.make({
        columns: Effect.succeed(columns),
        rows: Effect.succeed(20),
        size: Queue.unbounded<Terminal.Size>(),
        readInput: Effect.never,
        readLine: Effect.never,
        display: () => Effect.void
      })
    )
  )

describe("Progress.render", () => {
  it("shows share, rate and time left when the end is known", () => {
    assert.strictEqual(Progress.render(sample, 10, "plain"), "25%  5,000 entries  500/s  2 chunks frozen  30s left")
    assert.strictEqual(
      Progress.render(sample, 10, "terminal"),
      "[======                  ]  25%  5,000 entries  500/s  2 chunks frozen  30s left"
    )
  })

  it("counts what earlier runs had read as done, and not as this run's work", () => {
    assert.strictEqual(
      Progress.render({ ...sample, done: 90, doneBefore: 80 }, 10, "plain"),
      "90%  5,000 entries  500/s  2 chunks frozen  10s left"
    )
  })

  it("names what it counts", () => {
    const text = Progress.render({ ...sample, unit: "records" }, 10, "plain")
    assert.strictEqual(text, "25%  5,000 records  500/s  2 chunks frozen  30s left")
  })

  it("leaves out what is not known, and says what holds the work up", () => {
    const unknown = { ...sample, total: Option.none(), problem: Option.some("Ingestion waits: disk full") }
    assert.strictEqual(
      Progress.render(unknown, 10, "plain"),
      "5,000 entries  500/s  2 chunks frozen  Ingestion waits: disk full"
    )
    const { entries: _, frozenChunks: __, ...uncounted } = unknown
    assert.strictEqual(Progress.render(uncounted, 10, "plain"), "Ingestion waits: disk full")
    assert.notInclude(Progress.render(sample, 0.5, "plain"), "left")
    assert.include(
      Progress.render({ ...sample, done: 0, total: Option.some(0) }, 0, "plain"),
      "100%  5,000 entries  0/s"
    )
  })
})

describe("Progress.during", () => {
  it.effect("writes a plain line every five seconds, and a last one", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const fiber = yield* Progress.during(Effect.sleep("12 seconds"), Effect.succeed(sample)).pipe(
        Effect.provide(world(false, written)),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("12 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(written.length, 3)
      assert.isTrue(written.every((line) => line.endsWith("frozen  30s left\n") || line.includes("entries")))
    })
  )

  it.effect("redraws one line on a terminal, cut to its width, and ends it", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const fiber = yield* Progress.during(Effect.sleep("1 second"), Effect.succeed(sample)).pipe(
        Effect.provide(world(true, written)),
        Effect.forkChild({ startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.isAbove(written.length, 8)
      assert.isTrue(written.slice(0, -1).every((line) => line.startsWith("\r") && line.length <= 60 + 4))
      assert.strictEqual(written.at(-1), "\n")
    })
  )

  it.effect("draws 80 columns on a terminal that gives no width", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const wide = { ...sample, problem: Option.some("x".repeat(100)) }
      const work = Progress.during(Effect.void, Effect.succeed(wide))
      yield* Effect.provide(work, world(true, written, 0))
      assert.strictEqual(written[0]!.length, "\r".length + 79 + "\u001b[K".length)
    })
  )

  it.effect("leaves the failure of the work to whoever catches it", () =>
    Effect.gen(function* () {
      const written: Array<string> = []
      const failed = Effect.flip(Progress.during(Effect.fail("no space"), Effect.succeed(sample)))
      assert.strictEqual(yield* Effect.provide(failed, world(false, written)), "no space")
      assert.deepStrictEqual(written, [])
    })
  )

  it.effect("gives what the work gives when showing fails", () =>
    Effect.gen(function* () {
      const failing = Progress.during(Effect.as(Effect.sleep("6 seconds"), 7), Effect.fail("no sample"))
      const fiber = yield* failing.pipe(Effect.provide(world(false, [])), Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 7)
    })
  )
})
