/**
 * The routes, over {@link History}. What bounds them is in {@link import("./Guard.ts")}.
 */
import { Effect, Layer, Option, Result, Semaphore } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Domain } from "../Domain.ts"
import type { Entry } from "../Entry.ts"
import * as Explanation from "../Explanation.ts"
import { History, type HistoryReadError, type HistoryStatus } from "../History.ts"
import { version } from "../Version.ts"
import { negotiate } from "./Accept.ts"
import * as Cursor from "./Cursor.ts"
import * as EntriesPage from "./EntriesPage.ts"
import * as EntriesQuery from "./EntriesQuery.ts"
import * as EntryQuery from "./EntryQuery.ts"
import * as Frames from "./Frames.ts"
import * as Lines from "./Lines.ts"
import * as Problem from "./Problem.ts"
import type { ServeOptions } from "./ServeOptions.ts"

/** Paths that exist, for telling a wrong method from a wrong path. Every route takes GET and HEAD. */
export const paths: ReadonlyArray<RegExp> = [
  /^\/v1\/entries\/?$/,
  /^\/v1\/entries\/[^/]+\/?$/,
  /^\/v1\/keys\/[^/]+\/?$/,
  /^\/v1\/status\/?$/,
  /^\/healthz\/?$/,
  /^\/readyz\/?$/
]

/** Paths that are answered without a token. */
export const openPaths: ReadonlyArray<string> = ["/healthz", "/readyz"]

/** An entry never changes, so whoever has it need not ask again. */
const immutable = "private, max-age=31536000, immutable"

type Response = HttpServerResponse.HttpServerResponse

/** All routes. */
export const layer = (options: ServeOptions): Layer.Layer<never, never, HttpRouter.HttpRouter | History | Domain> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const history = yield* History
      const domain = yield* Domain
      const pages = yield* Semaphore.make(options.maxPages)
      yield* router.add(
        "GET",
        "/v1/entries/:seq",
        entry(domain.mediaType).pipe(Effect.provideService(History, history))
      )
      yield* router.add(
        "GET",
        "/v1/keys/:hex",
        entryOfKey(domain.mediaType).pipe(Effect.provideService(History, history))
      )
      yield* router.add(
        "GET",
        "/v1/entries",
        pages
          .withPermitsIfAvailable(1)(entries(domain.isLineSafe, options))
          .pipe(
            Effect.map(
              Option.getOrElse(() => Problem.toResponse(Problem.overloaded("Too many pages of entries are being read")))
            ),
            Effect.provideService(History, history)
          )
      )
      yield* router.add("GET", "/v1/status", status.pipe(Effect.provideService(History, history)))
      yield* router.add("GET", "/healthz", HttpServerResponse.jsonUnsafe({ status: "alive", version }))
      yield* router.add("GET", "/readyz", ready.pipe(Effect.provideService(History, history)))
    })
  )

const recover = <R>(effect: Effect.Effect<Response, HistoryReadError, R>): Effect.Effect<Response, never, R> =>
  Effect.catch(effect, (error) => Effect.map(Problem.fromReadError(error), Problem.toResponse))

type EntryRequest =
  | History
  | HttpRouter.RouteContext
  | HttpServerRequest.HttpServerRequest
  | HttpServerRequest.ParsedSearchParams

const entry = (mediaType: string): Effect.Effect<Response, never, EntryRequest> =>
  recover(
    Effect.gen(function* () {
      const { seq: text = "" } = yield* HttpRouter.params
      const seq = EntriesQuery.parseSeq(text)
      if (Option.isNone(seq)) return Problem.toResponse(Problem.badRequest("The path must end in a sequence number"))
      const query = EntryQuery.parse(yield* HttpServerRequest.ParsedSearchParams)
      if (Result.isFailure(query)) return Problem.toResponse(query.failure)
      const history = yield* History
      if (query.success.isExplained) return explained(yield* history.explain({ seq: seq.value }))
      const type = yield* typeOfEntry(mediaType)
      if (type === undefined) return notAcceptable(entryTypes(mediaType))
      return entryResponse({ seq: seq.value, bytes: yield* history.get(seq.value) }, type, immutable)
    })
  )

const entryOfKey = (mediaType: string): Effect.Effect<Response, never, EntryRequest> =>
  recover(
    Effect.gen(function* () {
      const { hex = "" } = yield* HttpRouter.params
      const key = EntryQuery.parseKey(hex)
      if (Option.isNone(key))
        return Problem.toResponse(Problem.badRequest("The path must end in a key of 64 hexadecimal digits"))
      const query = EntryQuery.parse(yield* HttpServerRequest.ParsedSearchParams)
      if (Result.isFailure(query)) return Problem.toResponse(query.failure)
      const history = yield* History
      if (query.success.isExplained) return explained(yield* history.explain({ key: key.value }))
      const type = yield* typeOfEntry(mediaType)
      if (type === undefined) return notAcceptable(entryTypes(mediaType))
      const served = yield* history.served
      const found = yield* history.find(key.value)
      if (Option.isNone(found)) return Problem.toResponse(Problem.keyNotFound(key.value, served))
      return entryResponse(found.value, type, "no-cache")
    })
  )

