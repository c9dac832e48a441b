/**
 * Everything that changes a record store, as it is asked of the store and as it happens to the model.
 *
 * A change is drawn first, for a state of the model, and made afterwards, so that a crash can come in between. Ids and times are given:
 * the same seed makes the same runs, and ends that fall together are frequent.
 */
import { Ksuid } from "@icecore/codec"
import { type Effect, Result } from "effect"
import type { CleanupPolicy } from "../../CleanupPolicy.ts"
import type { RecordStore } from "../../RecordStore.ts"
import { isFinished, type SyncId, type SyncRun } from "../../SyncRun.ts"
import type { ModelType } from "./ModelTypes.ts"
import type { RecordChoices } from "./RecordChoices.ts"
import {
  currentOf,
  emptySync,
  keyOf,
  keyText,
  latestFinished,
  type ModelRecord,
  type ModelStore,
  runCountsOf,
  runsOf,
  setRecord,
  settle
} from "./RecordModel.ts"

/** One change. */
export interface Change {
  readonly kind: string
  readonly ask: (store: RecordStore) => Effect.Effect<unknown, { readonly _tag: string; readonly message: string }>
  /** Makes it in the model, and returns what the store must answer. */
  readonly apply: (store: ModelStore) => unknown
  /** A crash leaves all of it or nothing. */
  readonly isAtomic: boolean
}

/** Syncs of a store at most: more are cleaned up. */
const syncLimit = 6

const syncTypes = ["full", "partial", "f"]

/** Draws changes of each kind for the state that the model has. */
export interface StoreChanges {
  /** Any change that can be made now, the frequent ones often. */
  readonly any: (store: ModelStore) => Change
  /** Any change that can be made now, each kind as often as the others. */
  readonly each: (store: ModelStore) => Change
}

