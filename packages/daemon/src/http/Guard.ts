/**
 * What stands before every route: the token, the size of the body, how many requests are in work, and the deadline. Whatever
 * comes out is a response.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { Cause, Effect, Option, Semaphore } from "effect"
import { HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as BackupRoute from "./BackupRoute.ts"
import * as Problem from "./Problem.ts"
import { openPaths, paths } from "./Routes.ts"
import { type ServeOptions, storeHeader } from "./ServeOptions.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Puts the bounds around an application. */
export const make: (
  options: ServeOptions
) => Effect.Effect<
  <E, R>(app: Effect.Effect<Response, E, R>) => Effect.Effect<Response, never, R | HttpServerRequest.HttpServerRequest>
> = Effect.fnUntraced(function* (options: ServeOptions) {
  const requests = yield* Semaphore.make(options.maxRequests)
  const sign = Option.match(options.storeId, {
    onNone: () => (response: Response) => response,
    onSome: (id) => HttpServerResponse.setHeader(storeHeader, id)
  })
  return <E, R>(app: Effect.Effect<Response, E, R>) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const refusal = refuse(request, options)
      if (refusal !== undefined) return Effect.succeed(sign(Problem.toResponse(refusal)))
      return app.pipe(
        Effect.timeoutOrElse({
          duration: options.deadlineMillis,
          orElse: () => Effect.succeed(Problem.toResponse(missedDeadline(options)))
        }),
        requests.withPermitsIfAvailable(1),
        Effect.map(Option.getOrElse(() => Problem.toResponse(Problem.overloaded("Too many requests are in work")))),
        Effect.catchCause((cause) => answerFailure(request, cause)),
        Effect.map(sign)
      )
    })
})

const pathOf = (request: HttpServerRequest.HttpServerRequest): string => request.url.split("?", 1)[0]!

const refuse = (request: HttpServerRequest.HttpServerRequest, options: ServeOptions): Problem.Problem | undefined => {
  if (Option.isSome(options.token) && !openPaths.includes(pathOf(request)) && !isBearer(request, options.token.value))
    return {
      status: 401,
      error: "unauthorized",
      message: "This service asks for a bearer token",
      headers: { "www-authenticate": "Bearer" }
    }
  if (Number(request.headers["content-length"] ?? 0) > options.maxBodyBytes)
    return {
      status: 413,
      error: "body_too_large",
      message: `A body may have at most ${options.maxBodyBytes} bytes`,
      headers: { connection: "close" }
    }
  return undefined
}

/** Hashing both first makes the comparison take as long for every wrong token, whatever its length. */
const isBearer = (request: HttpServerRequest.HttpServerRequest, token: string): boolean => {
  const [, scheme = "", given = ""] = /^(\S+) +(.*)$/.exec(request.headers.authorization ?? "") ?? []
  const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest()
  return scheme.toLowerCase() === "bearer" && timingSafeEqual(digest(given), digest(token))
}

const missedDeadline = (options: ServeOptions): Problem.Problem => ({
  status: 503,
  error: "deadline",
  message: `The answer took longer than ${options.deadlineMillis} milliseconds`,
  headers: { "retry-after": "1" }
})

const answerFailure = (
  request: HttpServerRequest.HttpServerRequest,
  cause: Cause.Cause<unknown>
): Effect.Effect<Response> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
  const error = Cause.squash(cause)
  if (error instanceof HttpServerError.HttpServerError && error.reason._tag === "RouteNotFound")
    return Effect.succeed(Problem.toResponse(noRoute(request)))
  if (error instanceof HttpServerError.HttpServerError && error.reason._tag === "RequestParseError")
    return Effect.succeed(Problem.toResponse(Problem.badRequest("The request cannot be read")))
  return Effect.as(
    Effect.logError("A request failed in a way that was not foreseen", cause),
    Problem.toResponse({ status: 500, error: "internal", message: "The request failed; the log says more" })
  )
}

const noRoute = (request: HttpServerRequest.HttpServerRequest): Problem.Problem => {
  if (pathOf(request) === BackupRoute.path && request.method !== "POST")
    return { status: 405, error: "method_not_allowed", message: "This resource takes POST", headers: { allow: "POST" } }
  const isKnown = paths.some((path) => path.test(pathOf(request)))
  return isKnown && request.method !== "GET" && request.method !== "HEAD"
    ? {
        status: 405,
        error: "method_not_allowed",
        message: "This resource takes GET and HEAD",
        headers: { allow: "GET, HEAD" }
      }
    : { status: 404, error: "not_found", message: "There is no such resource" }
}
