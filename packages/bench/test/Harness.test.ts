import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Schema } from "effect"
import { run } from "../src/Harness.ts"
import * as LiveResidentMemory from "../src/live/LiveResidentMemory.ts"
import { Report, table, verdicts } from "../src/Report.ts"
import { ResidentMemory } from "../src/ResidentMemory.ts"
import { type Row, RowSkipped, type Target } from "../src/Row.ts"
import { rows } from "../src/rows/index.ts"

const services = Layer.mergeAll(NodeServices.layer, LiveResidentMemory.layer)

const rowOf = (name: string, setup: Row["setup"], targets: ReadonlyArray<Target> = []): Row => ({
  name,
  work: "count",
  reference: "count too",
  unit: "steps",
  targets,
  setup
})
const pair = { unitsPerRound: 1_000, subject: { run: Effect.void }, reference: { run: Effect.void } }
const options = { rounds: 1, isQuick: true }

describe("Harness", () => {
  it.effect("run goes on after a row that fails, dies or is skipped, and says so", () =>
    Effect.gen(function* () {
      const report = yield* run({
        ...options,
        rows: [
          rowOf("a/fails", () => Effect.fail(new Error("no such input"))),
          rowOf("a/dies", () => Effect.succeed({ ...pair, subject: { run: Effect.die(new Error("a bug")) } })),
          rowOf("a/skips", () => Effect.fail(new RowSkipped({ row: "a/skips", detail: "zstd is not installed" }))),
          rowOf("a/works", () => Effect.succeed(pair))
        ]
      })
      assert.deepStrictEqual(
        report.rows.map(({ outcome }) =>
          outcome.status === "measured" ? "measured" : `${outcome.status}: ${outcome.reason}`
        ),
        ["failed: no such input", "failed: a bug", "skipped: Cannot run row a/skips: zstd is not installed", "measured"]
      )
    }).pipe(Effect.provide(services))
  )

  it.effect("run gives each row an empty directory, removed with its scope after the last round", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const seen: Array<string> = []
      const look = (directory: string) =>
        Effect.gen(function* () {
          seen.push(directory)
          assert.deepStrictEqual(yield* files.readDirectory(directory), [])
          return pair
        })
      yield* run({
        ...options,
        rows: [rowOf("a", ({ directory }) => look(directory)), rowOf("b", ({ directory }) => look(directory))]
      })
      assert.strictEqual(new Set(seen).size, 2)
      for (const directory of seen) assert.isFalse(yield* files.exists(directory))
    }).pipe(Effect.provide(services))
  )

  it.effect("run takes only rows whose name starts with the filter, and fails when there are none", () =>
    Effect.gen(function* () {
      const all = ["engine/put", "engine/get", "packfile/write"].map((name) => rowOf(name, () => Effect.succeed(pair)))
      const report = yield* run({ ...options, rows: all, filter: "engine/" })
      assert.deepStrictEqual(
        report.rows.map(({ name }) => name),
        ["engine/put", "engine/get"]
      )
      const error = yield* Effect.flip(run({ ...options, rows: all, filter: "nothing" }))
      assert.match(error.message, /Cannot run rows nothing: there are engine\/put/)
    }).pipe(Effect.provide(services))
  )

  it.effect("run takes a row that is on demand only by its whole name", () =>
    Effect.gen(function* () {
      const all = [
        rowOf("engine/put", () => Effect.succeed(pair)),
        { ...rowOf("engine/put/many", () => Effect.succeed(pair)), isOnDemand: true }
      ]
      for (const [filter, expected] of [
        [undefined, ["engine/put"]],
        ["engine/", ["engine/put"]],
        ["engine/put/many", ["engine/put/many"]]
      ] as const) {
        const report = yield* run({ ...options, rows: all, ...(filter === undefined ? {} : { filter }) })
        assert.deepStrictEqual(
          report.rows.map(({ name }) => name),
          [...expected]
        )
      }
    }).pipe(Effect.provide(services))
  )

  it.effect("LiveResidentMemory sees memory that was held and given back before the end", () =>
    Effect.gen(function* () {
      const memory = yield* ResidentMemory
      const before = yield* memory.reset
      yield* Effect.sync(() => new Uint8Array(64 * 1024 * 1024).fill(1).at(-1))
      // The rest of the process may give memory back meanwhile, which hides as much of the peak.
      assert.isAbove((yield* memory.peakBytes) - before, 32 * 1024 * 1024)
    }).pipe(Effect.provide(services))
  )

  it("rows have names of their own and targets that fit them", () => {
    assert.strictEqual(new Set(rows.map(({ name }) => name)).size, rows.length)
    for (const { name, targets, reference } of rows)
      for (const { kind } of targets)
        assert.isFalse((kind === "time" || kind === "throughput") && reference === "", name)
  })
})

