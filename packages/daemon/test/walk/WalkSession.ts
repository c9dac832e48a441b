/** A store that a walk has open, and the reads that it has begun and holds. */
import { Cause, Clock, Effect, Exit, Option, Scope, Stream } from "effect"
import type { Entry } from "../../src/Entry.ts"
import type { HistoryReadError } from "../../src/History.ts"
import * as Store from "../../src/Store.ts"
import type { LogContent } from "./LogContent.ts"
import type { Subject } from "./WalkSubject.ts"
import { require } from "./WalkViolation.ts"

/** A range that is read on step after step. */
export interface HeldRange {
  readonly order: "ascending" | "descending"
  readonly openedMillis: number
  readonly pull: Effect.Effect<ReadonlyArray<ReadonlyArray<Entry>>, HistoryReadError | Cause.Done>
  readonly scope: Scope.Closeable
  /** The seq that must come next. */
  next: number
  /** The last seq that must come. */
  readonly end: number
}

export interface Session {
  readonly store: Store.Store
  readonly scope: Scope.Closeable
  readonly held: Array<HeldRange>
}

/** How long a read may take before what it reads may go. */
export const maxAgeMillis = 300_000

export const open = (
  subject: Subject,
  options: Omit<Store.StoreOptions, "dataDir">
): Effect.Effect<Session, Store.StoreOpenError> =>
  Effect.suspend(() => {
    const scope = Scope.makeUnsafe()
    const opened = Scope.provide(Store.make({ dataDir: subject.dataDir, ...options }), scope)
    return opened.pipe(
      Effect.provideContext(subject.services),
      Effect.map((store): Session => ({ store, scope, held: [] })),
      Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void))
    )
  })

export const close = (session: Session): Effect.Effect<void> =>
  Effect.andThen(closeRanges(session), Scope.close(session.scope, Exit.void))

export const closeRanges = (session: Session): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach(session.held.splice(0), (range) => Scope.close(range.scope, Exit.void), { discard: true })
  )

/** Begins to read a range, to hold it. */
export const hold = (
  session: Session,
  range: { readonly from: number; readonly to: number; readonly order: "ascending" | "descending" }
): Effect.Effect<HeldRange> =>
  Effect.gen(function* () {
    const scope = Scope.makeUnsafe()
    const openedMillis = yield* Clock.currentTimeMillis
    const pull = yield* Scope.provide(Stream.toPull(session.store.history.range(range)), scope)
    const { from, to, order } = range
    const [next, end] = order === "ascending" ? [from, to] : [to, from]
    const held: HeldRange = { order, openedMillis, pull, scope, next, end }
    session.held.push(held)
    return held
  })

/** One more batch of a held range. It is right, the last, or too late; then the range is closed. */
export const advance = (session: Session, range: HeldRange, content: LogContent): Effect.Effect<string> =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(range.pull)
    const step = range.order === "ascending" ? 1 : -1
    if (Exit.isSuccess(exit)) {
      const entries = exit.value.flat()
      require(entries.length > 0, () => "a held range gives an empty batch")
      for (const entry of entries) {
        requireEntry(content, entry, range.next, "a held range")
        require((range.end - range.next) * step >= 0, () => `a held range goes on behind its end, ${range.end}`)
        range.next += step
      }
      return `${entries.length} entries`
    }
    session.held.splice(session.held.indexOf(range), 1)
    yield* Scope.close(range.scope, Exit.void)
    const ended = Exit.findErrorOption(exit)
    if (Option.exists(ended, Cause.isDone)) {
      require(range.next === range.end + step, () => `a held range ends before entry ${range.next}`)
      return "its end"
    }
    const ageMillis = (yield* Clock.currentTimeMillis) - range.openedMillis
    const isExpired = Option.exists(ended, (error) => error._tag === "ViewExpired")
    require(isExpired && ageMillis > maxAgeMillis, () =>
      `a held range of ${ageMillis} ms fails: ${Cause.pretty(exit.cause)}`)
    return "that it is too old"
  })

/** The entry is the one that the log has at `seq`. */
export const requireEntry = (content: LogContent, entry: Entry, seq: number, what: string): void => {
  require(entry.seq === seq, () => `${what} gives entry ${entry.seq} for ${seq}`)
  require(Buffer.compare(entry.bytes, content.bytesAt(seq)) === 0, () => `${what} gives other bytes for entry ${seq}`)
}
