/** What a crash may leave of a record store: whether it is one of that, and the model of it. */
import { Effect, Stream } from "effect"
import type { RecordListError, RecordReader } from "../../RecordReader.ts"
import { isFinished } from "../../SyncRun.ts"
import { RecordsDiffer } from "./CompareReader.ts"
import type { ModelType } from "./ModelTypes.ts"
import {
  describe,
  emptySync,
  isSame,
  keyText,
  type ModelRecord,
  type ModelStore,
  type ModelSync
} from "./RecordModel.ts"

export interface Crashed {
  /** Of the store that was opened afterwards. */
  readonly reader: RecordReader
  readonly types: ReadonlyArray<ModelType>
  /** The model before the change in which the crash came, and after it. */
  readonly before: ModelStore
  readonly after: ModelStore
  /** The change was acknowledged before the crash. */
  readonly isDone: boolean
  /** All of the change must be there, or nothing. */
  readonly isAtomic: boolean
}

/** Fails unless the store holds what the crash may have left, and returns that as a model. */
export const adopt: (crashed: Crashed) => Effect.Effect<ModelStore, RecordsDiffer | RecordListError> =
  Effect.fnUntraced(function* (crashed: Crashed) {
    const { after, before, isDone, reader } = crashed
    const states = isDone ? [after] : [before, after]
    const runs = yield* reader.listSyncs
    const found = new Set<string>(runs.map(({ sync_id }) => sync_id))
    for (const id of new Set(states.flatMap(({ syncs }) => [...syncs.keys()])))
      if (!found.has(id) && states.every(({ syncs }) => syncs.has(id)))
        return yield* differ("the syncs after a crash", [...found], id)

    const adopted: ModelStore = { syncs: new Map(), current: undefined, isFresh: false }
    for (const run of runs) {
      const candidates = states.flatMap(({ syncs }) => {
        const sync = syncs.get(run.sync_id)
        return sync !== undefined && isSame(sync.run, run) ? [sync] : []
      })
      if (candidates.length === 0)
        return yield* differ(
          "a run after a crash",
          run,
          states.map(({ syncs }) => syncs.get(run.sync_id)?.run)
        )
      const sync = { ...emptySync(run, crashed.types), mayBeBehind: !isFinished(run) }
      adopted.syncs.set(run.sync_id, sync)
      for (const type of crashed.types) {
        const records = yield* Stream.runCollect(reader.stream(type.type, { sync: run.sync_id }))
        const table = sync.tables.get(type.type.name)!
        for (const record of records as ReadonlyArray<ModelRecord>) table.set(keyText(type, record), record)
      }
      yield* requireAllowed(crashed, sync, candidates)
    }
    return adopted
  })

const requireAllowed = (
  { isAtomic, isDone, types }: Crashed,
  sync: ModelSync,
  candidates: ReadonlyArray<ModelSync>
): Effect.Effect<void, RecordsDiffer> => {
  if (isAtomic && !isDone && !candidates.some((candidate) => isSameSync(sync, candidate)))
    return differ(
      `${sync.run.sync_id} after a crash in one atomic change`,
      [...sync.tables],
      candidates.map(({ tables }) => [...tables])
    )
  for (const { type } of types) {
    const table = sync.tables.get(type.name)!
    const keys = new Set([...table.keys()])
    for (const { tables } of candidates) for (const key of tables.get(type.name)!.keys()) keys.add(key)
    for (const key of keys) {
      const actual = table.get(key)
      const allowed = candidates.flatMap(({ former, tables }) => [
        tables.get(type.name)!.get(key),
        ...(former.get(type.name)!.get(key) ?? [])
      ])
      if (allowed.some((each) => isSame(actual, each))) continue
      return differ(`${type.name} ${key} of ${sync.run.sync_id} after a crash`, actual, allowed)
    }
  }
  return Effect.void
}

const differ = (what: string, actual: unknown, expected: unknown): Effect.Effect<never, RecordsDiffer> =>
  Effect.fail(new RecordsDiffer({ what, expected: `one of ${describe(expected)}`, actual: describe(actual) }))

const isSameSync = (left: ModelSync, right: ModelSync): boolean =>
  [...left.tables].every(([name, table]) => {
    const other = right.tables.get(name)!
    return table.size === other.size && [...table].every(([key, record]) => isSame(record, other.get(key)))
  })
