/**
 * `POST /v1/backup`: lets the daemon back its store up into a directory of its own machine.
 *
 * The body is `{"directory": "/absolute/path"}`. The answer is lines of JSON, at least one every second: `{"progress": …}`, and at the
 * end `{"report": …}` or `{"error": "…"}`. Closing the connection stops the backup, and removes what it has written.
 *
 * It writes where it is told to, so whoever asks must know the store: the request carries the name of the store in the header
 * {@link storeHeader}, which the one who may read the store's directory can tell, and a page in a browser cannot send. Beyond
 * loopback it takes a token as well.
 */
import { ByteSize, Effect, Layer, Option, Schedule, Schema, Stream } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Store } from "../Store.ts"
import type { BackupProgress } from "../StoreBackup.ts"
import * as Lines from "./Lines.ts"
import * as Problem from "./Problem.ts"
import { isLoopback, type ServeOptions, storeHeader } from "./ServeOptions.ts"

/** The one path that takes POST. */
export const path = "/v1/backup"

/** How often progress is told. */
const interval = "500 millis"

const maxBodyBytes = 16 * 1024

const Body = Schema.Struct({ directory: Schema.String })

/** The route, where there is a store to back up. */
export const layer = (options: ServeOptions): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const store = yield* Effect.serviceOption(Store)
      if (Option.isSome(store)) yield* router.add("POST", path, answer(store.value, options))
    })
  )

const answer = Effect.fnUntraced(function* (store: Store, options: ServeOptions) {
  const request = yield* HttpServerRequest.HttpServerRequest
  const isTrusted = isLoopback(options.host) || Option.isSome(options.token)
  const proof = Option.fromUndefinedOr(request.headers[storeHeader])
  const isProven = Option.exists(options.storeId, (id) => Option.contains(proof, id))
  if (!isTrusted || !isProven)
    return Problem.toResponse({
      status: 403,
      error: "forbidden",
      message: `A backup is made for those who name the store in the header ${storeHeader}`
    })
  const body = yield* HttpServerRequest.schemaBodyJson(Body).pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBodyBytes)),
    Effect.option
  )
  if (Option.isNone(body) || !body.value.directory.startsWith("/"))
    return Problem.toResponse(Problem.badRequest('The body must be {"directory": "/an/absolute/path"}'))
  return HttpServerResponse.stream(report(store, body.value.directory), {
    contentType: Lines.mediaType,
    headers: { "cache-control": "no-store" }
  })
})

const encoder = new TextEncoder()

const line = (value: unknown): Uint8Array => encoder.encode(`${JSON.stringify(value)}\n`)

const report = (store: Store, directory: string): Stream.Stream<Uint8Array> =>
  Stream.suspend(() => {
    let progress: BackupProgress = { phase: "copying", done: 0, total: 0 }
    const onProgress = (each: BackupProgress): void => {
      progress = each
    }
    const result = store.backup({ directory, onProgress }).pipe(
      Effect.match({
        onSuccess: (made) => line({ report: made }),
        onFailure: ({ message }) => line({ error: message })
      })
    )
    const ticks = Stream.map(Stream.fromSchedule(Schedule.spaced(interval)), () => line({ progress }))
    return Stream.merge(Stream.fromEffect(result), ticks, { haltStrategy: "left" })
  })
