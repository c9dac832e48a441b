/**
 * The end of the log: the only place where entries are added.
 *
 * One append at a time:
 *
 * 1. when the last commit failed, reopen the live database and remove what it left, so that only acknowledged entries remain; a reader
 *    that does not leave the database within five seconds fails the append, and holds nobody up any longer;
 * 2. ask whether every entry may be one, and whether its keys are new ({@link import("./internal/AppendCheck.ts")});
 * 3. when the live chunk is complete, open the next one, seeded with the source's position;
 * 4. wait while too many complete chunks are unfrozen;
 * 5. commit a piece, synced; only then does the end of the log advance, and readers see it.
 *
 * A boundary goes: the last entry of a chunk is durable; the next database is made, seeded and `ready`; it becomes the live
 * one; the lifecycle is told. So the position is in the newest database before an older one can be discarded.
 */
import { type Catalog, Geometry, Layout } from "@icecore/catalog"
import { EngineFailed } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import { Effect, Option, Result, Semaphore } from "effect"
import type { Domain } from "./Domain.ts"
import { encodePosition, hotKeyspaces, positionKey, sourceKeyspace } from "./format/HotFormat.ts"
import { AppendConflict, type Appended, type HistoryReadError, LogFull } from "./History.ts"
import * as HotChunk from "./HotChunk.ts"
import * as AppendCheck from "./internal/AppendCheck.ts"
import type { HotSet } from "./internal/HotSet.ts"
import * as LogState from "./internal/LogState.ts"
import { AcknowledgedEntryLost, reopenSpaceBytes, SpaceTooLow, type StorageError } from "./StorageError.ts"

/** Bytes of entries that go into one commit, beyond its first entry. */
export const maxCommitBytes: number = 8 * 1024 * 1024

/** How long readers of the live database may hold up that it is opened again. */
const patience = "5 seconds"

/** Entries for the end of the log. */
export interface Append {
  readonly entries: ReadonlyArray<Uint8Array>
  /** The seq of the first of them; {@link AppendConflict} when the log goes on elsewhere. Default: wherever it goes on. */
  readonly expectedSeq?: number
  /** Token of the source behind the first `count` entries. */
  readonly tokenAfter?: (count: number) => Uint8Array
  /** Commits the entries before one that is refused, and then fails. Default: nothing is committed. */
  readonly keepBefore?: boolean
}

export type AppendError = AppendCheck.AppendFault | AppendConflict | LogFull | HistoryReadError

export interface LogWriter {
  /** Commits all entries, in pieces. What is committed when it fails stays: {@link LogState.LogState.nextSeq} says how far. */
  readonly append: (options: Append) => Effect.Effect<Appended, AppendError>
  /** Opens the next chunk if the live one is complete. */
  readonly roll: Effect.Effect<void, StorageError>
}

export interface LogWriterOptions {
  readonly state: LogState.LogState
  readonly hotSet: HotSet<StorageError>
  readonly catalog: Catalog.Catalog
  readonly disk: Disk
  readonly domain: Domain
  /** Asked for the keys of every entry, while nothing else is appended, and before anything of it is in the live chunk. */
  readonly known: AppendCheck.KnownKeys
  /** Entries in a commit at most. */
  readonly entriesPerCommit: number
  /** Told after each boundary. Must not wait. */
  readonly onBoundary: Effect.Effect<void>
}

