import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Stream } from "effect"
import { HttpServer, HttpServerResponse } from "effect/http"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import { History } from "../src/History.ts"
import * as HttpService from "../src/http/HttpService.ts"
import { defaults, type ServeOptions } from "../src/http/ServeOptions.ts"
import * as NodeHttp from "../src/live/NodeHttp.ts"
import * as ArrayHistory from "./support/ArrayHistory.ts"

interface Answer {
  readonly text: string
  readonly millis: number
  readonly isClosed: boolean
}

interface RawOptions {
  /** Send one byte every so many milliseconds, for ever. */
  readonly dribbleMillis?: number
  /** Give up after this long. */
  readonly patienceMillis?: number
}

const raw = (
  port: number,
  bytes: string,
  { dribbleMillis, patienceMillis = 6_000 }: RawOptions = {}
): Effect.Effect<Answer> =>
  Effect.callback<Answer>((resume) => {
    const start = performance.now()
    const socket = connect(port, "127.0.0.1")
    let text = ""
    let sent = 0
    const timers: Array<ReturnType<typeof setTimeout>> = []
    const finish = (isClosed: boolean): void => {
      for (const timer of timers) clearInterval(timer)
      socket.destroy()
      resume(Effect.succeed({ text, millis: performance.now() - start, isClosed }))
    }
    socket.on("data", (data) => {
      text += data.toString("latin1")
    })
    socket.on("error", () => {})
    socket.on("close", () => finish(true))
    socket.on("connect", () => {
      if (dribbleMillis === undefined) socket.write(bytes)
      else timers.push(setInterval(() => socket.write(bytes[sent++ % bytes.length]!), dribbleMillis))
    })
    timers.push(setTimeout(() => finish(false), patienceMillis))
  })

const serving = <A, E>(
  options: Partial<ServeOptions>,
  use: (port: number) => Effect.Effect<A, E>,
  history: ArrayHistory.ArrayHistory = ArrayHistory.make(0, ["zero", "one"])
): Effect.Effect<A, unknown> => {
  const all: ServeOptions = { ...defaults, port: 0, deadlineMillis: 1_500, ...options }
  const layer = HttpService.layer(all).pipe(
    Layer.provideMerge(NodeHttp.layer(all)),
    Layer.provide(Layer.succeed(History, history.history)),
    Layer.provide(NdjsonDomain.layer)
  )
  return Effect.flatMap(HttpServer.HttpServer, (server) =>
    use(Number(new URL(HttpServer.formatAddress(server.address)).port))
  ).pipe(Effect.provide(layer))
}

const head = "GET /v1/entries/1 HTTP/1.1\r\nHost: a\r\n"
const plain = `${head}Connection: close\r\n\r\n`

const answersOthers = (port: number): Effect.Effect<void> =>
  Effect.map(raw(port, plain), ({ text }) => assert.match(text, /^HTTP\/1\.1 200 [\s\S]*one$/))

