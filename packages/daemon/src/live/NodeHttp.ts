/**
 * The HTTP server on `node:http`, which Bun, Node and Deno have.
 *
 * `Bun.serve` answers several times faster, but it can neither bound its connections nor the time that a request head may
 * take, so it would leave a daemon open to anyone who sends slowly. Limits come first.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { NodeHttpServer } from "@effect/platform-node"
import { Duration, Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import { checkExposure, ServeFailed, type ServeInsecure, type ServeOptions } from "../http/ServeOptions.ts"

/** How long requests in work may take to end once the server stops. */
const gracefulStop: Duration.Duration = Duration.seconds(4)

const connectionsCheckMillis = 500

const overloadedAnswer =
  "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

const makeServer = (options: ServeOptions): Server => {
  const server = createServer({
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: options.deadlineMillis,
    requestTimeout: options.deadlineMillis,
    keepAliveTimeout: options.deadlineMillis,
    connectionsCheckingInterval: connectionsCheckMillis
  })
  // A response that its reader does not take is given up after as long again as it may take to make.
  server.timeout = 2 * options.deadlineMillis
  boundConnections(server, options.maxConnections)
  keepEarlyRequests(server)
  return server
}

/** Counted by hand, because not every runtime honours `server.maxConnections`. */
const boundConnections = (server: Server, maxConnections: number): void => {
  let count = 0
  server.on("connection", (socket: Socket) => {
    if (count >= maxConnections) {
      socket.end(overloadedAnswer)
      socket.destroySoon()
      return
    }
    count++
    socket.once("close", () => {
      count--
    })
  })
}

/** Requests that come after the server listens and before anyone serves are kept for who does: nobody else would answer them. */
const keepEarlyRequests = (server: Server): void => {
  const early: Array<readonly [IncomingMessage, ServerResponse]> = []
  const keep = (request: IncomingMessage, response: ServerResponse): void => {
    early.push([request, response])
  }
  const handOver = (event: string | symbol): void => {
    if (event !== "request") return
    server.off("newListener", handOver)
    server.off("request", keep)
    // The listener is there only after this event.
    queueMicrotask(() => {
      for (const [request, response] of early) server.emit("request", request, response)
    })
  }
  server.on("request", keep)
  server.on("newListener", handOver)
}

/** Listens for as long as the layer lives. Stops within about five seconds, whatever clients do. */
export const layer = (options: ServeOptions): Layer.Layer<HttpServer.HttpServer, ServeFailed | ServeInsecure> =>
  Layer.effect(
    HttpServer.HttpServer,
    Effect.gen(function* () {
      yield* checkExposure(options)
      const nodeServer = makeServer(options)
      const server = yield* NodeHttpServer.make(() => nodeServer, {
        host: options.host,
        port: options.port,
        gracefulShutdownTimeout: gracefulStop
      }).pipe(
        Effect.mapError(
          (error) => new ServeFailed({ host: options.host, port: options.port, detail: describe(error.cause) })
        )
      )
      yield* Effect.addFinalizer(() => Effect.sync(() => nodeServer.closeAllConnections()))
      return server
    })
  )

const describe = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined
  return code === "EADDRINUSE" ? "the address is in use (EADDRINUSE)" : (code ?? String(cause))
}
