/**
 * Random operations on an engine and on a plain model, which must agree after each.
 *
 * The database is written, read, held in snapshots, replaced, copied, closed and opened again, and, where the environment can crash
 * it, crashed: then it must be in one of the states from the last durable one on. The same seed gives the same operations.
 */
import { Data, Effect, Exit, Option, Scope, Stream } from "effect"
import {
  type Database,
  Engine,
  type EngineError,
  type EngineReadError,
  type Reader,
  type Row,
  type ScanOptions
} from "../Engine.ts"
import {
  applyChanges,
  bytesOf,
  describeModel,
  emptyModel,
  floorModel,
  isInside,
  type Model,
  type ModelRow,
  rangeOf,
  scanModel,
  textOf
} from "./model/Model.ts"
import { makeRandomChoices, type RandomChoices } from "./model/RandomChoices.ts"

export interface EngineModelOptions {
  /** Of the database: nothing is there yet. Copies are made and removed beside it. */
  readonly path: string
  readonly seed: number
  /** Number of operations. */
  readonly operations: number
  /**
   * Crashes the machine that the database is on, with survivors by `nextInt` (uniform below its argument). The open database is
   * closed afterwards. Default: no crashes.
   */
  readonly crash?: (nextInt: (bound: number) => number) => Effect.Effect<void>
}

/** How often each kind of operation was done. */
export type EngineModelReport = Readonly<Record<string, number>>

/** The engine and the model disagree. The same seed with `operation + 1` operations ends in the same place. */
export class EngineModelMismatch extends Data.Error<{
  readonly seed: number
  readonly operation: number
  readonly kind: string
  readonly expected: string
  readonly actual: string
}> {
  readonly _tag = "EngineModelMismatch"
  override readonly name = "EngineModelMismatch"
  override get message(): string {
    return `Cannot agree on operation ${this.operation} (${this.kind}) of seed ${this.seed}: expected ${excerpt(this.expected)}, actual ${excerpt(this.actual)}`
  }
}

const keyspaces = ["a", "b"]

/** Snapshots held at once. */
const snapshotLimit = 4

/** Runs the operations; leaves the database closed. */
export const engineModel: (
  options: EngineModelOptions
) => Effect.Effect<EngineModelReport, EngineModelMismatch | EngineError, Engine> = Effect.fn("engineModel")(
  function* (options) {
    const run = makeRun(yield* Engine, options)
    yield* Effect.ensuring(run.all, run.close)
    return run.report()
  }
)

interface Held {
  readonly reader: Reader
  readonly model: Model
  readonly scope: Scope.Closeable
}