export const makeStoreChanges = (random: RecordChoices, types: ReadonlyArray<ModelType>): StoreChanges => {
  const put = (store: ModelStore): Change => {
    const [type, records] = random.oneIn(400)
      ? [types[0]!, random.many(1_000 + random.nextInt(1_000))]
      : ((each: ModelType) => [each, random.oneIn(40) ? [] : random.records(each)] as const)(random.pick(types))
    return {
      kind: records.length > 100 ? "put many" : "put",
      isAtomic: !store.isFresh,
      ask: (real) => real.put(type.type, records),
      apply: (model) => {
        for (const record of records) setRecord(model, type, keyText(type, record), record)
      }
    }
  }

  const putIfNewer = (store: ModelStore): Change => {
    const type = random.pick(types.filter(({ hasRecency }) => hasRecency))
    const records = random.records(type)
    return {
      kind: "putIfNewer",
      isAtomic: !store.isFresh,
      ask: (real) => real.putIfNewer(type.type, records),
      apply: (model) => {
        const newest = new Map<string, ModelRecord>()
        for (const record of records) {
          const best = newest.get(keyText(type, record))
          if (best === undefined || isNewer(record, best)) newest.set(keyText(type, record), record)
        }
        const table = currentOf(model).tables.get(type.type.name)!
        const stored = [...newest].filter(([key, record]) => !table.has(key) || isNewer(record, table.get(key)!))
        for (const [key, record] of stored) setRecord(model, type, key, record)
        return stored.length
      }
    }
  }

  /** Mostly of what is there. */
  const someRecord = (store: ModelStore, type: ModelType): ModelRecord => {
    const there = [...currentOf(store).tables.get(type.type.name)!.values()]
    return there.length === 0 || random.oneIn(3) ? random.record(type) : random.pick(there)
  }

  const remove = (model: ModelStore, type: ModelType, records: ReadonlyArray<ModelRecord>): number => {
    const table = currentOf(model).tables.get(type.type.name)!
    const keys = [...new Set(records.map((record) => keyText(type, record)))].filter((key) => table.has(key))
    for (const key of keys) setRecord(model, type, key, undefined)
    return keys.length
  }

  const deleteOne = (store: ModelStore): Change => {
    const type = random.pick(types)
    const record = someRecord(store, type)
    return {
      kind: "delete",
      isAtomic: !store.isFresh,
      ask: (real) => real.delete(type.type, keyOf(type, record)),
      apply: (model) => remove(model, type, [record]) === 1
    }
  }

  const deleteMany = (store: ModelStore): Change => {
    const type = random.pick(types)
    const there = [...currentOf(store).tables.get(type.type.name)!.values()]
    const records =
      there.length > 100 && random.oneIn(3)
        ? there.filter(() => random.oneIn(2))
        : Array.from({ length: random.nextInt(10) }, () => someRecord(store, type))
    return {
      kind: "deleteMany",
      isAtomic: !store.isFresh,
      ask: (real) =>
        real.deleteMany(
          type.type,
          records.map((record) => keyOf(type, record))
        ),
      apply: (model) => remove(model, type, records)
    }
  }

  const start = (store: ModelStore): Change => {
    const runs = runsOf(store.syncs)
    const run: SyncRun = {
      sync_id: newId(random),
      type: random.pick(syncTypes),
      ...(runs.length > 0 && random.oneIn(3) ? { parent_sync_id: random.pick(runs).sync_id } : {}),
      started_at: random.nextInt(1_000),
      token: "",
      counts: {}
    }
    const options = {
      type: run.type,
      syncId: run.sync_id,
      startedAt: run.started_at,
      ...(run.parent_sync_id === undefined ? {} : { parent: run.parent_sync_id })
    }
    return {
      kind: "startSync",
      isAtomic: false,
      ask: (real) => real.startSync(options),
      apply: (model) => {
        settle(model)
        model.syncs.set(run.sync_id, emptySync(run, types))
        model.current = run.sync_id
        model.isFresh = true
        return run
      }
    }
  }

  const resume = (store: ModelStore): Change => {
    const open = runsOf(store.syncs).filter((run) => !isFinished(run))
    if (open.length === 0) return start(store)
    const run = random.pick(open)
    return {
      kind: "resumeSync",
      isAtomic: false,
      ask: (real) => real.resumeSync(run.sync_id),
      apply: (model) => {
        settle(model)
        model.syncs.set(run.sync_id, { ...model.syncs.get(run.sync_id)!, mayBeBehind: false })
        model.current = run.sync_id
        model.isFresh = false
        return run
      }
    }
  }

  const setRun = (model: ModelStore, change: Partial<SyncRun>): SyncRun => {
    settle(model)
    const sync = currentOf(model)
    const run = { ...sync.run, ...change }
    model.syncs.set(run.sync_id, { ...sync, run })
    return run
  }

  const checkpoint = (): Change => {
    const token = random.pick(["", "page 2", "\0", "é\u{1f600}", "t".repeat(5_000)])
    return {
      kind: "checkpointSync",
      isAtomic: false,
      ask: (real) => real.checkpointSync(token),
      apply: (model) => setRun(model, { token })
    }
  }

  const end = (): Change => {
    const endedAt = 1_000 + random.nextInt(4)
    return {
      kind: "endSync",
      isAtomic: false,
      ask: (real) => real.endSync({ endedAt }),
      apply: (model) => {
        const run = setRun(model, { ended_at: endedAt, counts: runCountsOf(currentOf(model)) })
        model.current = undefined
        return run
      }
    }
  }

  const flush = (): Change => ({
    kind: "flush",
    isAtomic: false,
    ask: (real) => real.flush,
    apply: (model) => settle(model)
  })

  const cleanup = (isNeeded: boolean): Change => {
    const keepsUnfinished = !isNeeded && random.oneIn(2)
    const policy: CleanupPolicy = {
      keepFinishedPerType: random.nextInt(isNeeded ? 2 : 3),
      keepUnfinishedMillis: keepsUnfinished ? Number.MAX_SAFE_INTEGER : 1_000,
      ...(!isNeeded && random.oneIn(2) ? { types: random.oneIn(2) ? ["full"] : ["partial", "f"] } : {})
    }
    const dryRun = !isNeeded && random.oneIn(3)
    return {
      kind: dryRun ? "cleanup, dry" : "cleanup",
      isAtomic: false,
      ask: (real) => real.cleanup(policy, { dryRun }),
      apply: (model) => {
        const removed = removedBy(model, policy, keepsUnfinished)
        const runs = runsOf(model.syncs)
        if (!dryRun) for (const id of removed) model.syncs.delete(id)
        return {
          remove: runs.filter(({ sync_id }) => removed.has(sync_id)),
          keep: runs.filter(({ sync_id }) => !removed.has(sync_id))
        }
      }
    }
  }

  const within = drawn<(store: ModelStore) => Change>([
    [40, put],
    [14, putIfNewer],
    [12, deleteOne],
    [6, deleteMany],
    [3, checkpoint],
    [2, flush],
    [2, resume],
    [2, start],
    [2, end],
    [1, () => cleanup(false)]
  ])
  const outside = drawn<(store: ModelStore) => Change>([
    [4, start],
    [4, resume],
    [1, () => cleanup(false)]
  ])

  const from = (store: ModelStore, draws: ReadonlyArray<(store: ModelStore) => Change>): Change => {
    const draw = random.pick(draws)
    const isFull = store.syncs.size >= syncLimit
    return isFull && (draw === start || draw === resume) ? cleanup(true) : draw(store)
  }
  const drawsFor = ({ current }: ModelStore) => (current === undefined ? outside : within)

  return {
    any: (store) => from(store, drawsFor(store)),
    each: (store) => from(store, [...new Set(drawsFor(store))])
  }
}

