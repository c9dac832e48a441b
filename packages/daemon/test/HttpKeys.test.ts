import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { Hex } from "effect/encoding"
import { HttpServer } from "effect/http"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import { History } from "../src/History.ts"
import * as HttpService from "../src/http/HttpService.ts"
import { defaults } from "../src/http/ServeOptions.ts"
import * as LogState from "../src/internal/LogState.ts"
import * as NodeHttp from "../src/live/NodeHttp.ts"
import * as ArrayHistory from "./support/ArrayHistory.ts"
import { type TierOptions, type Tiers, withTiers } from "./support/TierHarness.ts"
import { spread } from "./support/TierReads.ts"

type Get = (path: string, init?: RequestInit) => Effect.Effect<Response>

/** Serves a history, and asks it. */
const serving = <A, E>(history: History, use: (get: Get) => Effect.Effect<A, E>): Effect.Effect<A, unknown> => {
  const options = { ...defaults, port: 0 }
  const layer = HttpService.layer(options).pipe(
    Layer.provideMerge(NodeHttp.layer(options)),
    Layer.provide(Layer.succeed(History, history)),
    Layer.provide(NdjsonDomain.layer)
  )
  return Effect.flatMap(HttpServer.HttpServer, (server) => {
    const url = HttpServer.formatAddress(server.address)
    return use((path, init) => Effect.promise(() => fetch(`${url}${path}`, init)))
  }).pipe(Effect.provide(layer))
}

/** Serves 14 entries in all tiers. */
const servingTiers = <A, E>(
  options: TierOptions,
  use: (get: Get, tiers: Tiers) => Effect.Effect<A, E>
): Effect.Effect<A, unknown> =>
  withTiers(options, (tiers) =>
    Effect.gen(function* () {
      yield* spread(tiers)
      const history: History = {
        ...ArrayHistory.make(0, []).history,
        ...tiers.reads,
        served: Effect.sync(() => LogState.served(tiers.state))
      }
      return yield* serving(history, (get) => use(get, tiers))
    })
  )

const json = (response: Response): Effect.Effect<Record<string, unknown>> =>
  Effect.promise(async () => (await response.json()) as Record<string, unknown>)

const bytes = (response: Response): Effect.Effect<Uint8Array> =>
  Effect.promise(async () => new Uint8Array(await response.arrayBuffer()))

