import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Option } from "effect"
import { HttpServer } from "effect/http"
import fc from "fast-check"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import { History } from "../src/History.ts"
import * as Cursor from "../src/http/Cursor.ts"
import * as Frames from "../src/http/Frames.ts"
import * as HttpService from "../src/http/HttpService.ts"
import { defaults, type ServeOptions } from "../src/http/ServeOptions.ts"
import * as NodeHttp from "../src/live/NodeHttp.ts"
import * as ArrayHistory from "./support/ArrayHistory.ts"

interface Service {
  readonly url: string
  readonly get: (path: string, init?: RequestInit) => Effect.Effect<Response>
}

const serving = <A, E>(
  { history }: ArrayHistory.ArrayHistory,
  options: Partial<ServeOptions>,
  use: (service: Service) => Effect.Effect<A, E>
): Effect.Effect<A, unknown> => {
  const all: ServeOptions = { ...defaults, port: 0, ...options }
  const layer = HttpService.layer(all).pipe(
    Layer.provideMerge(NodeHttp.layer(all)),
    Layer.provide(Layer.succeed(History, history)),
    Layer.provide(NdjsonDomain.layer)
  )
  return Effect.gen(function* () {
    const server = yield* HttpServer.HttpServer
    const url = HttpServer.formatAddress(server.address)
    return yield* use({ url, get: (path, init) => Effect.promise(() => fetch(`${url}${path}`, init)) })
  }).pipe(Effect.provide(layer))
}

const text = (response: Response): Effect.Effect<string> => Effect.promise(() => response.text())
const json = (response: Response): Effect.Effect<Record<string, unknown>> =>
  Effect.promise(async () => (await response.json()) as Record<string, unknown>)
const lines = (count: number, first = 0): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `{"n":${first + index}}`)

describe("GET /v1/entries/{seq}", () => {
  it.live("gives the bytes of the entry, also to HEAD, and lets them be kept for ever", () =>
    serving(ArrayHistory.make(0, lines(5)), {}, ({ get }) =>
      Effect.gen(function* () {
        const response = yield* get("/v1/entries/3")
        assert.strictEqual(response.status, 200)
        assert.include(response.headers.get("cache-control"), "immutable")
        assert.strictEqual(yield* text(response), '{"n":3}')
        const head = yield* get("/v1/entries/3", { method: "HEAD" })
        assert.strictEqual(head.headers.get("content-length"), "7")
        const raw = yield* get("/v1/entries/3", { headers: { accept: "application/octet-stream" } })
        assert.strictEqual(raw.headers.get("content-type"), "application/octet-stream")
      })
    )
  )

  it.live("tells apart what is below the floor, not ingested yet and no number", () =>
    serving(ArrayHistory.make(10, lines(5, 10)), {}, ({ get }) =>
      Effect.gen(function* () {
        const below = yield* get("/v1/entries/9")
        assert.strictEqual(below.status, 410)
        assert.deepInclude(yield* json(below), { error: "below_floor", seq: 9, served: { floor: 10, latest: 14 } })
        const ahead = yield* get("/v1/entries/15")
        assert.strictEqual(ahead.status, 404)
        assert.deepInclude(yield* json(ahead), { error: "not_ingested", served: { floor: 10, latest: 14 } })
        for (const path of ["-1", "1.5", "0x1", "abc", "99999999999999999999", "%00", "1e3"]) {
          assert.strictEqual((yield* get(`/v1/entries/${path}`)).status, 400, path)
        }
      })
    )
  )
})

