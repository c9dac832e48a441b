/**
 * What a client is told when its request fails: a status and a small JSON body. It never carries a path, a query of an
 * engine or a stack; what the client may not see is logged under an id that the body names.
 */
import { Effect, Option, Random } from "effect"
import { Hex } from "effect/encoding"
import { HttpServerResponse } from "effect/http"
import type { HistoryReadError, ServedRange } from "../History.ts"

/** Stable words for programs. */
export type ProblemCode =
  | "bad_request"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "not_acceptable"
  | "body_too_large"
  | "below_floor"
  | "not_ingested"
  | "key_not_found"
  | "no_keys"
  | "entry_absent"
  | "keys_absent"
  | "overloaded"
  | "deadline"
  | "unavailable"
  | "internal"

export interface Problem {
  readonly status: number
  readonly error: ProblemCode
  readonly message: string
  readonly seq?: number
  /** What can be asked for instead, where that is the point. */
  readonly served?: Option.Option<ServedRange>
  readonly headers?: Readonly<Record<string, string>>
}

/** Seconds after which a client that was refused for load may come back. */
const retryAfterSeconds = "1"

export const overloaded = (message: string): Problem => ({
  status: 503,
  error: "overloaded",
  message,
  headers: { "retry-after": retryAfterSeconds }
})

export const badRequest = (message: string): Problem => ({ status: 400, error: "bad_request", message })

/** The response for a problem. */
export const toResponse = (problem: Problem): HttpServerResponse.HttpServerResponse => {
  const { status, error, message, seq, served, headers } = problem
  const body = {
    error,
    message,
    ...(seq === undefined ? {} : { seq }),
    ...(served === undefined ? {} : { served: Option.getOrNull(served) })
  }
  return HttpServerResponse.jsonUnsafe(body, { status, headers: { "cache-control": "no-store", ...headers } })
}

const describeServed = (served: Option.Option<ServedRange>): string =>
  Option.match(served, {
    onNone: () => "nothing is served yet",
    onSome: ({ floor, latest }) => `entries ${floor} to ${latest} are served`
  })

/** Fits a read error to what a client may see. Faults of the store are logged with all they say. */
export const fromReadError: (error: HistoryReadError) => Effect.Effect<Problem> = Effect.fnUntraced(function* (
  error: HistoryReadError
) {
  switch (error._tag) {
    case "EntryBelowFloor":
      return problemOfEntry(410, "below_floor", error, "is below the floor")
    case "EntryNotIngested":
      return problemOfEntry(404, "not_ingested", error, "is not ingested yet")
    case "KeysUndefined":
      return { status: 404, error: "no_keys", message: `Entries of domain ${error.domain} have no keys` }
    case "ViewsExhausted":
      return overloaded("Too many reads are in work")
    case "ViewExpired":
      return {
        status: 503,
        error: "deadline",
        message: "The read took longer than its view is kept",
        headers: { "retry-after": retryAfterSeconds }
      }
    case "HistoryRequestInvalid":
      return badRequest(`${error.field} is ${error.actual}, expected ${error.expected}`)
    case "EntryAbsent":
      yield* Effect.logError(error.message)
      return problemOfEntry(500, "entry_absent", error, "is missing from the store")
    case "KeysAbsent":
      yield* Effect.logError(error.message)
      return {
        status: 503,
        error: "keys_absent",
        message: `The keys of chunk ${error.chunk} are missing; if its entries are there they are being derived again`,
        headers: { "retry-after": retryAfterSeconds }
      }
    default: {
      const id = (yield* Random.nextIntBetween(0, 0x7fff_ffff)).toString(16).padStart(8, "0")
      yield* Effect.logError(`Request failed, id ${id}: ${error.message}`)
      return { status: 500, error: "internal", message: `The store could not be read; the log has more under id ${id}` }
    }
  }
})

/** No served entry has the key. */
export const keyNotFound = (key: Uint8Array, served: Option.Option<ServedRange>): Problem => ({
  status: 404,
  error: "key_not_found",
  message: `No entry has the key ${Hex.encode(key)}; ${describeServed(served)}`,
  served
})

const problemOfEntry = (
  status: number,
  error: ProblemCode,
  { seq, served }: { readonly seq: number; readonly served: Option.Option<ServedRange> },
  what: string
): Problem => ({ status, error, message: `Entry ${seq} ${what}; ${describeServed(served)}`, seq, served })