describe("NodeHttp", () => {
  it.live("answers a request that came before anyone served", () =>
    Effect.gen(function* () {
      const server = yield* HttpServer.HttpServer
      const port = Number(new URL(HttpServer.formatAddress(server.address)).port)
      const early = yield* Effect.forkChild(raw(port, plain))
      yield* Effect.sleep("200 millis")
      yield* server.serve(Effect.succeed(HttpServerResponse.text("one")))
      assert.match((yield* Fiber.join(early)).text, /^HTTP\/1\.1 200 [\s\S]*one$/)
      yield* answersOthers(port)
    }).pipe(Effect.scoped, Effect.provide(NodeHttp.layer({ ...defaults, port: 0 })))
  )

  it.live("refuses heads that are too large, malformed or ambiguous", () =>
    serving({}, (port) =>
      Effect.gen(function* () {
        const status = (bytes: string): Effect.Effect<string> =>
          Effect.map(raw(port, bytes, { patienceMillis: 2_500 }), ({ text }) => text.slice(9, 12))
        assert.strictEqual(yield* status(`${head}X: ${"a".repeat(17_000)}\r\n\r\n`), "431")
        assert.strictEqual(yield* status(`GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), "431")
        assert.strictEqual(yield* status("\u0000\u0001garbage\r\n\r\n"), "400")
        assert.strictEqual(
          yield* status(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
          ),
          "400"
        )
        assert.strictEqual(
          yield* status("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
          "400"
        )
        yield* answersOthers(port)
      })
    )
  )

  it.live("refuses a body that is too large, declared or not, without reading it", () =>
    serving({ maxBodyBytes: 1_000 }, (port) =>
      Effect.gen(function* () {
        const declared = yield* raw(
          port,
          `POST /v1/entries HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n${"a".repeat(2_000)}`
        )
        assert.strictEqual(declared.text.slice(9, 12), "413")
        const chunk = `800\r\n${"a".repeat(0x800)}\r\n`
        const chunked = yield* raw(
          port,
          `POST /v1/entries HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(200)}`
        )
        assert.match(chunked.text, /^HTTP\/1\.1 4/)
        assert.isTrue(chunked.isClosed)
        yield* answersOthers(port)
      })
    )
  )

  it.live("gives up on heads, bodies and connections that make no way, and answers others meanwhile", () =>
    serving({}, (port) =>
      Effect.gen(function* () {
        const slow = yield* Effect.all(
          [
            raw(port, `${head}X-${"a".repeat(40)}`, { dribbleMillis: 100 }),
            raw(port, "POST /v1/entries HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc"),
            raw(port, ""),
            Effect.as(answersOthers(port), undefined)
          ],
          { concurrency: "unbounded" }
        )
        for (const answer of slow) {
          if (answer === undefined) continue
          assert.isTrue(answer.isClosed)
          assert.isBelow(answer.millis, 4_500)
        }
      })
    )
  )

  it.live("closes connections over the cap and takes new ones once others have gone", () =>
    serving({ maxConnections: 5 }, (port) =>
      Effect.gen(function* () {
        const sockets: Array<Socket> = []
        for (let count = 0; count < 5; count++) {
          sockets.push(
            yield* Effect.callback<Socket>((resume) => {
              // Bun asks the kernel to keep a connection back until its first bytes, so a silent one does not count.
              const socket = connect(port, "127.0.0.1", () =>
                socket.write("GET /", () => resume(Effect.succeed(socket)))
              )
              socket.on("error", () => {})
            })
          )
        }
        yield* Effect.sleep(50)
        const refused = yield* raw(port, plain)
        assert.isTrue(refused.isClosed)
        assert.notInclude(refused.text, "200 OK")
        for (const socket of sockets) socket.destroy()
        yield* Effect.sleep(100)
        yield* answersOthers(port)
      })
    )
  )

  it.live("stops within ten seconds whatever clients do", () =>
    Effect.gen(function* () {
      const start = yield* Clock.currentTimeMillis
      const sockets: Array<Socket> = []
      yield* serving({ deadlineMillis: 60_000 }, (port) =>
        Effect.gen(function* () {
          for (const bytes of [
            "",
            plain.replace("close", "keep-alive"),
            "GET / HTT",
            `${head}Content-Length: 50\r\n\r\nabc`
          ]) {
            const socket = connect(port, "127.0.0.1", () => socket.write(bytes))
            socket.on("error", () => {})
            sockets.push(socket)
          }
          yield* Effect.sleep(200)
        })
      )
      assert.isBelow((yield* Clock.currentTimeMillis) - start, 10_000)
      for (const socket of sockets) socket.destroy()
    })
  )

  it.live("holds one page at most for a client that does not read, and lets it go", () => {
    const big = ArrayHistory.make(
      0,
      Array.from({ length: 64 }, () => "x".repeat(200_000))
    )
    let pulled = 0
    const counted: ArrayHistory.ArrayHistory = {
      ...big,
      history: {
        ...big.history,
        range: (options) =>
          Stream.tap(big.history.range(options), (batch) => Effect.sync(() => (pulled += batch.length)))
      }
    }
    return serving(
      { maxResponseBytes: 2_000_000 },
      (port) =>
        Effect.gen(function* () {
          const socket = connect(port, "127.0.0.1", () => socket.write("GET /v1/entries HTTP/1.1\r\nHost: a\r\n\r\n"))
          socket.pause()
          socket.on("error", () => {})
          yield* Effect.sleep(500)
          assert.isBelow(pulled, 15)
          yield* answersOthers(port).pipe(Effect.ignoreCause)
          const closed = Effect.callback<void>((resume) => {
            socket.on("close", () => resume(Effect.void))
            socket.resume()
          })
          yield* Effect.sleep(3_500)
          yield* Effect.timeout(closed, 3_000)
        }),
      counted
    )
  })
})