const makeRun = (engine: Engine, { crash, operations, path, seed }: EngineModelOptions) => {
  const random: RandomChoices = makeRandomChoices(seed, keyspaces)
  const counts: Record<string, number> = {}
  let operation = 0
  let kind = "open"
  /** States that a crash may leave: the durable one, then each later one. The last is what a reader sees. */
  let states: ReadonlyArray<Model> = [emptyModel(keyspaces)]
  let scope: Scope.Closeable | undefined
  let database: Database
  let held: ReadonlyArray<Held> = []

  const current = (): Model => states[states.length - 1]!

  const agree = (actual: unknown, expected: unknown): Effect.Effect<void, EngineModelMismatch> => {
    const [actualText, expectedText] = [JSON.stringify(actual) ?? "", JSON.stringify(expected) ?? ""]
    return actualText === expectedText
      ? Effect.void
      : Effect.fail(new EngineModelMismatch({ seed, operation, kind, expected: expectedText, actual: actualText }))
  }

  const open = Effect.gen(function* () {
    scope = yield* Scope.make()
    database = yield* Scope.provide(engine.open({ path, keyspaces }), scope)
  })

  const close = Effect.gen(function* () {
    for (const { scope } of held) yield* Scope.close(scope, Exit.void)
    held = []
    if (scope !== undefined) yield* Scope.close(scope, Exit.void)
    scope = undefined
  })

  /** A reader and what it must see: a held snapshot now and then. */
  const reading = (): Pick<Held, "reader" | "model"> =>
    held.length > 0 && random.nextInt(3) === 0 ? random.pick(held) : { reader: database, model: current() }

  const rowsOf = (
    reader: Reader,
    keyspace: string,
    scan: ScanOptions
  ): Effect.Effect<ReadonlyArray<ModelRow>, EngineReadError> =>
    Effect.map(Stream.runCollect(reader.scan(keyspace, scan)), (rows) =>
      rows.map(({ key, value }): ModelRow => [textOf(key), textOf(value)])
    )

  const contentsOf = (reader: Reader): Effect.Effect<Model, EngineReadError> =>
    Effect.map(
      Effect.forEach(keyspaces, (keyspace) => rowsOf(reader, keyspace, {})),
      (all) => new Map(all.map((rows, index) => [keyspaces[index]!, new Map(rows)]))
    )

  const write = Effect.suspend((): Effect.Effect<void, EngineError> => {
    const changes = random.changes()
    const durability = random.nextInt(4) === 0 ? "synced" : "buffered"
    const next = applyChanges(current(), changes)
    return Effect.andThen(
      database.write(
        (batch) => {
          for (const change of changes) {
            const key = change.kind === "deleteRange" ? new Uint8Array() : bytesOf(change.key)
            if (change.kind === "put") batch.put(change.keyspace, key, bytesOf(change.value))
            else if (change.kind === "delete") batch.delete(change.keyspace, key)
            else batch.deleteRange(change.keyspace, rangeOf(change.range))
          }
        },
        { durability }
      ),
      Effect.sync(() => {
        states = durability === "synced" ? [next] : [...states, next]
      })
    )
  })

  const refusedWrite = Effect.suspend(() => {
    const changes = random.changes()
    const refused = database.write((batch) => {
      for (const { keyspace } of changes) batch.deleteRange(keyspace, {})
      batch.put(random.pick(keyspaces), new Uint8Array(random.pick([0, 1_901])), new Uint8Array(1))
    })
    return Effect.flatMap(
      Effect.match(refused, { onFailure: (error): string => error._tag, onSuccess: () => "success" }),
      (actual) => agree(actual, "EngineKeySize")
    )
  })

  const get = Effect.suspend(() => {
    const { model, reader } = reading()
    const [keyspace, key] = [random.pick(keyspaces), random.key()]
    return Effect.flatMap(reader.get(keyspace, bytesOf(key)), (value) =>
      agree(Option.getOrUndefined(Option.map(value, textOf)), model.get(keyspace)!.get(key))
    )
  })

  const getMany = Effect.suspend(() => {
    const { model, reader } = reading()
    const keyspace = random.pick(keyspaces)
    const keys = Array.from({ length: random.nextInt(10) }, random.key)
    return Effect.flatMap(reader.getMany(keyspace, keys.map(bytesOf)), (values) =>
      agree(
        values.map((value) => Option.getOrNull(Option.map(value, textOf))),
        keys.map((key) => model.get(keyspace)!.get(key) ?? null)
      )
    )
  })

  const floorMany = Effect.suspend(() => {
    const { model, reader } = reading()
    const keyspace = random.pick(keyspaces)
    const keys = Array.from({ length: random.nextInt(10) }, random.key)
    const expected = keys.map((key) => floorModel(model, keyspace, key) ?? null)
    return Effect.gen(function* () {
      const rows = yield* reader.floorMany(keyspace, keys.map(bytesOf))
      const one = yield* Effect.forEach(keys.slice(0, 1), (key) => reader.floor(keyspace, bytesOf(key)))
      yield* agree([...rows, ...one].map(Option.getOrNull).map(modelRowOf), [...expected, ...expected.slice(0, 1)])
    })
  })

  const scan = Effect.suspend(() => {
    const { model, reader } = reading()
    const [keyspace, range] = [random.pick(keyspaces), random.range()]
    const options = {
      reverse: random.nextInt(2) === 0,
      ...(random.nextInt(3) === 0 ? { limit: random.nextInt(6) } : {})
    }
    return Effect.flatMap(rowsOf(reader, keyspace, { ...rangeOf(range), ...options }), (rows) =>
      agree(rows, scanModel(model, keyspace, range, options))
    )
  })

  const snapshot = Effect.gen(function* () {
    if (held.length === snapshotLimit) {
      const released = random.pick(held)
      held = held.filter((each) => each !== released)
      yield* Scope.close(released.scope, Exit.void)
    }
    const scope = yield* Scope.make()
    held = [...held, { scope, model: current(), reader: yield* Scope.provide(database.snapshot, scope) }]
  })

  const flush = Effect.suspend(() =>
    Effect.map(database.flush, () => {
      states = [current()]
    })
  )

  const replace = Effect.gen(function* () {
    const replacements = keyspaces.slice(random.nextInt(2)).map((keyspace) => {
      const range = random.range()
      return { keyspace, range, rows: random.rows((key) => isInside(key, range)) }
    })
    const isBroken = random.nextInt(4) === 0
    const exit = yield* Effect.exit(
      database.replace<{ readonly _tag: "Broken" }>(
        replacements.map(({ keyspace, range, rows }) => {
          const stream = Stream.fromArray(rows.map(([key, value]) => ({ key: bytesOf(key), value: bytesOf(value) })))
          return {
            keyspace,
            range: rangeOf(range),
            rows: isBroken ? Stream.concat(stream, Stream.fail({ _tag: "Broken" as const })) : stream
          }
        })
      )
    )
    yield* agree(exit._tag, isBroken ? "Failure" : "Success")
    if (isBroken) return
    const changes = replacements.flatMap(({ keyspace, range, rows }) => [
      { kind: "deleteRange" as const, keyspace, range },
      ...rows.map(([key, value]) => ({ kind: "put" as const, keyspace, key, value }))
    ])
    states = [applyChanges(current(), changes)]
  })

  const checkpoint = Effect.gen(function* () {
    const target = `${path}-copy`
    yield* database.checkpoint(target)
    const contents = yield* Effect.scoped(
      Effect.flatMap(engine.open({ path: target, keyspaces, mode: "existing" }), contentsOf)
    )
    yield* agree(describeModel(contents), describeModel(current()))
    yield* engine.destroy(target)
  })

  const stats = Effect.suspend(() =>
    Effect.flatMap(database.stats, (counted) =>
      agree(
        keyspaces.map((keyspace) => counted.keyspaces[keyspace]),
        keyspaces.map((keyspace) => {
          const rows = [...current().get(keyspace)!]
          const contentBytes = rows.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
          return { keyCount: rows.length, contentBytes }
        })
      )
    )
  )

  const compare = Effect.suspend(() =>
    Effect.flatMap(contentsOf(database), (contents) => agree(describeModel(contents), describeModel(current())))
  )

  const reopen = Effect.andThen(close, Effect.andThen(open, compare))

  const crashAndReopen = (crashing: NonNullable<typeof crash>) =>
    Effect.gen(function* () {
      yield* crashing(random.nextInt)
      yield* close
      yield* open
      const found = describeModel(yield* contentsOf(database))
      const survivor = states.find((state) => describeModel(state) === found)
      if (survivor === undefined) return yield* agree(found, `one of ${states.length} states`)
      states = [survivor]
    })

  const kinds: ReadonlyArray<
    readonly [kind: string, weight: number, run: Effect.Effect<void, EngineModelMismatch | EngineError>]
  > = [
    ["write", 300, write],
    ["refused write", 10, refusedWrite],
    ["get", 200, get],
    ["getMany", 100, getMany],
    ["floorMany", 100, floorMany],
    ["scan", 250, scan],
    ["snapshot", 60, snapshot],
    ["flush", 20, flush],
    ["replace", 30, replace],
    ["stats", 10, stats],
    ["compare", 10, compare],
    ["checkpoint", 2, checkpoint],
    ["reopen", 4, reopen],
    ["crash", crash === undefined ? 0 : 20, crash === undefined ? Effect.void : crashAndReopen(crash)]
  ]
  const drawn = kinds.flatMap((entry) => Array.from({ length: entry[1] }, () => entry))

  const all = Effect.gen(function* () {
    yield* open
    for (operation = 0; operation < operations; operation++) {
      const chosen = random.pick(drawn)
      kind = chosen[0]
      counts[kind] = (counts[kind] ?? 0) + 1
      yield* chosen[2]
    }
    kind = "the end"
    yield* reopen
  })

  return { all, close, report: (): EngineModelReport => ({ ...counts }) }
}

const modelRowOf = (row: Row | null): ModelRow | null => (row === null ? null : [textOf(row.key), textOf(row.value)])

const excerpt = (text: string): string =>
  text.length <= 500 ? text : `${text.slice(0, 500)}… (${text.length} characters)`
