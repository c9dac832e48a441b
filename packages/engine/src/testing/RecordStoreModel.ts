/**
 * Random operations on a record store and on a plain model, which must agree after each.
 *
 * Records of several types are put, put again with other fields, put if newer, and deleted, in syncs that are started, left, resumed,
 * checkpointed, ended and cleaned up; pages are listed and continued later; the store is closed and opened again, and, where the
 * environment can crash it, crashed in the middle of a change. Then a change that was acknowledged is whole, a sync is finished or plainly
 * not, and of what was not yet durable each record is as it once was. The same seed gives the same operations.
 */
import { Data, Effect, Exit, Option, Scope } from "effect"
import { Engine } from "../Engine.ts"
import * as RecordReader from "../RecordReader.ts"
import * as RecordStore from "../RecordStore.ts"
import type * as RecordType from "../RecordType.ts"
import { adopt } from "./records/AfterCrash.ts"
import {
  agree,
  agreeFails,
  type Comparison,
  comparePages,
  compareRuns,
  compareSync,
  type Thoroughness
} from "./records/CompareReader.ts"
import { makeHeldTokens } from "./records/HeldTokens.ts"
import { type ModelType, modelTypes } from "./records/ModelTypes.ts"
import { makeRecordChoices } from "./records/RecordChoices.ts"
import { copyStore, entryCountOf, keyOf, keyText, type ModelStore, type ModelSync } from "./records/RecordModel.ts"
import { makeStoreChanges } from "./records/StoreChanges.ts"
import { refusalFor } from "./records/StoreRefusals.ts"

export interface RecordStoreModelOptions {
  /** Of the database: nothing is there yet. */
  readonly path: string
  readonly seed: number
  /** Number of operations. */
  readonly operations: number
  /**
   * Runs the effect, which never fails, and crashes the machine that the database is on at some moment of it or after it, with
   * survivors by `nextInt` (uniform below its argument). True: after it. The open store is closed afterwards. Default: no crashes.
   */
  readonly crash?: (during: Effect.Effect<void>, nextInt: (bound: number) => number) => Effect.Effect<boolean>
}

/** How often each kind of operation was done. */
export type RecordStoreModelReport = Readonly<Record<string, number>>

/** The store and the model disagree. The same seed with `operation + 1` operations ends in the same place. */
export class RecordStoreModelMismatch extends Data.Error<{
  readonly seed: number
  readonly operation: number
  readonly kind: string
  readonly detail: string
}> {
  readonly _tag = "RecordStoreModelMismatch"
  override readonly name = "RecordStoreModelMismatch"
  override get message(): string {
    return `Cannot agree on operation ${this.operation} (${this.kind}) of seed ${this.seed}: ${this.detail}`
  }
}

/** Records of a sync above which it is only glanced at. */
const pagesLimit = 100

type Step = Effect.Effect<void, { readonly message: string }, Engine>

/** Runs the operations; leaves the store closed. */
export const recordStoreModel: (
  options: RecordStoreModelOptions
) => Effect.Effect<RecordStoreModelReport, RecordStoreModelMismatch, Engine> = Effect.fn("recordStoreModel")(
  function* (options) {
    const run = makeRun(options)
    yield* Effect.ensuring(run.all, run.close)
    return run.report()
  }
)

