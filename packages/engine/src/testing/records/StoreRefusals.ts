/** What a record store must refuse, each with its own error, and nothing of it stored. */
import type { Effect } from "effect"
import type { RecordStore } from "../../RecordStore.ts"
import { isFinished } from "../../SyncRun.ts"
import type { ModelType } from "./ModelTypes.ts"
import type { RecordChoices } from "./RecordChoices.ts"
import { type ModelStore, runsOf } from "./RecordModel.ts"
import { newId } from "./StoreChanges.ts"

/** A call that fails. */
export interface Refusal {
  readonly kind: string
  readonly ask: (store: RecordStore) => Effect.Effect<unknown, { readonly _tag: string }>
  readonly tag: string
}

/** One of those that apply to the state of the model. */
export const refusalFor = (store: ModelStore, types: ReadonlyArray<ModelType>, random: RecordChoices): Refusal => {
  const runs = runsOf(store.syncs)
  const thing = types[0]!
  const type = random.pick(types)
  const good = random.records(type)
  const things = random.records(thing)
  const ended = runs.filter(isFinished)
  const without: ReadonlyArray<Refusal> = [
    { kind: "put", tag: "NoCurrentSync", ask: (real) => real.put(type.type, good) },
    { kind: "putIfNewer", tag: "NoCurrentSync", ask: (real) => real.putIfNewer(thing.type, things) },
    { kind: "deleteMany", tag: "NoCurrentSync", ask: (real) => real.deleteMany(type.type, good) },
    { kind: "endSync", tag: "NoCurrentSync", ask: (real) => real.endSync() },
    { kind: "checkpointSync", tag: "NoCurrentSync", ask: (real) => real.checkpointSync("t") }
  ]
  const spoiled = (fields: Readonly<Record<string, unknown>>) => [...things, { ...random.record(thing), ...fields }]
  const within: ReadonlyArray<Refusal> = [
    ...[{ number: 1.5 }, { owner: "\ud800" }, { state: "strange" }, { place: { floor: 2n ** 63n } }, { due: 7 }].map(
      (fields): Refusal => ({
        kind: `put of ${Object.keys(fields)[0]}`,
        tag: "RecordRefused",
        ask: (real) => real.put(thing.type, spoiled(fields))
      })
    ),
    {
      kind: "put of a long key",
      tag: "RecordKeySize",
      ask: (real) => real.put(thing.type, spoiled({ space: "s".repeat(1_950) }))
    },
    {
      kind: "put of a long entry",
      tag: "RecordKeySize",
      ask: (real) => real.putIfNewer(thing.type, spoiled({ owner: "s".repeat(1_900), discovered_at: 1_000 }))
    },
    {
      kind: "putIfNewer without recency",
      tag: "RecordMisuse",
      ask: (real) => real.putIfNewer(types[1]!.type, random.records(types[1]!))
    }
  ]
  const always: ReadonlyArray<Refusal> = [
    { kind: "resumeSync of none", tag: "SyncNotFound", ask: (real) => real.resumeSync(newId(random)) },
    {
      kind: "get of none",
      tag: "SyncNotFound",
      ask: (real) => real.get(type.type, good[0] ?? random.record(type), { sync: newId(random) })
    },
    {
      kind: "list of no index",
      tag: "RecordMisuse",
      ask: (real) => real.list(type.type, { index: "by_chance", ...readable(store) })
    },
    {
      kind: "list of no page",
      tag: "RecordMisuse",
      ask: (real) => real.list(type.type, { pageSize: random.pick([0, 10_001, 1.5]), ...readable(store) })
    },
    ...ended.slice(0, 1).map(
      ({ sync_id }): Refusal => ({
        kind: "resumeSync of an ended one",
        tag: "SyncEnded",
        ask: (real) => real.resumeSync(sync_id)
      })
    ),
    ...runs.slice(0, 1).map(
      ({ sync_id }): Refusal => ({
        kind: "startSync of one that is there",
        tag: "SyncExists",
        ask: (real) => real.startSync({ type: "full", syncId: sync_id })
      })
    )
  ]
  const usable = store.syncs.size === 0 ? always.filter(({ kind }) => !kind.startsWith("list")) : always
  return random.pick([...usable, ...(store.current === undefined ? without : within)])
}

/** Some sync that is there. */
const readable = ({ syncs }: ModelStore) => {
  const [first] = syncs.values()
  return first === undefined ? {} : { sync: first.run.sync_id }
}