describe("GET /v1/entries", () => {
  it.live("gives pages whose cursors lead through everything, in both orders and at every page size", () =>
    serving(ArrayHistory.make(10, lines(23, 10)), {}, ({ get }) =>
      Effect.gen(function* () {
        for (const order of ["ascending", "descending"]) {
          for (const limit of [1, 2, 7, 23, 24]) {
            const seen: Array<string> = []
            let query = `order=${order}&from=11&to=30`
            for (let page = 0; page < 50; page++) {
              const response = yield* get(`/v1/entries?${query}&limit=${limit}`)
              assert.strictEqual(response.status, 200)
              seen.push(...(yield* text(response)).split("\n").filter((line) => line !== ""))
              const cursor = response.headers.get("icecore-next-cursor")
              if (cursor === null) break
              query = `cursor=${cursor}`
            }
            const expected = lines(20, 11)
            assert.deepStrictEqual(seen, order === "ascending" ? [...expected] : [...expected].reverse())
          }
        }
      })
    )
  )

  it.live("goes on behind the end once more has arrived, when no end was asked for", () => {
    const history = ArrayHistory.make(0, lines(3))
    return serving(history, {}, ({ get }) =>
      Effect.gen(function* () {
        const first = yield* get("/v1/entries")
        const cursor = first.headers.get("icecore-next-cursor")
        assert.isNotNull(cursor)
        const empty = yield* get(`/v1/entries?cursor=${cursor}`)
        assert.strictEqual(empty.status, 200)
        assert.strictEqual(yield* text(empty), "")
        assert.strictEqual(empty.headers.get("icecore-next-cursor"), cursor)
        history.entries.push(new TextEncoder().encode("late"))
        assert.strictEqual(yield* text(yield* get(`/v1/entries?cursor=${cursor}`)), "late\n")
      })
    )
  })

  it.live("gives nothing for an empty log and an error for what lies ahead of it", () =>
    serving(ArrayHistory.make(0, []), {}, ({ get }) =>
      Effect.gen(function* () {
        const response = yield* get("/v1/entries")
        assert.strictEqual(response.status, 200)
        assert.strictEqual(yield* text(response), "")
        assert.strictEqual((yield* get("/v1/entries?from=4")).status, 404)
      })
    )
  )

  it.live("ends a page at the size limit, but never before its first entry", () =>
    serving(
      ArrayHistory.make(0, ["a".repeat(50), "b".repeat(50), "c".repeat(300), "d"]),
      { maxResponseBytes: 100 },
      ({ get }) =>
        Effect.gen(function* () {
          const counts: Array<number> = []
          let query = "order=ascending&to=3"
          for (let page = 0; page < 10; page++) {
            const response = yield* get(`/v1/entries?${query}`)
            counts.push(Number(response.headers.get("icecore-count")))
            const cursor = response.headers.get("icecore-next-cursor")
            if (cursor === null) break
            query = `cursor=${cursor}`
          }
          assert.deepStrictEqual(counts, [2, 1, 1])
        })
    )
  )

  it.live("frames entries on request and ends with their count", () =>
    serving(ArrayHistory.make(7, ["one", ""]), {}, ({ get }) =>
      Effect.gen(function* () {
        const response = yield* get("/v1/entries", { headers: { accept: Frames.mediaType } })
        const bytes = Buffer.from(yield* Effect.promise(() => response.arrayBuffer()))
        assert.strictEqual(
          bytes.toString("hex"),
          "0700000000000000" + "03000000" + "6f6e65" + "0800000000000000" + "00000000" + "ffffffffffffffff" + "02000000"
        )
        assert.strictEqual((yield* get("/v1/entries", { headers: { accept: "text/html" } })).status, 406)
      })
    )
  )

  it.live("refuses parameters that are unknown, doubled, contradictory or out of bounds", () =>
    serving(ArrayHistory.make(0, lines(5)), {}, ({ get }) =>
      Effect.gen(function* () {
        const cursor = Cursor.encode({ order: "ascending", from: Option.none(), to: Option.none(), after: 1 })
        const bad = [
          "form=1",
          "from=1&from=2",
          "from=3&to=2",
          "limit=0",
          "limit=1001",
          "limit=x",
          "order=up",
          "from=-1",
          "from=",
          "cursor=",
          "cursor=AAAA",
          `cursor=${cursor}&from=1`,
          `cursor=${cursor}A`,
          `cursor=${cursor.slice(0, -1)}`
        ]
        for (const query of bad) {
          const response = yield* get(`/v1/entries?${query}`)
          assert.strictEqual(response.status, 400, query)
          assert.strictEqual((yield* json(response)).error, "bad_request")
        }
      })
    )
  )

  it.live("says what is available when a cursor fell below the floor", () =>
    serving(ArrayHistory.make(100, lines(5, 100)), {}, ({ get }) =>
      Effect.gen(function* () {
        const cursor = Cursor.encode({ order: "ascending", from: Option.none(), to: Option.none(), after: 50 })
        const response = yield* get(`/v1/entries?cursor=${cursor}`)
        assert.strictEqual(response.status, 410)
        assert.deepInclude(yield* json(response), { error: "below_floor", served: { floor: 100, latest: 104 } })
      })
    )
  )
})