export const make = (options: LogWriterOptions): LogWriter => {
  const { state, hotSet, catalog, disk, domain, known, entriesPerCommit, onBoundary } = options
  const turn = Semaphore.makeUnsafe(1)
  const check = AppendCheck.make(domain, known)
  const keying = keyingOf(domain)
  // Invariant: true while it is unknown whether the live database holds more than acknowledged entries.
  let isSuspect = false

  const openLive = (chunk: Geometry.ChunkId) =>
    Effect.map(
      catalog.openHot(chunk, {
        keyspaces: hotKeyspaces,
        seed: (batch) => {
          if (Option.isSome(state.position))
            batch.put(sourceKeyspace, positionKey, encodePosition(state.position.value))
        }
      }),
      (database) => HotChunk.make({ geometry: state.geometry, chunk, database })
    )

  const restore: Effect.Effect<void, StorageError> = Effect.gen(function* () {
    const chunk = state.liveChunk
    const { hot: root } = catalog.layout.roots
    const freeBytes = yield* disk.freeSpaceBytes(root)
    // A database that is closed while the disk is full may not open again, and its entries must stay readable.
    if (freeBytes < reopenSpaceBytes)
      return yield* new SpaceTooLow({ path: root, neededBytes: reopenSpaceBytes, freeBytes })
    const path = Layout.hotPath(catalog.layout, chunk)
    // While a database waits to be opened again it takes no new readers either.
    const hot = yield* Effect.timeoutOrElse(hotSet.reopen(chunk, openLive(chunk)), {
      duration: patience,
      orElse: () => Effect.fail(new EngineFailed({ path, operation: "reopen", detail: "it is being read" }))
    })
    const found = Option.getOrElse(yield* HotChunk.highestSeq(hot), () => hot.firstSeq - 1)
    const acknowledged = state.nextSeq - 1
    if (found < acknowledged) return yield* new AcknowledgedEntryLost({ path, seq: found + 1 })
    if (found > acknowledged)
      yield* HotChunk.rollBack(hot, { seq: acknowledged, position: state.position, ...keying.rollBack })
    isSuspect = false
  })

  const roll: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    // The chunk behind the live one, or a later one when a backfill made those between.
    const next = Geometry.chunkOf(state.geometry, state.nextSeq)
    if (!LogState.isLiveComplete(state) || next > Geometry.maxChunkId) return Effect.void
    return Effect.uninterruptible(
      Effect.flatMap(hotSet.add(openLive(next)), () => {
        state.liveChunk = next
        return onBoundary
      })
    )
  })

  const prepare: Effect.Effect<void, StorageError> = Effect.suspend(() =>
    isSuspect ? Effect.andThen(restore, roll) : roll
  )

  const commit = (piece: HotChunk.HotCommit): Effect.Effect<void, StorageError> =>
    Effect.uninterruptible(
      Effect.suspend(() => {
        isSuspect = true
        const write = hotSet.use(state.liveChunk, (hot) => HotChunk.commit(hot, piece))
        return Effect.map(write, () => {
          isSuspect = false
          const nextSeq = piece.firstSeq + piece.entries.length
          const position =
            piece.token === undefined ? state.position : Option.some({ seq: nextSeq - 1, token: piece.token })
          LogState.advance(state, { nextSeq, position })
        })
      })
    )

  const append = Effect.fnUntraced(function* ({ entries, expectedSeq, tokenAfter, keepBefore }: Append) {
    const firstSeq = state.nextSeq
    if (expectedSeq !== undefined && expectedSeq !== firstSeq)
      return yield* new AppendConflict({ expected: expectedSeq, actual: firstSeq })
    // What a failed commit has left must not be taken for history.
    if (isSuspect && Option.isSome(domain.keys)) yield* restore
    const { count, keys, fault } = yield* check(firstSeq, entries)
    if (fault !== undefined && keepBefore !== true) return yield* fault
    const limit = Math.min(Geometry.lastSeqOf(state.geometry, maxChunk), Number.MAX_SAFE_INTEGER)
    // Compared as a difference: a sum beyond 2^53 is rounded down to it.
    const room = limit - firstSeq + 1
    if (count > room) return yield* new LogFull({ seq: limit + 1, limit })
    let done = 0
    while (done < count) {
      yield* prepare
      yield* LogState.awaitRoom(state)
      const left = Geometry.lastSeqOf(state.geometry, state.liveChunk) - state.nextSeq + 1
      const end = done + pieceLength(entries, done, Math.min(entriesPerCommit, left, count - done))
      const token = tokenAfter?.(end)
      yield* commit({
        firstSeq: state.nextSeq,
        entries: entries.slice(done, end),
        ...(keys === undefined ? {} : { ...keying.commit, keys: keys.slice(done, end) }),
        ...(token === undefined ? {} : { token })
      })
      done = end
    }
    // All entries are durable, so a boundary that cannot be crossed now is the next append's failure, not this one's.
    yield* Effect.catch(roll, (error) => Effect.logWarning(`The next chunk will be opened later: ${error.message}`))
    if (fault !== undefined) return yield* fault
    return { firstSeq, lastSeq: firstSeq + entries.length - 1 }
  })

  return {
    append: (options) => turn.withPermit(append(options)),
    roll: turn.withPermit(prepare)
  }
}

const maxChunk = Geometry.ChunkId(Geometry.maxChunkId)

/** What a hot chunk must know of the domain's keys. */
const keyingOf = ({
  keys
}: Domain): {
  readonly commit: Pick<HotChunk.HotCommit, "duplicates">
  readonly rollBack: Pick<HotChunk.RollBack, "keysOf">
} =>
  Option.match(keys, {
    onNone: () => ({ commit: {}, rollBack: {} }),
    onSome: ({ duplicates, of }) => ({
      commit: { duplicates },
      // What was committed had its keys taken, so it gives them again.
      rollBack: { keysOf: (entry) => Result.getOrThrow(of(entry)) }
    })
  })

/** How many entries from `start` on fit into a commit of at most `maxEntries`: 1 or more. */
const pieceLength = (entries: ReadonlyArray<Uint8Array>, start: number, maxEntries: number): number => {
  const end = Math.min(entries.length, start + maxEntries)
  let sizeBytes = entries[start]!.length
  let index = start + 1
  while (index < end) {
    sizeBytes += entries[index]!.length
    if (sizeBytes > maxCommitBytes) break
    index++
  }
  return index - start
}