const entryTypes = (mediaType: string): ReadonlyArray<string> => [mediaType, "application/octet-stream"]

const typeOfEntry = (
  mediaType: string
): Effect.Effect<string | undefined, never, HttpServerRequest.HttpServerRequest> =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) => negotiate(headers.accept, entryTypes(mediaType)))

const entryResponse = ({ seq, bytes }: Entry, contentType: string, caching: string): Response =>
  HttpServerResponse.uint8Array(bytes, {
    contentType,
    headers: { "cache-control": caching, vary: "accept", "icecore-seq": String(seq) }
  })

/** Without paths: clients are not told where files lie. */
const explained = (explanation: Explanation.Explanation): Response =>
  HttpServerResponse.jsonUnsafe(Explanation.toJson(explanation, { paths: false }), {
    headers: { "cache-control": "no-store" }
  })

const entries = (
  isLineSafe: boolean,
  options: ServeOptions
): Effect.Effect<
  Response,
  never,
  History | HttpServerRequest.HttpServerRequest | HttpServerRequest.ParsedSearchParams
> =>
  recover(
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const offered = isLineSafe ? [Lines.mediaType, Frames.mediaType] : [Frames.mediaType]
      const type = negotiate(request.headers.accept, offered)
      if (type === undefined) return notAcceptable(offered)
      const query = EntriesQuery.parse(yield* HttpServerRequest.ParsedSearchParams, options.maxRows)
      if (Result.isFailure(query)) return Problem.toResponse(query.failure)
      const page = yield* EntriesPage.read(query.success, options.maxResponseBytes)
      const first = page.entries[0]
      return HttpServerResponse.uint8Array(
        type === Lines.mediaType ? Lines.encode(page.entries) : Frames.encode(page.entries),
        {
          contentType: type,
          headers: {
            "cache-control": "no-store",
            vary: "accept",
            "icecore-count": String(page.entries.length),
            ...(first === undefined ? {} : { "icecore-first-seq": String(first.seq) }),
            ...(Option.isNone(page.next) ? {} : { "icecore-next-cursor": Cursor.encode(page.next.value) })
          }
        }
      )
    })
  )

const notAcceptable = (offered: ReadonlyArray<string>): Response =>
  Problem.toResponse({
    status: 406,
    error: "not_acceptable",
    message: `This resource is offered as ${offered.join(" or ")}`
  })

/** The status as programs read it. */
export const statusBody = (status: HistoryStatus): unknown => ({
  version,
  served: Option.getOrNull(status.served),
  nextSeq: status.nextSeq,
  liveChunk: status.liveChunk,
  chunks: status.chunks,
  source: Option.getOrNull(Option.map(status.source, ({ name, tip }) => ({ name, tip: Option.getOrNull(tip) }))),
  ingestion: { state: status.ingestion.state, problem: Option.getOrNull(status.ingestion.problem) },
  freezing: { state: status.freezing.state, problem: Option.getOrNull(status.freezing.problem) },
  stages: status.stages.map(({ name, state, problem }) => ({ name, state, problem: Option.getOrNull(problem) })),
  retention: { ...status.retention, problem: Option.getOrNull(status.retention.problem) },
  keys: Option.getOrNull(status.keys),
  builds: status.builds,
  geometry: status.geometry,
  domain: status.domain,
  engines: status.engines,
  freeSpaceBytes: status.freeSpaceBytes
})

const status: Effect.Effect<Response, never, History> = recover(
  Effect.gen(function* () {
    const history = yield* History
    const current = yield* history.status
    const hide = <A extends { readonly problem: Option.Option<string> }>(part: A): A => ({
      ...part,
      problem: Option.map(part.problem, () => "see the log")
    })
    const shown: HistoryStatus = {
      ...current,
      ingestion: hide(current.ingestion),
      freezing: hide(current.freezing),
      stages: current.stages.map(hide),
      retention: hide(current.retention)
    }
    return HttpServerResponse.jsonUnsafe(statusBody(shown), { headers: { "cache-control": "no-store" } })
  })
)

const ready: Effect.Effect<Response, never, History> = Effect.gen(function* () {
  const history = yield* History
  return yield* Effect.match(history.status, {
    onFailure: () =>
      Problem.toResponse({ status: 503, error: "unavailable", message: "The store cannot be read; the log says why" }),
    onSuccess: ({ served }) => HttpServerResponse.jsonUnsafe({ status: "ready", served: Option.getOrNull(served) })
  })
})
