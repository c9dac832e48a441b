/** Brings the keys of each chunk to the index of its window, which is open while its chunks are audited. */
import type { Disk, DiskError, KeyIndexCorrupt } from "@icecore/packfile"
import { Effect, Exit, Option, Result, Scope, Stream } from "effect"
import type { AuditContext } from "./AuditContext.ts"
import * as AuditFinding from "./AuditFinding.ts"
import * as CatalogImage from "./CatalogImage.ts"
import type * as ChunkAudit from "./ChunkAudit.ts"
import * as IndexAudit from "./IndexAudit.ts"
import * as Names from "./Names.ts"
import type { ImageWrong } from "./PackImage.ts"

/** Where chunks bring their keys, to have them asked of the index of their window. */
export interface IndexDesk {
  readonly ask: (
    chunk: ChunkAudit.ChunkUnderAudit,
    run: Option.Option<Uint8Array>
  ) => Effect.Effect<ReadonlyArray<AuditFinding.AuditFinding>, never, Disk>
  /** Ends the last index. */
  readonly close: Effect.Effect<ReadonlyArray<AuditFinding.AuditFinding>>
}

interface OpenWindow {
  readonly window: number
  readonly row: Option.Option<Names.IndexRow>
  /** None when it cannot be opened, which is told of the index itself. */
  audited: Option.Option<IndexAudit.IndexUnderAudit>
  readonly scope: Scope.Closeable
}

/** No index is open yet; the one that is closes with the scope. */
export const make: (context: AuditContext) => Effect.Effect<IndexDesk, never, Scope.Scope> = Effect.fnUntraced(
  function* (context: AuditContext) {
    const { reader, numbers, roots, domain, catalogPath, isSettled, floorChunk } = context
    const parent = yield* Effect.scope
    const policy = Option.map(domain.keys, ({ duplicates }) => duplicates)
    let current: OpenWindow | undefined

    const damaged = (
      { text, window }: Names.IndexRow,
      error: ImageWrong | KeyIndexCorrupt | DiskError
    ): AuditFinding.AuditFinding =>
      AuditFinding.make({
        invariant: "I1",
        fault: "damaged",
        path: Names.indexFile(roots, { ...rowOf(text), window }),
        key: text,
        window,
        message: error.message
      })

    const close: IndexDesk["close"] = Effect.suspend(() => {
      const ended = current
      current = undefined
      if (ended === undefined) return Effect.succeed([])
      const settled = Option.match(ended.audited, {
        onNone: () => Effect.succeed<ReadonlyArray<AuditFinding.AuditFinding>>([]),
        onSome: (audited) =>
          Effect.match(IndexAudit.settle(audited), {
            onSuccess: () => [],
            onFailure: (error) => [damaged(audited.row, error)]
          })
      })
      return Effect.tap(settled, () => Scope.close(ended.scope, Exit.void))
    })

    const openWindow = Effect.fnUntraced(function* (window: number) {
      const rows = yield* CatalogImage.indexes(reader, window).pipe(
        Stream.filter(({ state }) => state === "frozen"),
        Stream.runCollect,
        Effect.orElseSucceed(() => [])
      )
      const row = Option.fromUndefinedOr(rows[0])
      const scope = yield* Scope.fork(parent)
      const audited = Option.isNone(row)
        ? Option.none()
        : yield* IndexAudit.open(
            Names.indexFile(roots, row.value),
            row.value,
            Names.seqsOfIndex(numbers, row.value),
            policy
          ).pipe(Scope.provide(scope), Effect.option)
      return { window, row, audited, scope } satisfies OpenWindow
    })

    const ask: IndexDesk["ask"] = Effect.fnUntraced(function* ({ chunk, states }, run) {
      if (Option.isNone(domain.keys)) return []
      const window = Names.windowOf(numbers, chunk)
      const found: Array<AuditFinding.AuditFinding> = []
      if (current?.window !== window) {
        found.push(...(yield* close))
        current = yield* openWindow(window)
      }
      const { row } = current
      const isCovered = Option.exists(row, ({ lo, hi }) => lo <= chunk && chunk <= hi)
      const path = catalogPath
      // Before the beginning of history lies what a widening has filled in so far: it is indexed when it has all of it.
      const isKept = chunk >= Math.max(floorChunk, Names.chunkOf(numbers, numbers.beginSeq))
      if (isSettled && !isCovered && states.entries === "frozen" && isKept) {
        const message = `No index of window ${window} covers chunk ${chunk}, which is frozen`
        found.push(AuditFinding.make({ invariant: "I2", fault: "uncovered", path, chunk, window, message }))
      }
      const hasRun = states.keys === "frozen"
      if (!isCovered && !hasRun && states.entries === "frozen" && isKept && !isSettled) {
        const message = `Chunk ${chunk} has neither a run nor an index over it, so its keys find nothing`
        found.push(AuditFinding.make({ invariant: "I1", fault: "uncovered", path, chunk, window, message }))
      }
      const isTerminal = Option.exists(row, ({ hi }) => hi === (window + 1) * numbers.chunksPerWindow - 1)
      // A run before the index belongs to a widening that is not filled; below the floor it is told as that.
      if (isSettled && hasRun && isCovered && isTerminal) {
        const key = Names.chunkText(chunk, "keys")
        const message = `${key} is left, although the index of window ${window} is finished`
        found.push(AuditFinding.make({ invariant: "I2", fault: "superseded", path, key, chunk, window, message }))
      }
      if (Option.isNone(run) || !isCovered || Option.isNone(current.audited)) return found
      const { audited } = current
      const windowFirstSeq = Names.firstSeqOf(numbers, window * numbers.chunksPerWindow)
      const asked = yield* Effect.result(
        IndexAudit.askAll(audited.value, run.value, windowFirstSeq, domain.keys.value.duplicates)
      )
      if (Result.isFailure(asked)) {
        found.push(damaged(audited.value.row, asked.failure))
        current.audited = Option.none()
      }
      return found
    })
    yield* Effect.addFinalizer(() => Effect.asVoid(close))
    return { ask, close }
  }
)

const rowOf = (text: string): { readonly lo: number; readonly hi: number } => {
  const [, , lo, hi] = text.split(":")
  return { lo: Number(lo), hi: Number(hi) }
}
