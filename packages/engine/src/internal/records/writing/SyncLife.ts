/**
 * The life of a sync: started, checkpointed, resumed, ended. Each operation ends in one synced write, which makes everything
 * before it durable too: the engine keeps the order of writes.
 */
import { Ksuid } from "@icecore/codec"
import { Clock, Effect, Option, Result } from "effect"
import { maxValueSizeBytes, type WriteBatch } from "../../../Engine.ts"
import {
  metaKeyspace,
  syncBookKey,
  syncByTypeKey,
  syncBytes,
  syncRunKey,
  syncsKeyspace
} from "../../../format/RecordLayout.ts"
import { decodeSyncBook, encodeSyncBook, type SyncBook } from "../../../format/StoreSchema.ts"
import { RecordMisuse, StoreCorrupt, SyncEnded, SyncExists, SyncInUse, SyncNotFound } from "../../../RecordError.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import type { EndSyncOptions, RecordWriteError, StartSyncOptions } from "../../../RecordStore.ts"
import { isFinished, type SyncId, SyncRun } from "../../../SyncRun.ts"
import { readRun } from "../reading/RunReads.ts"
import { settle } from "./Settle.ts"
import * as SyncSession from "./SyncSession.ts"
import { currentSession, drain, settleCurrent, type Writer } from "./Writer.ts"

/** Characters of a sync type at most. */
const maxSyncTypeLength = 256

/** Runs that a run can be merged from, at most: their ids leave room for its token. */
const maxSourceCount = 100_000

export const startSync: (
  writer: Writer,
  options: StartSyncOptions
) => Effect.Effect<SyncRun, RecordWriteError | SyncExists> = Effect.fnUntraced(function* (writer, options) {
  const { database, path } = writer
  yield* requireFree(writer, "start another beside")
  const started = options.startedAt ?? (yield* nowMicros)
  const problem =
    typeProblem(options.type) ??
    timeProblem("startedAt", started) ??
    idProblem("syncId", options.syncId) ??
    idProblem("parent", options.parent) ??
    sourcesProblem(options.sources)
  if (problem !== undefined) return yield* new RecordMisuse({ path, detail: problem })
  const id = options.syncId ?? (yield* Ksuid.make)
  if (Option.isSome(yield* readRun(database, path, id))) return yield* new SyncExists({ path, sync: id })
  yield* settleCurrent(writer)
  const run: SyncRun = {
    sync_id: id,
    type: options.type,
    ...(options.parent === undefined ? {} : { parent_sync_id: options.parent }),
    started_at: started,
    token: "",
    counts: {},
    ...(options.sources === undefined ? {} : { source_sync_ids: options.sources })
  }
  const book: SyncBook = { indexes: "complete", counts: {} }
  const sync = syncBytes(id)
  yield* database.write((batch) => {
    putRun(batch, run)
    batch.put(syncsKeyspace, syncByTypeKey(run.type, sync), noValue)
    batch.put(metaKeyspace, syncBookKey(sync), encodeSyncBook(book))
  })
  writer.current = SyncSession.make(run, book, writer.layouts.values(), {
    isFresh: true,
    isExclusive: options.exclusive ?? false
  })
  return run
})

export const resumeSync: (writer: Writer, sync: SyncId) => Effect.Effect<SyncRun, RecordWriteError | SyncEnded> =
  Effect.fnUntraced(function* (writer, sync) {
    const { database, path } = writer
    yield* requireFree(writer, "resume another beside")
    const run = Option.getOrUndefined(yield* readRun(database, path, sync))
    if (run === undefined) return yield* new SyncNotFound({ path, sync })
    if (isFinished(run)) return yield* new SyncEnded({ path, sync })
    yield* settleCurrent(writer)
    const session = SyncSession.make(run, yield* readBook(writer, sync), writer.layouts.values(), { isFresh: false })
    yield* settle(writer, session, writer.intake)
    // What was put into the sync that is left, and what was made anew of this one.
    yield* database.flush
    writer.current = session
    return run
  })