/** An id of one of few seconds, so that ids do not order as their syncs were started. */
export const newId = (random: RecordChoices): SyncId => {
  const bytes = new Uint8Array(Ksuid.sizeBytes).map(() => random.nextInt(256))
  bytes.set([0, 0, 0, random.nextInt(3)])
  return Result.getOrThrow(Ksuid.fromBytes(bytes))
}

/** What a cleanup takes: of each type all but the last finished ones, unfinished ones unless they are kept. */
const removedBy = (model: ModelStore, policy: CleanupPolicy, keepsUnfinished: boolean): ReadonlySet<string> => {
  const runs = runsOf(model.syncs)
  const isAsked = ({ type }: SyncRun): boolean => policy.types === undefined || policy.types.includes(type)
  const kept = new Set<string>()
  for (const run of runs) {
    if (!isAsked(run) || run.sync_id === model.current || (!isFinished(run) && keepsUnfinished)) kept.add(run.sync_id)
  }
  for (const type of new Set(runs.filter(isAsked).map((run) => run.type))) {
    const left = new Map(model.syncs)
    for (let count = 0; count < policy.keepFinishedPerType!; count++) {
      const latest = latestFinished(left, type)
      if (latest === undefined) break
      kept.add(latest.sync_id)
      left.delete(latest.sync_id)
    }
  }
  // A kept run that has not ended keeps the one that it continues, and so on.
  for (let size = -1; size !== kept.size; ) {
    size = kept.size
    for (const run of runs) {
      const parent = run.parent_sync_id
      if (kept.has(run.sync_id) && !isFinished(run) && parent !== undefined) kept.add(parent)
    }
  }
  return new Set(runs.map(({ sync_id }) => sync_id).filter((id) => !kept.has(id)))
}

const isNewer = (record: ModelRecord, than: ModelRecord): boolean =>
  Number(record.discovered_at) > Number(than.discovered_at)

const drawn = <A>(weighted: ReadonlyArray<readonly [weight: number, choice: A]>): ReadonlyArray<A> =>
  weighted.flatMap(([weight, choice]) => Array.from({ length: weight }, () => choice))
