/**
 * One page of entries: at most so many rows and so many bytes, and where the next page begins.
 *
 * A page is gathered whole before it is sent, because its cursor travels in a header, before the body; so a client that
 * reads slowly holds bounded memory and no read view.
 */
import { Effect, Option, Stream } from "effect"
import type { Entry } from "../Entry.ts"
import { EntryBelowFloor, History, type HistoryReadError, type RangeOptions, type ServedRange } from "../History.ts"
import type { Cursor } from "./Cursor.ts"
import type { EntriesQuery } from "./EntriesQuery.ts"

export interface EntriesPage {
  readonly entries: ReadonlyArray<Entry>
  /**
   * Where to go on; none when nothing can follow. At the end of what is there now, an ascending query without `to` still
   * has one: asked again later it gives what has arrived.
   */
  readonly next: Option.Option<Cursor>
}

/** Reads a page. Fails as {@link History.range} does; a cursor below the floor fails with {@link EntryBelowFloor}. */
export const read: (query: EntriesQuery, maxBytes: number) => Effect.Effect<EntriesPage, HistoryReadError, History> =
  Effect.fnUntraced(function* (query: EntriesQuery, maxBytes: number) {
    const history = yield* History
    const served = yield* history.served
    const range = yield* rangeOf(query, served)
    const entries: Array<Entry> = []
    let bytes = 0
    let isCut = false
    if (Option.isSome(range)) {
      yield* history.range({ ...range.value, order: query.order, limit: query.limit + 1 }).pipe(
        Stream.runForEachWhile((batch) =>
          Effect.sync(() => {
            for (const entry of batch) {
              isCut = entries.length === query.limit || (entries.length > 0 && bytes + entry.bytes.length > maxBytes)
              if (isCut) return false
              entries.push(entry)
              bytes += entry.bytes.length
            }
            return true
          })
        )
      )
    }
    return { entries, next: nextOf(query, entries, isCut) }
  })

/** The range that is left of the query; none when nothing of it is there now. */
const rangeOf = (
  { order, from, to, after }: EntriesQuery,
  served: Option.Option<ServedRange>
): Effect.Effect<Option.Option<Pick<RangeOptions, "from" | "to">>, HistoryReadError> => {
  if (Option.isNone(after)) return Effect.succeed(Option.some(boundsOf(from, to)))
  if (Option.isNone(served)) return Effect.succeed(Option.none())
  const next = order === "ascending" ? after.value + 1 : after.value - 1
  if (next < served.value.floor)
    return order === "ascending" || Option.exists(from, (seq) => seq <= next)
      ? Effect.fail(new EntryBelowFloor({ seq: next, served }))
      : Effect.succeed(Option.none())
  if (order === "descending") return Effect.succeed(Option.some(boundsOf(from, Option.some(next))))
  return Effect.succeed(next > served.value.latest ? Option.none() : Option.some(boundsOf(Option.some(next), to)))
}

const boundsOf = (from: Option.Option<number>, to: Option.Option<number>): Pick<RangeOptions, "from" | "to"> => ({
  ...(Option.isSome(from) ? { from: from.value } : {}),
  ...(Option.isSome(to) ? { to: to.value } : {})
})

const nextOf = (query: EntriesQuery, entries: ReadonlyArray<Entry>, isCut: boolean): Option.Option<Cursor> => {
  const last = entries.at(-1)?.seq ?? Option.getOrUndefined(query.after)
  if (last === undefined) return Option.none()
  const isOpen = query.order === "ascending" && !Option.exists(query.to, (to) => last >= to)
  return isCut || isOpen
    ? Option.some({ order: query.order, from: query.from, to: query.to, after: last })
    : Option.none()
}