describe("Report", () => {
  const measured = {
    status: "measured",
    rounds: 5,
    unitsPerRound: 1_000,
    subjectSeconds: 2,
    referenceSeconds: 1.6,
    timeRatio: 1.25,
    timeRatioLow: 1,
    timeRatioHigh: 1.5,
    peakBytes: 100 * 1024 * 1024,
    grownBytes: 0,
    figures: {},
    referenceFigures: {}
  } as const
  const reportOf = (targets: ReadonlyArray<Target>, outcome: Report["rows"][number]["outcome"] = measured): Report => ({
    version: 1,
    startedAtMillis: 0,
    machine: { platform: "linux", architecture: "x64", processors: 2, runtime: "Bun 1" },
    isQuick: false,
    rows: [{ name: "engine/put", work: "put", reference: "bare", unit: "puts", targets, outcome }]
  })
  const isMet = (target: Target): boolean => verdicts(reportOf([target]))[0]!.isMet

  it("verdicts compares each kind of target at its edge", () => {
    assert.isTrue(isMet({ kind: "time", atMost: 1.25 }))
    assert.isFalse(isMet({ kind: "time", atMost: 1.24 }))
    assert.isTrue(isMet({ kind: "throughput", atLeast: 0.8 }))
    assert.isFalse(isMet({ kind: "throughput", atLeast: 0.81 }))
    assert.isTrue(isMet({ kind: "rate", atLeast: 500 }))
    assert.isFalse(isMet({ kind: "rate", atLeast: 501 }))
    assert.isTrue(isMet({ kind: "memory", atMostBytes: 100 * 1024 * 1024 }))
    assert.isFalse(isMet({ kind: "memory", atMostBytes: 100 * 1024 * 1024 - 1 }))
  })

  it("verdicts counts a failed row as short and leaves a skipped one out", () => {
    const target: Target = { kind: "time", atMost: 9 }
    assert.deepStrictEqual(
      verdicts(reportOf([target], { status: "failed", reason: "x" })).map((each) => each.isMet),
      [false]
    )
    assert.deepStrictEqual(verdicts(reportOf([target], { status: "skipped", reason: "x" })), [])
  })

  it("table shows ratio, range, rate, target and whether it is met", () => {
    const [, line] = table(reportOf([{ kind: "time", atMost: 1.3 }])).split("\n")
    assert.match(line!, /^engine\/put +1\.25x +1\.00-1\.50 +500 puts\/s +100\.0 MiB +time <= 1\.3x +bare +ok$/)
    assert.match(table(reportOf([{ kind: "time", atMost: 1.2 }])), / short$/)
    const figures = { "bytes a put": 31.25, reads: 4 }
    const shown = table(reportOf([], { ...measured, figures, referenceFigures: { "bytes a put": 58.7 } }))
    assert.match(shown, / bytes a put 31\.25 \(58\.7\), reads 4$/)
  })

  it.effect("Report encodes to JSON and back", () =>
    Effect.gen(function* () {
      const report = reportOf([
        { kind: "memory", atMostBytes: 5 },
        { kind: "rate", atLeast: 1 }
      ])
      const text = yield* Schema.encodeEffect(Report)(report)
      assert.deepStrictEqual(yield* Schema.decodeEffect(Report)(text), report)
      assert.isTrue((yield* Effect.exit(Schema.decodeEffect(Report)("{}")))._tag === "Failure")
    })
  )
})