const makeRun = ({ crash, operations, path, seed }: RecordStoreModelOptions) => {
  const random = makeRecordChoices(seed)
  const changes = makeStoreChanges(random, modelTypes)
  const counts: Record<string, number> = {}
  let operation = 0
  let kind = "open"
  let model: ModelStore = { syncs: new Map(), current: undefined, isFresh: false }
  let scope: Scope.Closeable | undefined
  let store: RecordStore.RecordStore
  const held = makeHeldTokens(random)

  const open = Effect.gen(function* () {
    scope = yield* Scope.make()
    const types = modelTypes.map(({ type }) => type)
    store = yield* Scope.provide(RecordStore.open({ path, types, arenaBytes: RecordStore.minArenaBytes }), scope)
  })

  const close = Effect.suspend(() => {
    const closing = scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
    scope = undefined
    return closing
  })

  const comparison = (): Comparison => ({
    reader: store,
    model: model.syncs,
    types: modelTypes,
    random,
    typeOf: ({ type }) => type
  })

  const sizeOf = ({ tables }: ModelSync): number => [...tables.values()].reduce((sum, { size }) => sum + size, 0)

  const someSync = (): ModelSync | undefined => {
    const syncs = [...model.syncs.values()]
    return syncs.length === 0 ? undefined : random.pick(syncs)
  }

  /** A crash may have left the indexes of a sync behind, which are written anew when it is resumed. */
  const isBehind = (): boolean => [...model.syncs.values()].some((sync) => sync.mayBeBehind)

  const check = Effect.suspend(() =>
    Effect.flatMap(store.check(), ({ entryCount, ...report }) =>
      agree("the check", isBehind() ? report : { ...report, entryCount }, {
        findings: [],
        findingCount: 0,
        syncCount: model.syncs.size,
        recordCount: [...model.syncs.values()].reduce((sum, sync) => sum + sizeOf(sync), 0),
        ...(isBehind() ? {} : { entryCount: entryCountOf(model.syncs, modelTypes) })
      })
    )
  )

  /** The runs, one sync as thoroughly as asked, and a glance at another. */
  const compareSome = (comparison: Comparison, thoroughness: Thoroughness) =>
    Effect.gen(function* () {
      yield* compareRuns(comparison)
      const [first, second] = random.shuffled([...comparison.model.values()])
      if (first !== undefined)
        yield* compareSync(comparison, first, sizeOf(first) <= pagesLimit ? thoroughness : "glance")
      if (second !== undefined) yield* compareSync(comparison, second, "glance")
    })

  /** A reader that knows the types only from what the store says of them, over a view of the database. */
  const compareDescribed = Effect.gen(function* () {
    const reader = yield* RecordReader.make({ reader: store.database.snapshot, path })
    const typeOf = ({ type }: ModelType): RecordType.Any => reader.types.find(({ name }) => name === type.name)!
    yield* compareSome({ ...comparison(), reader, typeOf }, "glance")
  })

  const change = Effect.suspend(() => {
    const drawn = changes.any(model)
    kind = drawn.kind
    return Effect.flatMap(drawn.ask(store), (answer) => agree(`the answer of ${kind}`, answer, drawn.apply(model)))
  })

  const refusal = Effect.suspend(() => {
    const refused = refusalFor(model, modelTypes, random)
    kind = `refused ${refused.kind}`
    return agreeFails(kind, refused.ask(store), refused.tag)
  })

  const get = Effect.suspend(() => {
    const sync = someSync()
    if (sync === undefined) return Effect.void
    const type = random.pick(modelTypes)
    const record = random.record(type)
    const expected = sync.tables.get(type.type.name)!.get(keyText(type, record))
    return Effect.flatMap(store.get(type.type, keyOf(type, record), { sync: sync.run.sync_id }), (found) =>
      agree(`get of ${type.type.name}`, Option.getOrUndefined(found), expected)
    )
  })

  const list = Effect.suspend(() => {
    const sync = someSync()
    if (sync === undefined) return Effect.void
    const type = random.pick(modelTypes)
    const index = random.pick([undefined, ...Object.keys(type.indexes)])
    const table = sync.tables.get(type.type.name)!
    const prefix = random.oneIn(3) ? random.prefix(type, index, table) : undefined
    const pageSize = table.size > pagesLimit ? 100 + random.nextInt(10_000 - 100) : 1 + random.nextInt(30)
    return comparePages(comparison(), sync, { type, index, prefix }, { pageSize })
  })

  const current = Effect.suspend(() =>
    Effect.flatMap(store.currentSync, (run) =>
      agree(
        "currentSync",
        Option.getOrUndefined(run),
        model.current === undefined ? undefined : model.syncs.get(model.current)!.run
      )
    )
  )

  const compare = Effect.suspend(() => compareSome(comparison(), "pages"))

  const reopen = Effect.gen(function* () {
    yield* close
    model = { ...model, current: undefined, isFresh: false }
    for (const { former } of model.syncs.values()) for (const keys of former.values()) keys.clear()
    yield* open
    yield* check
    if (random.oneIn(3)) yield* compareDescribed
    yield* compareSome(comparison(), "pages")
  })

  /** A crash while a change is made, or while the store is closed. */
  const crashAndReopen = (crashing: NonNullable<typeof crash>) =>
    Effect.gen(function* () {
      const before = copyStore(model)
      const drawn = changes.each(model)
      kind = `crash in ${drawn.kind}`
      counts[kind] = (counts[kind] ?? 0) + 1
      const isClosing = random.oneIn(5)
      const engine = yield* Engine
      const acting = Effect.provideService(
        Effect.andThen(Effect.ignore(drawn.ask(store)), isClosing ? close : Effect.void),
        Engine,
        engine
      )
      const isDone = yield* crashing(acting, random.nextInt)
      yield* close
      drawn.apply(model)
      yield* open
      model = yield* adopt({
        reader: store,
        types: modelTypes,
        before,
        after: model,
        isDone,
        isAtomic: drawn.isAtomic
      })
      yield* check
      yield* compareSome(comparison(), "glance")
    })

  const kinds: ReadonlyArray<readonly [kind: string, weight: number, run: Step]> = [
    ["change", 600, change],
    ["refusal", 40, refusal],
    ["get", 80, get],
    ["list", 120, list],
    ["token", 60, Effect.suspend(() => held.step(store, model))],
    ["currentSync", 10, current],
    ["runs", 3, Effect.suspend(() => compareRuns(comparison()))],
    ["check", 4, check],
    ["compare", 1, compare],
    ["reopen", 1, reopen],
    ["crash", crash === undefined ? 0 : 10, crash === undefined ? Effect.void : crashAndReopen(crash)]
  ]
  const drawn = kinds.flatMap((entry) => Array.from({ length: entry[1] }, () => entry))

  const steps = Effect.gen(function* () {
    yield* open
    for (operation = 0; operation < operations; operation++) {
      const chosen = random.pick(drawn)
      kind = chosen[0]
      yield* chosen[2]
      counts[kind] = (counts[kind] ?? 0) + 1
    }
    kind = "the end"
    yield* reopen
  })

  const all = steps.pipe(
    Effect.mapError(
      ({ message, ...rest }) =>
        new RecordStoreModelMismatch({ seed, operation, kind, detail: message === "" ? JSON.stringify(rest) : message })
    ),
    Effect.onError(() =>
      Effect.logError(`The store and the model parted at operation ${operation} (${kind}) of seed ${seed}`)
    )
  )

  return { all, close, report: (): RecordStoreModelReport => ({ ...counts }) }
}
