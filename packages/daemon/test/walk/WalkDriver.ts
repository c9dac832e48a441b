/** Walks: takes the steps of a seed one after the other, and checks after each what must hold. */
import type { CrashRecorder } from "@icecore/packfile/testing"
import { SurvivorChoice } from "@icecore/packfile/testing"
import { Cause, Effect, Exit, Fiber, Logger, Option, Random, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import type { StorageError } from "../../src/StorageError.ts"
import type * as Store from "../../src/Store.ts"
import * as StoreAudit from "../../src/StoreAudit.ts"
import * as LogContent from "./LogContent.ts"
import * as LogModel from "./LogModel.ts"
import * as WalkChecks from "./WalkChecks.ts"
import * as WalkSession from "./WalkSession.ts"
import { describeRetention, modelOf, retentionAfter, settingOf } from "./WalkSetting.ts"
import * as WalkSource from "./WalkSource.ts"
import * as WalkSteps from "./WalkSteps.ts"
import * as WalkSubject from "./WalkSubject.ts"
import * as WalkTime from "./WalkTime.ts"
import { Broken, require, type WalkViolation } from "./WalkViolation.ts"

export interface WalkOptions {
  readonly subject: WalkSubject.SubjectName
  readonly seed: number
  /** Numbers of the steps to take, ascending. */
  readonly steps: ReadonlyArray<number>
  readonly mutation?: WalkSubject.PortMutation
}

export interface WalkCounts {
  steps: number
  crashes: number
  restarts: number
  settled: number
  /** Entries at the end. */
  entries: number
}

export interface WalkReport {
  readonly counts: WalkCounts
  readonly violation: Option.Option<WalkViolation>
}

/** Milliseconds of the clock after which no reader reaches what was demoted before. */
const graceMillis = 30_000

/** Runs a walk to its end or to the first broken promise. */
export const walk = (options: WalkOptions): Effect.Effect<WalkReport> =>
  Effect.scoped(run(options)).pipe(
    Effect.provide(TestClock.layer()),
    Random.withSeed(`walk ${options.seed}`),
    // What the store waits for and tries again in a walk is what the walk is for.
    Effect.provide(Logger.layer([]))
  )

const run = Effect.fnUntraced(function* ({ subject: name, seed, steps, mutation }: WalkOptions) {
  const counts: WalkCounts = { steps: 0, crashes: 0, restarts: 0, settled: 0, entries: 0 }
  const trace: Array<string> = []
  const setting = settingOf(seed)
  const { geometry, duplicates } = setting
  const content = LogContent.make({
    seed,
    firstSeq: geometry.firstSeq,
    duplicates: Option.getOrElse(duplicates, () => "error" as const)
  })
  const domain = NdjsonDomain.make(
    Option.match(duplicates, { onNone: () => ({}), onSome: (policy) => ({ keys: ["/k"], duplicates: policy }) })
  )
  const subject = yield* WalkSubject.make({ name, domain, ...(mutation === undefined ? {} : { mutation }) })
  let checkNumbers = SurvivorChoice.generator(seed)
  const below = (bound: number): number => checkNumbers() % bound

  let session: WalkSession.Session | undefined
  /** Every value of the model in this step; the last one is the present. */
  let models: Array<LogModel.LogModel> = [modelOf(setting)]
  const model = (): LogModel.LogModel => models.at(-1)!
  const become = (next: LogModel.LogModel): void => void models.push(next)
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>, what: string): Effect.Effect<A, E, R> =>
    WalkTime.waiting(effect, what, Option.isNone(subject.recorder))
  const present = (): WalkSession.Session => session!

  const open = Effect.fnUntraced(function* (retention: LogModel.ModelRetention) {
    become(LogModel.retaining(model(), retention))
    session = yield* WalkSession.open(subject, {
      geometry,
      entriesPerCommit: setting.entriesPerCommit,
      maxUnfrozenChunks: setting.maxUnfrozenChunks,
      ...storeOptions(retention)
    })
    const status = yield* session.store.history.status
    const { acknowledged, attempted } = model()
    require(status.nextSeq >= acknowledged && status.nextSeq <= attempted, () =>
      `after opening the log goes on at ${status.nextSeq}; entries before ${acknowledged} were acknowledged, before ${attempted} offered`)
    become(LogModel.acknowledging(model(), status.nextSeq))
  })

  const close = Effect.suspend(() => {
    const closing = session
    session = undefined
    return closing === undefined ? Effect.void : within(WalkSession.close(closing), "closing")
  })

  const append = Effect.fnUntraced(function* (count: number) {
    const first = model().acknowledged
    become(LogModel.offering(model(), first + count))
    const entries = Array.from({ length: count }, (_, index) => content.bytesAt(first + index))
    const appended = yield* present().store.history.append(entries)
    require(appended.firstSeq === first && appended.lastSeq === first + count - 1, () =>
      `appended ${count} entries at ${first} as ${appended.firstSeq} to ${appended.lastSeq}`)
    become(LogModel.acknowledging(model(), first + count))
  })

  const audit = Effect.gen(function* () {
    const { store } = present()
    const { retention, acknowledged } = model()
    const findings = yield* StoreAudit.findings({
      layout: store.catalog.layout,
      history: store.history,
      keptChunks: retention.chunks,
      source: WalkSource.make({ content, end: acknowledged, batchSize: 50, isRepeatable: true })
    }).pipe(Effect.provideContext(subject.services))
    require(findings.length === 0, () => {
      const texts = findings.map(({ invariant, message }) => `${invariant} ${message}`)
      return `settled, the audit finds: ${texts.join("; ")}`
    })
    const checked = (yield* Stream.runCollect(store.verify)).flatMap(({ findings }) => findings)
    require(checked.length === 0, () => `settled, verification finds ${JSON.stringify(checked)}`)
  })

  const settle = Effect.gen(function* () {
    yield* WalkSession.closeRanges(present())
    yield* present().store.settled
    yield* TestClock.adjust(graceMillis + WalkSession.maxAgeMillis)
    yield* present().store.settled
    yield* audit
    const floor = yield* checkServed
    const { isWhole, retention, acknowledged } = model()
    const wanted = LogModel.wantedFloor(geometry, retention, acknowledged)
    require(floor === wanted || (floor > wanted && !isWhole) || acknowledged <= wanted, () =>
      `settled, the floor is ${floor}, wanted is ${wanted}`)
    const plan = yield* present().store.prunePlan
    require(plan.artifactCount + plan.hotCount === 0, () => `settled, there is left to prune: ${plan.paths.join(", ")}`)
    yield* checkReads("all")
    counts.settled++
  })

  /** A run waits for readers of hot chunks; those that a walk holds would wait for the walk. */
  const runLifecycle = Effect.suspend(() =>
    Effect.map(
      Effect.timeoutOption(present().store.runLifecycle, present().held.length === 0 ? "1 hour" : "3 seconds"),
      (report) => Option.match(report, { onNone: () => "waits for a reader", onSome: ({ done }) => done.join(", ") })
    )
  )

  /** An ingest ends when everything is at rest, which a reader of a hot chunk holds up: such readers go when it does not end. */
  const feed = (ingest: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(ingest)
      if (Option.isSome(yield* Effect.timeoutOption(Effect.exit(Fiber.join(fiber)), "3 seconds")))
        return yield* Fiber.join(fiber)
      yield* WalkSession.closeRanges(present())
      return yield* Fiber.join(fiber)
    })

  const doWork = (work: WalkSteps.Work): Effect.Effect<string, unknown> => {
    const { acknowledged, retention } = model()
    switch (work._tag) {
      case "Append":
        return Effect.as(
          Effect.forEach(work.sizes, append, { discard: true }),
          `append ${work.sizes.join(" + ")} entries at ${acknowledged}`
        )
      case "Boundary": {
        const count = geometry.entriesPerChunk - ((acknowledged - geometry.firstSeq) % geometry.entriesPerChunk)
        return Effect.as(append(count), `append ${count} entries at ${acknowledged}, to the end of the chunk`)
      }
      case "Ingest": {
        const end = acknowledged + work.count
        become(LogModel.offering(model(), end))
        const source = WalkSource.make({ ...work, content, end, batchSize: work.batch })
        return Effect.gen(function* () {
          const { store } = present()
          yield* feed(work.isBackfill ? store.backfill(source) : store.ingest(source))
          const { nextSeq } = yield* store.history.status
          const least = work.isBackfill ? acknowledged : end
          require(nextSeq >= least && nextSeq <= end, () =>
            `entries up to ${end} were ingested, the log goes on at ${nextSeq}`)
          become(LogModel.acknowledging(model(), nextSeq))
          if (work.isRepeatable) become(LogModel.filling(model()))
          const way = `${work.isBackfill ? "backfill" : "ingest"} ${work.count} entries at ${acknowledged} to ${nextSeq}`
          return `${way}, in batches of ${work.batch}${work.isRepeatable ? "" : ", once"}`
        })
      }
      case "Lifecycle":
        return Effect.map(runLifecycle, (done) => `run the lifecycle: ${done}`)
      case "Settle":
        return Effect.as(settle, "settle and audit")
      case "Restart": {
        const next = retentionAfter(work.retention, model())
        counts.restarts++
        return Effect.as(
          Effect.andThen(close, open(next)),
          `restart, ${work.retention.kind} ${describeRetention(retention)} to ${describeRetention(next)}`
        )
      }
    }
  }

  /** What is served now, which must be what the model says. Returns the floor. */
  const checkServed = Effect.gen(function* () {
    const { history } = present().store
    const { nextSeq } = yield* history.status
    require(nextSeq === model().acknowledged, () => `the log goes on at ${nextSeq}, expected ${model().acknowledged}`)
    const served = yield* history.served
    if (Option.isNone(served)) return nextSeq
    const { floor, latest } = served.value
    require(latest === nextSeq - 1, () => `entry ${latest} is the latest, and the log goes on at ${nextSeq}`)
    const { lowestFloor, highestFloor } = model()
    require(floor <= highestFloor, () => `the floor is ${floor}, which loses what was kept from ${highestFloor} on`)
    require(floor >= lowestFloor, () => `the floor is ${floor}, where it was ${lowestFloor} and nothing widened it`)
    become(LogModel.observing(model(), floor))
    return floor
  })

  /** Runs a read that knows the floor. The floor may rise meanwhile; then the read is made again. */
  const withFloor = <A, E>(read: (floor: number) => Effect.Effect<A, E>): Effect.Effect<A, E | StorageError> =>
    Effect.gen(function* () {
      const floor = yield* checkServed
      const exit = yield* Effect.exit(read(floor))
      return Exit.isSuccess(exit) || (yield* checkServed) === floor ? yield* exit : yield* withFloor(read)
    })

  const checkReads = (sampleCount: number | "all") =>
    withFloor((floor) =>
      WalkChecks.check({
        history: present().store.history,
        content,
        floor,
        nextSeq: model().acknowledged,
        firstSeq: geometry.firstSeq,
        duplicates,
        below,
        sampleCount
      })
    )

  /** Goes back to before one of the operations that were recorded, and to what a crash there leaves. */
  const lose = Effect.fnUntraced(function* (
    recorder: CrashRecorder.CrashRecorder,
    recorded: ReadonlyArray<CrashRecorder.CrashPoint>,
    { at, choice }: WalkSteps.CrashPick
  ) {
    yield* close
    const index = at % recorded.length
    const point = recorded[index]!
    models = [models[point.note]!]
    const { kind, seed } = choice
    recorder.restore(
      kind === "killed"
        ? point.state
        : recorder.survive(point.state, (participant) =>
            SurvivorChoice.survivorRandom(kind, SurvivorChoice.mix(seed, participant))
          )
    )
    counts.crashes++
    return `, crash before operation ${index} of ${recorded.length - 1} (${point.label}), survivors ${kind}:${seed}`
  })

  const record = (recorder: CrashRecorder.CrashRecorder, work: Effect.Effect<unknown, unknown>) =>
    recorder.record(
      Effect.flatMap(Effect.exit(Effect.andThen(work, WalkTime.turns(3))), requireSuccess),
      () => models.length - 1
    )

  /** Opens, with crashes meanwhile. */
  const openThrough = Effect.fnUntraced(function* (
    retention: LogModel.ModelRetention,
    recorder: CrashRecorder.CrashRecorder,
    crashes: ReadonlyArray<WalkSteps.CrashPick>
  ) {
    let text = ""
    for (const pick of crashes) text += yield* lose(recorder, yield* record(recorder, open(retention)), pick)
    yield* open(retention)
    return text
  })

  const crash = Effect.fnUntraced(function* (
    step: Extract<WalkSteps.Step, { _tag: "Crash" }>,
    recorder: CrashRecorder.CrashRecorder
  ) {
    models = [model()]
    let outcome = ""
    const work = Effect.tap(doWork(step.during), (text) =>
      Effect.sync(() => {
        outcome = text
      })
    )
    const first = yield* lose(recorder, yield* record(recorder, work), step)
    const again = yield* openThrough(model().retention, recorder, step.again)
    return `${outcome}${first}${again}, log goes on at ${model().acknowledged}`
  })

  const duplicate = (step: Extract<WalkSteps.Step, { _tag: "Duplicate" }>) =>
    Effect.gen(function* () {
      const { acknowledged, retention } = model()
      const intruderSeq = acknowledged + step.before
      // What the entries before it push below the floor is forgotten, keys and all.
      const least = Math.max(yield* checkServed, LogModel.wantedFloor(geometry, retention, intruderSeq + 1))
      if (Option.isNone(duplicates) || least >= intruderSeq) return "offer no duplicate"
      const of = least + (step.of % (intruderSeq - least))
      const known = content.keysAt(of)[0]
      if (known === undefined) return `offer no duplicate of ${of}, which has no key`
      const isCollision = step.kind === "prefix" || duplicates.value !== "error"
      const key = isCollision ? known.slice(0, 32) + content.strangeKey(step.of % 1_000).slice(32) : known
      const intruder = content.intruder(key, step.of)
      const bytesAt = (seq: number): Uint8Array => (seq === intruderSeq ? intruder : content.bytesAt(seq))
      const { store } = present()
      become(LogModel.offering(model(), intruderSeq))
      const source = WalkSource.make({ content: { bytesAt }, end: intruderSeq + 1, batchSize: 4, isRepeatable: true })
      const entries = Array.from({ length: step.before + 1 }, (_, index) => bytesAt(acknowledged + index))
      const exit = yield* Effect.exit(
        step.way === "append" ? Effect.asVoid(store.history.append(entries)) : feed(store.ingest(source))
      )
      const error = Option.getOrUndefined(Exit.findErrorOption(exit)) as RefusedKey | undefined
      const what = isCollision ? "half a key" : "the key"
      require(error?._tag === (isCollision ? "KeyCollision" : "DuplicateKey") && error.secondSeq === intruderSeq, () =>
        `entry ${intruderSeq} is offered with ${what} of entry ${of}, which gives ${String(exit)}`)
      const holders = content.holders({ key: known, seq: of, from: geometry.firstSeq, to: intruderSeq - 1 })
      require(holders.includes(error!.firstSeq!), () =>
        `${what} of entry ${of} is said to be that of ${error!.firstSeq}`)
      // What a program offers in one call is refused whole; of a source everything before is taken.
      if (step.way === "ingest") become(LogModel.filling(LogModel.acknowledging(model(), intruderSeq)))
      else become(LogModel.acknowledging(model(), acknowledged))
      return `${step.way} ${step.before} entries at ${acknowledged} and one with ${what} of ${of}`
    })

  /** Begins to read a range to the latest entry. */
  const begin = (step: Extract<WalkSteps.Step, { _tag: "OpenView" }>) =>
    withFloor((floor) =>
      Effect.gen(function* () {
        const latest = model().acknowledged - 1
        if (latest < floor) return undefined
        // Most begin at the floor, where things go away.
        const from = step.at % 4 === 0 ? floor + ((step.at >>> 2) % (latest - floor + 1)) : floor
        const range = yield* WalkSession.hold(present(), { from, to: latest, order: step.order })
        const read = yield* WalkSession.advance(present(), range, content)
        return { range, text: `begin a range ${from} to ${latest} ${step.order}: ${read}` }
      })
    )

  const take = (step: WalkSteps.Step): Effect.Effect<string, unknown> => {
    switch (step._tag) {
      case "Crash":
        return Option.match(subject.recorder, {
          onNone: () =>
            Effect.andThen(doWork(step.during), doWork({ _tag: "Restart", retention: { kind: "same", number: 0 } })),
          onSome: (recorder) => crash(step, recorder)
        })
      case "Duplicate":
        return duplicate(step)
      case "OpenView":
        return Effect.gen(function* () {
          const begun = yield* begin(step)
          if (begun === undefined) return "open no view of nothing"
          if (step.overtaking === 0) return begun.text
          yield* append(step.overtaking * geometry.entriesPerChunk)
          yield* runLifecycle
          yield* TestClock.adjust(step.millis)
          while (present().held.includes(begun.range)) yield* WalkSession.advance(present(), begun.range, content)
          return `${begun.text}, append ${step.overtaking} chunks, wait ${step.millis} ms, read it to its end`
        })
      case "AdvanceView":
        return Effect.gen(function* () {
          const range = present().held[step.view % Math.max(1, present().held.length)]
          if (range === undefined) return "read on in no view"
          const read: Array<string> = []
          for (let count = 0; count < step.count && present().held.includes(range); count++)
            read.push(yield* WalkSession.advance(present(), range, content))
          return `read on in a range: ${read.join(", ")}`
        })
      case "CloseView":
        return Effect.as(WalkSession.closeRanges(present()), "close all ranges")
      case "Time":
        return Effect.as(TestClock.adjust(step.millis), `wait ${step.millis} ms`)
      default:
        return doWork(step)
    }
  }

  const stepping = Effect.fnUntraced(function* (index: number) {
    models = [model()]
    checkNumbers = SurvivorChoice.generator(SurvivorChoice.mix(seed + 2, index))
    const step = WalkSteps.stepAt(seed, index)
    const text = yield* Effect.flatMap(Effect.exit(within(take(step), step._tag)), requireSuccess)
    trace.push(`${index}: ${text}`)
    yield* within(checkReads(6), "the checks")
    counts.steps++
  })

  const all = Effect.gen(function* () {
    const start = Option.match(subject.recorder, {
      onNone: () => Effect.as(open(setting.retention), ""),
      onSome: (recorder) => openThrough(setting.retention, recorder, setting.crashes)
    })
    trace.push(`start: ${JSON.stringify(setting)}`)
    trace.push(`opened${yield* within(start, "opening")}`)
    for (const index of steps) yield* stepping(index)
    yield* within(settle, "settling")
    yield* close
    counts.entries = model().acknowledged - geometry.firstSeq
  })
  const exit = yield* Effect.exit(all)
  if (Exit.isSuccess(exit)) return { counts, violation: Option.none<WalkViolation>() }
  const step = steps[counts.steps] ?? Number.POSITIVE_INFINITY
  trace.push(Number.isFinite(step) ? `${step}: ${JSON.stringify(WalkSteps.stepAt(seed, step))}` : "the end: settle")
  yield* Effect.ignore(Effect.exit(close))
  return { counts, violation: Option.some<WalkViolation>({ problem: problemOf(exit.cause), step, trace }) }
})

/** What an entry with a key that is taken is refused with. */
interface RefusedKey {
  readonly _tag: string
  readonly firstSeq?: number
  readonly secondSeq?: number
}

const problemOf = (cause: Cause.Cause<unknown>): string => {
  const defect = Cause.squash(cause)
  return defect instanceof Broken ? defect.message : Cause.pretty(cause)
}

const requireSuccess = <A>(exit: Exit.Exit<A, unknown>): Effect.Effect<A> =>
  Exit.isSuccess(exit) ? Effect.succeed(exit.value) : Effect.die(new Broken(problemOf(exit.cause)))

const storeOptions = ({ chunks, earliest }: LogModel.ModelRetention): Partial<Store.StoreOptions> => ({
  retention: { chunks, earliest },
  graceMillis
})