describe("Cursor.decode", () => {
  it("reads what encode wrote and nothing that was altered", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.option(fc.maxSafeNat()),
        fc.option(fc.maxSafeNat()),
        fc.maxSafeNat(),
        fc.nat(247),
        (up, from, to, after, bit) => {
          const cursor: Cursor.Cursor = {
            order: up ? "ascending" : "descending",
            from: Option.fromNullOr(from),
            to: Option.fromNullOr(to),
            after
          }
          const encoded = Cursor.encode(cursor)
          assert.deepStrictEqual(Cursor.decode(encoded), Option.some(cursor))
          const bytes = Buffer.from(encoded, "base64url")
          bytes[bit >> 3]! ^= 1 << (bit & 7)
          assert.isTrue(Option.isNone(Cursor.decode(bytes.toString("base64url"))))
        }
      ),
      { numRuns: 2_000 }
    )
  })

  it("keeps its bytes", () => {
    const cursor: Cursor.Cursor = { order: "descending", from: Option.some(2), to: Option.none(), after: 7 }
    assert.strictEqual(
      Buffer.from(Cursor.encode(cursor), "base64url").subarray(0, 27).toString("hex"),
      `010101${"07"}${"00".repeat(7)}${"02"}${"00".repeat(7)}${"00".repeat(8)}`
    )
  })
})

