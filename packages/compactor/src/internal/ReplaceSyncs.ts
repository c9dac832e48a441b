/** `compact`, `clone` and `copy`: each sync by one replacement of the store that is changed. */
import * as Path from "node:path"
import { type RecordStore, SyncExists, SyncInUse, type SyncRun, SyncTransfer } from "@icecore/engine"
import { Effect, Option, Result } from "effect"
import type { CloneOptions, CompactOptions, CompactReport, CopyOptions, CopyReport, Progress } from "../Compactor.ts"
import {
  type BaseWriteError,
  CompactBaseFailed,
  type CompactorError,
  CompactRefused,
  type Operation
} from "../CompactorError.ts"
import type { Source } from "../Source.ts"
import type { Throttle } from "../Throttle.ts"
import * as Moment from "./Moment.ts"
import { stepAfter } from "./Steps.ts"

export const compact: (throttle: Throttle, options: CompactOptions) => Effect.Effect<CompactReport, CompactorError> =
  Effect.fnUntraced(function* (throttle, options) {
    const move = yield* compactMove(options)
    return yield* replace(throttle, move, options.onProgress)
  }, Effect.scoped)

export const clone: (throttle: Throttle, options: CloneOptions) => Effect.Effect<CompactReport, CompactorError> =
  Effect.fnUntraced(function* (throttle, options) {
    const move = yield* cloneMove(options)
    return yield* replace(throttle, move, options.onProgress)
  }, Effect.scoped)

export const copy: (throttle: Throttle, options: CopyOptions) => Effect.Effect<CopyReport, CompactorError> =
  Effect.fnUntraced(function* (throttle, options) {
    const { onProgress } = options
    const moves = yield* copyMoves(options)
    const syncs: Array<CompactReport> = []
    let done: Progress = { rowCount: 0, bytes: 0 }
    for (const [position, move] of moves.entries()) {
      const before = done
      const tell =
        onProgress === undefined
          ? undefined
          : ({ rowCount, bytes }: Progress) =>
              onProgress({
                run: move.run,
                position,
                syncCount: moves.length,
                rowCount: before.rowCount + rowCount,
                bytes: before.bytes + bytes
              })
      const report = yield* replace(throttle, move, (progress) => {
        done = { rowCount: before.rowCount + progress.rowCount, bytes: before.bytes + progress.bytes }
        return tell?.(progress) ?? Effect.void
      })
      syncs.push(report)
    }
    return { syncs }
  }, Effect.scoped)

export const planCompact: (options: CompactOptions) => Effect.Effect<SyncTransfer.TransferPlan, CompactorError> =
  Effect.fnUntraced(function* (options) {
    return yield* plan(yield* compactMove(options))
  }, Effect.scoped)

export const planClone: (options: CloneOptions) => Effect.Effect<SyncTransfer.TransferPlan, CompactorError> =
  Effect.fnUntraced(function* (options) {
    return yield* plan(yield* cloneMove(options))
  }, Effect.scoped)

export const planCopy: (
  options: CopyOptions
) => Effect.Effect<ReadonlyArray<SyncTransfer.TransferPlan>, CompactorError> = Effect.fnUntraced(function* (options) {
  return yield* Effect.forEach(yield* copyMoves(options), plan)
}, Effect.scoped)

/** One sync on its way. */
interface Move {
  readonly operation: Operation
  readonly base: RecordStore.RecordStore
  readonly moment: Moment.Moment
  readonly run: SyncRun.SyncRun
  readonly unfinished: "refuse" | "copy"
}

const compactMove = Effect.fnUntraced(function* ({ base, source, syncId, unfinished = "refuse" }: CompactOptions) {
  const moment = yield* takeOther("compact", base, source)
  const run = yield* Moment.runOf(moment, syncId)
  return { operation: "compact", base, moment, run, unfinished } satisfies Move
})

const cloneMove = Effect.fnUntraced(function* ({ into, source, syncId, unfinished = "refuse" }: CloneOptions) {
  const moment = yield* takeOther("clone", into, source)
  const run = yield* Moment.runOf(moment, syncId)
  const move: Move = { operation: "clone", base: into, moment, run, unfinished }
  const there = yield* Effect.mapError(into.getSync(run.sync_id), (cause) => baseFailure(move, cause))
  if (Option.isNone(there)) return move
  return yield* baseFailure(move, new SyncExists({ path: into.path, sync: run.sync_id }))
})

const copyMoves = Effect.fnUntraced(function* ({ into, source }: CopyOptions) {
  const moment = yield* takeOther("copy", into, source)
  const runs = yield* Effect.mapError(moment.records.listSyncs, moment.asFailure)
  return runs.map((run): Move => ({ operation: "copy", base: into, moment, run, unfinished: "copy" }))
})

/** A moment of a source that is not the store itself, as far as their paths say it: links are not followed. */
const takeOther = Effect.fnUntraced(function* (operation: Operation, base: RecordStore.RecordStore, source: Source) {
  if (Path.resolve(source.source.path) === Path.resolve(base.path)) {
    return yield* new CompactRefused({
      operation,
      base: base.path,
      detail: "the source is the same store, expected another"
    })
  }
  return yield* Moment.take(operation, source)
})

const baseFailure = ({ base, operation }: Move, cause: BaseWriteError): CompactBaseFailed =>
  new CompactBaseFailed({ operation, base: base.path, cause })

const replace = Effect.fnUntraced(function* (
  throttle: Throttle,
  move: Move,
  onProgress: ((progress: Progress) => Effect.Effect<void>) | undefined
): Effect.fn.Return<CompactReport, CompactorError> {
  const { base, moment, run, unfinished } = move
  const replacement = yield* Effect.mapError(
    base.replaceSync({
      sync: run.sync_id,
      source: moment.reader,
      sourcePath: moment.path,
      unfinished,
      onStep: stepAfter(throttle, onProgress)
    }),
    (cause) => (moment.hasFailedWith(cause) ? moment.asFailure(cause) : baseFailure(move, cause))
  )
  if (!replacement.isEmpty) return { _tag: "SyncReplaced", ...replacement }
  const removedCount = replacement.types.reduce((count, type) => count + type.removedCount, 0)
  return { _tag: "SyncEmpty", ...replacement, removedCount }
})

/** What {@link replace} would do. */
const plan = Effect.fnUntraced(function* (move: Move): Effect.fn.Return<SyncTransfer.TransferPlan, CompactorError> {
  const { base, moment, operation, run, unfinished } = move
  const sync = run.sync_id
  const current = Option.getOrUndefined(yield* base.currentSync)
  if (current?.sync_id === sync) {
    return yield* baseFailure(move, new SyncInUse({ path: base.path, sync, operation }))
  }
  const there = yield* Effect.scoped(
    Effect.flatMap(base.database.snapshot, (reader) => SyncTransfer.outline({ reader, path: base.path, sync }))
  ).pipe(Effect.mapError((cause) => baseFailure(move, cause)))
  const coming = yield* Effect.mapError(
    SyncTransfer.outline({ reader: moment.reader, path: moment.path, sync }),
    moment.asFailure
  )
  const planned = SyncTransfer.plan(there, coming, { unfinished })
  if (Result.isSuccess(planned)) return planned.success
  const cause = planned.failure
  return yield* moment.hasFailedWith(cause) ? moment.asFailure(cause) : baseFailure(move, cause)
})
