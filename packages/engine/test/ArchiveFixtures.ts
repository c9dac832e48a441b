/** What the tests of archives share: a store with some runs, and all that it holds as text. */
import { type Engine, RecordExport, type RecordReader, RecordStore, RecordType, type SyncRun } from "@icecore/engine"
import { Effect, Schema, type Scope, Stream } from "effect"

const declared = RecordType.make({
  name: "Account",
  fields: Schema.Struct({
    id: Schema.String,
    owner: Schema.String,
    active: Schema.Boolean,
    note: Schema.optionalKey(Schema.String),
    data: Schema.Uint8Array,
    discovered_at: Schema.Int
  }),
  primaryKey: ["id"],
  indexes: { by_owner: { paths: ["owner"] }, by_active: { paths: ["id"], where: { path: "active", equals: true } } }
})

export interface Account {
  readonly id: string
  readonly owner: string
  readonly active: boolean
  readonly note?: string
  readonly data: Uint8Array
  readonly discovered_at: number
}

export const Account: RecordType.RecordType<"Account", Account, { readonly id: string }, "by_owner" | "by_active"> =
  declared

const types = [Account]

/** The accounts of a run, which differ from those of other runs. */
export const accountsOf = (run: number, count: number): ReadonlyArray<Account> =>
  Array.from({ length: count }, (_, at) => ({
    id: `account-${(at * 7919) % 1_000_003}`,
    owner: `owner-${(at + run) % 13}`,
    active: at % 3 === 0,
    ...(at % 5 === 0 ? { note: `of run ${run}: ${"x".repeat(at % 90)}` } : {}),
    data: new Uint8Array(at % 40).fill(at),
    discovered_at: 1_700_000_000_000_000 + at
  }))

export const open = (
  path: string,
  mode: "create" | "readOnly" = "create"
): Effect.Effect<RecordStore.RecordStore, RecordStore.RecordOpenError, Engine | Scope.Scope> =>
  RecordStore.open({ path, types, mode })

/** Two finished runs and one that was begun, with so many accounts each. */
export const fill: (
  store: RecordStore.RecordStore,
  count: number
) => Effect.Effect<ReadonlyArray<SyncRun.SyncId>, unknown> = Effect.fnUntraced(function* (
  store: RecordStore.RecordStore,
  count: number
) {
  const ids: Array<SyncRun.SyncId> = []
  for (const run of [0, 1, 2]) {
    const { sync_id } = yield* store.startSync({ type: run === 1 ? "partial" : "full" })
    ids.push(sync_id)
    const accounts = accountsOf(run, count)
    for (let at = 0; at < accounts.length; at += 1000) yield* store.put(Account, accounts.slice(at, at + 1000))
    if (run < 2) yield* store.endSync()
    else yield* store.checkpointSync("half way")
  }
  return ids
})

/** All runs and records, as text. */
export const textOf: (reader: RecordReader.RecordReader) => Effect.Effect<string, unknown> = Effect.fnUntraced(
  function* (reader: RecordReader.RecordReader) {
    const syncs = (yield* reader.listSyncs).map(({ sync_id }) => sync_id)
    const chunks = yield* Stream.runCollect(RecordExport.chunks(reader, { syncs }))
    return chunks.map(({ bytes }) => new TextDecoder().decode(bytes)).join("")
  }
)