describe("GET /v1/keys/{hex}", () => {
  it.live("gives the entry that has the key, and its seq, with or without 0x and in any case", () =>
    servingTiers({}, (get, { keyOf, entryAt }) =>
      Effect.gen(function* () {
        for (const seq of [0, 5, 9, 13]) {
          const hex = Hex.encode(keyOf(`key ${seq}`))
          for (const text of [hex, `0x${hex}`, hex.toUpperCase()]) {
            const response = yield* get(`/v1/keys/${text}`)
            assert.strictEqual(response.status, 200)
            assert.deepStrictEqual(yield* bytes(response), entryAt(seq))
            assert.strictEqual(response.headers.get("icecore-seq"), String(seq))
            assert.strictEqual(response.headers.get("cache-control"), "no-cache")
            assert.strictEqual(response.headers.get("content-type"), "application/json")
          }
        }
        const head = yield* get(`/v1/keys/${Hex.encode(keyOf("key 1"))}`, { method: "HEAD" })
        assert.strictEqual(head.headers.get("icecore-seq"), "1")
      })
    )
  )

  it.live("tells apart a key that no entry has, no key, a wrong method and a domain without keys", () =>
    servingTiers({}, (get, { keyOf }) =>
      Effect.gen(function* () {
        const unknown = yield* get(`/v1/keys/${Hex.encode(keyOf("key 14"))}`)
        assert.strictEqual(unknown.status, 404)
        assert.deepInclude(yield* json(unknown), { error: "key_not_found", served: { floor: 0, latest: 13 } })
        for (const text of ["0", "a".repeat(63), "a".repeat(65), "g".repeat(64), `0x${"a".repeat(62)}`]) {
          const response = yield* get(`/v1/keys/${text}`)
          assert.strictEqual(response.status, 400)
          assert.strictEqual((yield* json(response)).error, "bad_request")
        }
        assert.strictEqual((yield* get(`/v1/keys/${"a".repeat(64)}`, { method: "POST" })).status, 405)
        assert.strictEqual((yield* get(`/v1/keys/${"a".repeat(64)}?exlpain`)).status, 400)
        yield* serving(ArrayHistory.make(0, ["{}"]).history, (getUnkeyed) =>
          Effect.gen(function* () {
            for (const query of ["", "?explain"]) {
              const response = yield* getUnkeyed(`/v1/keys/${"a".repeat(64)}${query}`)
              assert.strictEqual(response.status, 404)
              assert.deepStrictEqual(yield* json(response), {
                error: "no_keys",
                message: "Entries of domain ndjson have no keys"
              })
            }
          })
        )
      })
    )
  )

  it.live("answers 503 with Retry-After while as many reads as are allowed are open", () =>
    servingTiers({ views: { maxCount: 1 } }, (get, { keyOf, views }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        yield* Scope.provide(views.open, scope)
        for (const path of [`/v1/keys/${Hex.encode(keyOf("key 1"))}`, "/v1/entries/1", "/v1/entries"]) {
          const response = yield* get(path)
          assert.strictEqual(response.status, 503)
          assert.strictEqual(response.headers.get("retry-after"), "1")
          assert.strictEqual((yield* json(response)).error, "overloaded")
        }
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* get("/v1/entries/1")).status, 200)
      })
    )
  )

  it.live("does not say not found, nor where files lie, when the keys of a chunk are lost", () =>
    servingTiers({}, (get, { keyOf, catalog }) =>
      Effect.gen(function* () {
        yield* catalog.demote([{ _tag: "Chunk", chunk: 2 as never, kind: "keys" }])
        const response = yield* get(`/v1/keys/${Hex.encode(keyOf("key 1"))}`)
        assert.strictEqual(response.status, 503)
        assert.strictEqual(response.headers.get("retry-after"), "1")
        const body = yield* json(response)
        assert.strictEqual(body.error, "keys_absent")
        assert.notInclude(JSON.stringify(body), "/store")
      })
    )
  )
})

describe("?explain", () => {
  it.live("says which tiers were asked, without their paths", () =>
    servingTiers({}, (get, { keyOf, entryAt }) =>
      Effect.gen(function* () {
        const hex = Hex.encode(keyOf("key 5"))
        const response = yield* get(`/v1/keys/${hex}?explain`)
        assert.strictEqual(response.status, 200)
        assert.strictEqual(response.headers.get("cache-control"), "no-store")
        const body = yield* json(response)
        assert.notInclude(JSON.stringify(body), "/store")
        assert.deepStrictEqual(body, {
          request: { key: hex },
          answer: { seq: 5, sizeBytes: entryAt(5).length },
          served: { floor: 0, latest: 13 },
          readCount: 2,
          falsePositiveCount: 0,
          steps: [
            {
              tier: "hot",
              outcome: "no candidate",
              reason: "the keys of chunk 3 are not frozen yet",
              readCount: 1,
              name: "hot chunk 3"
            },
            {
              tier: "run",
              outcome: "no candidate",
              reason: "chunk 2 is frozen, and no index covers it yet",
              readCount: 0,
              name: "key run of chunk 2"
            },
            {
              tier: "index",
              outcome: "candidate",
              reason: "it covers chunks 0 to 1",
              readCount: 0,
              name: "key index of window 0, chunks 0 to 1",
              seq: 5
            },
            {
              tier: "pack",
              outcome: "answered",
              reason: "the entry has the key",
              readCount: 1,
              name: "pack of chunk 1",
              seq: 5
            }
          ]
        })
        const bySeq = yield* json(yield* get("/v1/entries/13?explain=true"))
        assert.deepInclude(bySeq, { request: { seq: 13 }, readCount: 1 })
        assert.strictEqual((yield* get("/v1/entries/13?explain=false")).headers.get("icecore-seq"), "13")
        const ahead = yield* json(yield* get("/v1/entries/99?explain"))
        assert.deepInclude(ahead, { answer: null, readCount: 0 })
        for (const query of ["explain=1", "explain&explain", "explained"])
          assert.strictEqual((yield* get(`/v1/entries/13?${query}`)).status, 400)
      })
    )
  )
})