export const checkpointSync: (writer: Writer, token: string) => Effect.Effect<SyncRun, RecordWriteError> =
  Effect.fnUntraced(function* (writer, token) {
    const session = yield* currentSession(writer, "checkpoint a sync")
    yield* drain(writer)
    const run: SyncRun = { ...session.run, token }
    yield* checkRun(writer, run)
    yield* writer.database.write((batch) => putRun(batch, run))
    session.run = run
    return run
  })

export const endSync: (writer: Writer, options: EndSyncOptions) => Effect.Effect<SyncRun, RecordWriteError> =
  Effect.fnUntraced(function* (writer, options) {
    const { path } = writer
    const session = yield* currentSession(writer, "end a sync")
    const ended = options.endedAt ?? (yield* nowMicros)
    const problem = timeProblem("endedAt", ended)
    if (problem !== undefined) return yield* new RecordMisuse({ path, detail: problem })
    yield* settleCurrent(writer)
    const run: SyncRun = {
      ...session.run,
      ended_at: ended,
      counts: SyncSession.bookOf("complete", session.counts).counts
    }
    // IMPORTANT: synced. It is what makes every buffered write of the sync durable before anybody is told.
    yield* writer.database.write((batch) => putRun(batch, run), { durability: "synced" })
    writer.current = undefined
    return run
  })

/** Nobody leaves a sync that its starter has for itself. */
const requireFree = ({ current, path }: Writer, operation: string): Effect.Effect<void, SyncInUse> =>
  current?.isExclusive === true
    ? Effect.fail(new SyncInUse({ path, sync: current.run.sync_id, operation }))
    : Effect.void

const nowMicros: Effect.Effect<number> = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor(millis) * 1_000)

/** Leaves room for the end of a run and its counts, of as many types as a store can have. */
const maxRunBytes = maxValueSizeBytes - 64 * 1024

const noValue = new Uint8Array()

const putRun = (batch: WriteBatch, run: SyncRun): void =>
  batch.put(syncsKeyspace, syncRunKey(syncBytes(run.sync_id)), SyncRun.codec.encodeUnsafe(run))

/** A token comes from the caller: it may be no text that can be stored, or so long that the end would not fit behind it. */
const checkRun = ({ path }: Writer, run: SyncRun): Effect.Effect<void, RecordMisuse> => {
  const encoded = SyncRun.codec.encode(run)
  if (Result.isFailure(encoded)) return Effect.fail(new RecordMisuse({ path, detail: encoded.failure.message }))
  const detail = `a token makes its run ${encoded.success.length} bytes, allowed are ${maxRunBytes}`
  return encoded.success.length <= maxRunBytes ? Effect.void : Effect.fail(new RecordMisuse({ path, detail }))
}

const readBook = Effect.fnUntraced(function* (
  { database, path }: Writer,
  sync: SyncId
): Effect.fn.Return<SyncBook, RecordReadError> {
  const row = yield* database.get(metaKeyspace, syncBookKey(syncBytes(sync)))
  const book = Option.isNone(row) ? Result.fail("there is none") : decodeSyncBook(row.value)
  if (Result.isSuccess(book)) return book.success
  return yield* new StoreCorrupt({ path, part: "bookkeeping", detail: `sync ${sync}: ${book.failure}` })
})

const typeProblem = (type: string): string | undefined =>
  type.length > 0 && type.length <= maxSyncTypeLength && type.isWellFormed()
    ? undefined
    : `a sync type is 1 to ${maxSyncTypeLength} characters of well-formed text`

const idProblem = (name: string, id: string | undefined): string | undefined => {
  const parsed = id === undefined ? undefined : Ksuid.parse(id)
  if (parsed === undefined || Result.isSuccess(parsed)) return undefined
  return `${name} is ${parsed.failure.actual}, expected ${parsed.failure.expected}`
}

const sourcesProblem = (sources: ReadonlyArray<SyncId> | undefined): string | undefined => {
  if (sources === undefined) return undefined
  if (sources.length === 0 || sources.length > maxSourceCount) {
    return `sources has ${sources.length} ids, expected 1 to ${maxSourceCount}`
  }
  for (const id of sources) {
    const problem = idProblem("one of sources", id)
    if (problem !== undefined) return problem
  }
  return undefined
}

const timeProblem = (name: string, micros: number): string | undefined =>
  Number.isSafeInteger(micros) ? undefined : `${name} is ${micros}, expected a whole number of microseconds`
