/**
 * The query of `GET /v1/entries`, checked: which entries, in which order, how many.
 */
import { Option, Result } from "effect"
import type { RangeOrder } from "../Entry.ts"
import * as Cursor from "./Cursor.ts"
import { badRequest, type Problem } from "./Problem.ts"

export interface EntriesQuery {
  readonly order: RangeOrder
  /** First seq wanted, inclusive; none: from the floor. */
  readonly from: Option.Option<number>
  /** Last seq wanted, inclusive; none: to the latest. */
  readonly to: Option.Option<number>
  /** Last seq of the page before, exclusive. */
  readonly after: Option.Option<number>
  readonly limit: number
}

const names = ["from", "to", "limit", "order", "cursor"]

/** A sequence number as a path or a query writes it: digits, no sign, at most 2^53 − 1. */
export const parseSeq = (text: string): Option.Option<number> =>
  /^\d{1,16}$/.test(text) ? Option.filter(Option.some(Number(text)), Number.isSafeInteger) : Option.none()

/**
 * Reads the parameters. Each may be given once and unknown ones are refused, so that a typing error is not taken for
 * "everything". A cursor stands for order and bounds; only `limit` may be given beside it.
 */
export const parse = (
  params: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>,
  maxRows: number
): Result.Result<EntriesQuery, Problem> => {
  for (const [name, value] of Object.entries(params)) {
    if (!names.includes(name))
      return fail(`There is no parameter ${JSON.stringify(name.slice(0, 40))}; known are ${names.join(", ")}`)
    if (typeof value !== "string") return fail(`Parameter ${name} is given more than once`)
  }
  const text = (name: string): string | undefined => params[name] as string | undefined
  const limit = text("limit") === undefined ? Option.some(maxRows) : parseSeq(text("limit")!)
  if (Option.isNone(limit) || limit.value < 1 || limit.value > maxRows)
    return fail(`Parameter limit must be a whole number from 1 to ${maxRows}`)
  if (text("cursor") !== undefined) return parseCursor(text, limit.value)
  const order = text("order") ?? "ascending"
  if (order !== "ascending" && order !== "descending")
    return fail('Parameter order must be "ascending" or "descending"')
  const from = parseBound(text("from"))
  const to = parseBound(text("to"))
  if (from === undefined) return fail("Parameter from must be a sequence number")
  if (to === undefined) return fail("Parameter to must be a sequence number")
  if (Option.isSome(from) && Option.isSome(to) && from.value > to.value)
    return fail(`Parameter from is ${from.value}, expected at most to, which is ${to.value}`)
  return Result.succeed({ order, from, to, after: Option.none(), limit: limit.value })
}

const parseCursor = (
  text: (name: string) => string | undefined,
  limit: number
): Result.Result<EntriesQuery, Problem> => {
  const other = ["from", "to", "order"].find((name) => text(name) !== undefined)
  if (other !== undefined) return fail(`Parameter ${other} cannot be given with a cursor, which holds it`)
  return Option.match(Cursor.decode(text("cursor")!), {
    onNone: () => fail("Parameter cursor is none that this service gave, or was altered"),
    onSome: ({ order, from, to, after }) => Result.succeed({ order, from, to, after: Option.some(after), limit })
  })
}

const parseBound = (text: string | undefined): Option.Option<number> | undefined => {
  if (text === undefined) return Option.none()
  const seq = parseSeq(text)
  return Option.isSome(seq) ? seq : undefined
}

const fail = (message: string): Result.Result<never, Problem> => Result.fail(badRequest(message))