describe("HttpService", () => {
  it.live("answers health, readiness and status, and hides paths", () =>
    serving(ArrayHistory.make(0, lines(2)), {}, ({ get }) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* get("/healthz")).status, 200)
        assert.deepInclude(yield* json(yield* get("/readyz")), { status: "ready" })
        const body = yield* text(yield* get("/v1/status"))
        assert.include(body, '"served":{"floor":0,"latest":1}')
        assert.deepStrictEqual(Object.keys(JSON.parse(body)), [
          "version",
          "served",
          "nextSeq",
          "liveChunk",
          "chunks",
          "source",
          "ingestion",
          "freezing",
          "stages",
          "retention",
          "keys",
          "builds",
          "geometry",
          "domain",
          "engines",
          "freeSpaceBytes"
        ])
        assert.notInclude(body, "/secret")
      })
    )
  )

  it.live("tells a wrong path from a wrong method", () =>
    serving(ArrayHistory.make(0, lines(2)), {}, ({ get }) =>
      Effect.gen(function* () {
        const missing = yield* get("/v2/entries")
        assert.strictEqual(missing.status, 404)
        assert.strictEqual((yield* json(missing)).error, "not_found")
        const method = yield* get("/v1/entries", { method: "DELETE" })
        assert.strictEqual(method.status, 405)
        assert.strictEqual(method.headers.get("allow"), "GET, HEAD")
      })
    )
  )

  it.live("asks for the token on every route but health and readiness", () =>
    serving(ArrayHistory.make(0, lines(2)), { token: Option.some("s3cret") }, ({ get }) =>
      Effect.gen(function* () {
        const status = (path: string, authorization?: string): Effect.Effect<number> =>
          Effect.map(get(path, authorization === undefined ? {} : { headers: { authorization } }), (r) => r.status)
        assert.strictEqual(yield* status("/v1/entries/0"), 401)
        assert.strictEqual(yield* status("/v1/entries/0", "Bearer wrong"), 401)
        assert.strictEqual(yield* status("/v1/entries/0", "Basic s3cret"), 401)
        assert.strictEqual(yield* status("/v1/nothing"), 401)
        assert.strictEqual(yield* status("/v1/entries/0", "Bearer s3cret"), 200)
        assert.strictEqual(yield* status("/v1/entries/0", "bearer s3cret"), 200)
        assert.strictEqual(yield* status("/healthz"), 200)
        assert.strictEqual(yield* status("/readyz"), 200)
      })
    )
  )

  it.live("takes a token of several words", () =>
    serving(ArrayHistory.make(0, lines(2)), { token: Option.some("open sesame") }, ({ get }) =>
      Effect.gen(function* () {
        const status = (authorization: string): Effect.Effect<number> =>
          Effect.map(get("/v1/entries/0", { headers: { authorization } }), (r) => r.status)
        assert.strictEqual(yield* status("Bearer open sesame"), 200)
        assert.strictEqual(yield* status("Bearer open"), 401)
      })
    )
  )

  it.live("refuses to open a store to a network without a token", () =>
    Effect.gen(function* () {
      const history = ArrayHistory.make(0, [])
      const error = yield* Effect.flip(serving(history, { host: "0.0.0.0" }, () => Effect.void))
      assert.propertyVal(error, "_tag", "ServeInsecure")
      yield* serving(history, { host: "0.0.0.0", insecure: true }, () => Effect.void)
      yield* serving(history, { host: "0.0.0.0", token: Option.some("x") }, () => Effect.void)
    })
  )

  it.live("names an address that is in use", () =>
    serving(ArrayHistory.make(0, []), {}, ({ url }) =>
      Effect.gen(function* () {
        const port = Number(new URL(url).port)
        const error = yield* Effect.flip(serving(ArrayHistory.make(0, []), { port }, () => Effect.void))
        assert.propertyVal(error, "_tag", "ServeFailed")
        assert.include(String(error), "in use")
      })
    )
  )

  it.live("answers 503 at the deadline and for more requests than it takes", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const history = ArrayHistory.make(0, lines(2), Deferred.await(gate))
      yield* serving(history, { deadlineMillis: 700, maxRequests: 2 }, ({ get }) =>
        Effect.gen(function* () {
          const responses = yield* Effect.forEach([0, 1, 0, 1], (seq) => get(`/v1/entries/${seq}`), {
            concurrency: "unbounded"
          })
          const bodies = yield* Effect.forEach(responses, json)
          assert.sameMembers(
            bodies.map(({ error }) => error),
            ["overloaded", "overloaded", "deadline", "deadline"]
          )
          for (const response of responses) {
            assert.strictEqual(response.status, 503)
            assert.strictEqual(response.headers.get("retry-after"), "1")
          }
          yield* Deferred.succeed(gate, undefined)
          assert.strictEqual((yield* get("/v1/entries/0")).status, 200)
        })
      )
    })
  )

  it.live(
    "answers 50,000 mutated requests without an internal error",
    () =>
      serving(ArrayHistory.make(3, lines(9, 3)), {}, ({ get }) =>
        Effect.gen(function* () {
          const cursor = Cursor.encode({ order: "ascending", from: Option.some(3), to: Option.some(9), after: 5 })
          const seeds = [
            "/v1/entries/5",
            "/v1/entries?from=3&to=9&limit=4&order=descending",
            `/v1/entries?cursor=${cursor}`,
            "/v1/status",
            "/healthz",
            "/readyz"
          ]
          const piece = fc.oneof(
            fc.constantFrom(
              "%",
              "%2",
              "%00",
              "%ff",
              "/",
              "//",
              "?",
              "&",
              "=",
              "..",
              ";",
              "+",
              "9".repeat(40),
              "é",
              "a"
            ),
            fc.string({ maxLength: 3 })
          )
          const mutated = fc.sample(
            fc.tuple(
              fc.constantFrom(...seeds),
              fc.array(fc.tuple(fc.nat(60), fc.nat(3), piece), { minLength: 1, maxLength: 4 })
            ),
            { numRuns: 50_000, seed: 11 }
          )
          const counts = new Map<number, number>()
          yield* Effect.forEach(
            mutated,
            ([seed, edits]) =>
              Effect.gen(function* () {
                let path = seed
                for (const [at, cut, insert] of edits) {
                  const position = Math.min(at, path.length)
                  path = path.slice(0, position) + insert + path.slice(position + cut)
                }
                const response = yield* get(`/${path.replace(/^\/+/, "").replace(/[^!-~]|[#\\]/g, "_")}`)
                yield* text(response)
                counts.set(response.status, (counts.get(response.status) ?? 0) + 1)
              }),
            { concurrency: 8, discard: true }
          )
          for (const status of counts.keys()) assert.include([200, 400, 404, 405, 410], status)
          assert.isAbove(counts.get(200) ?? 0, 100)
          assert.isAbove(counts.get(400) ?? 0, 1_000)
        })
      ),
    300_000
  )
})
