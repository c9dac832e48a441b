/**
 * A running daemon, asked over HTTP: what the reading commands use while the daemon holds the store.
 */
import type { Disk } from "@icecore/packfile"
import { Data, Effect, Option, Schema, Stream } from "effect"
import { Hex } from "effect/encoding"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import type { Config } from "../config/Config.ts"
import type { Entry } from "../Entry.ts"
import * as Explanation from "../Explanation.ts"
import * as Lines from "../http/Lines.ts"
import { storeHeader } from "../http/ServeOptions.ts"
import * as StoreId from "./StoreId.ts"

/** The daemon could not be asked. */
export class RemoteUnreachable extends Data.Error<{ readonly url: string; readonly detail: string }> {
  readonly _tag = "RemoteUnreachable"
  override readonly name = "RemoteUnreachable"
  override get message(): string {
    return `Cannot ask the daemon at ${this.url}: ${this.detail}`
  }
}

/** The daemon answered with a problem. */
export class RemoteRefused extends Data.Error<{
  readonly url: string
  readonly status: number
  readonly detail: string
}> {
  readonly _tag = "RemoteRefused"
  override readonly name = "RemoteRefused"
  override get message(): string {
    return `${this.detail} (${this.url} answered ${this.status})`
  }
}

export type RemoteError = RemoteUnreachable | RemoteRefused

/** Where the daemon of this configuration listens, as seen from this machine. */
export const urlOf = ({ serve: { address } }: Config): string => {
  const host = address.host === "0.0.0.0" ? "127.0.0.1" : address.host === "::" ? "::1" : address.host
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`
}

const ask: (
  config: Config,
  path: string,
  accept: string
) => Effect.Effect<HttpClientResponse.HttpClientResponse, RemoteError, HttpClient.HttpClient | Disk> =
  Effect.fnUntraced(function* (config: Config, path: string, accept: string) {
    const url = `${urlOf(config)}${path}`
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.get(url).pipe(
      HttpClientRequest.setHeader("accept", accept),
      Option.match(config.serve.token, {
        onNone: () => (self) => self,
        onSome: (token) => HttpClientRequest.bearerToken(token)
      })
    )
    const unreachable = (detail: string): RemoteUnreachable => new RemoteUnreachable({ url: urlOf(config), detail })
    const response = yield* client.execute(request).pipe(
      Effect.timeout(config.serve.deadline * 2),
      Effect.mapError((error) => unreachable(error.message))
    )
    // Another daemon may listen there, and its entries would pass for those of the store that is asked for.
    const expected = yield* Effect.mapError(StoreId.of(config.storage.dataDir), (error) => unreachable(error.message))
    const actual = Option.fromUndefinedOr(response.headers[storeHeader])
    const isOther = Option.isSome(actual) ? !Option.contains(expected, actual.value) : response.status === 200
    if (isOther) return yield* unreachable(`it serves another store than ${config.storage.dataDir}`)
    if (response.status === 200) return response
    const problem = yield* Effect.orElseSucceed(response.json, () => undefined)
    const message =
      typeof problem === "object" && problem !== null && "message" in problem ? problem.message : undefined
    return yield* new RemoteRefused({ url, status: response.status, detail: String(message ?? "No answer") })
  })

const bodyOf = (
  config: Config,
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<Uint8Array, RemoteUnreachable> =>
  Effect.mapBoth(response.arrayBuffer, {
    onFailure: (error) => new RemoteUnreachable({ url: urlOf(config), detail: error.message }),
    onSuccess: (buffer) => new Uint8Array(buffer)
  })

/** What names one entry. */
export type EntryName = { readonly seq: number } | { readonly key: Uint8Array }

const pathOf = (name: EntryName): string =>
  "key" in name ? `/v1/keys/${Hex.encode(name.key)}` : `/v1/entries/${name.seq}`

/** One entry. */
export const get = (config: Config, name: EntryName): Effect.Effect<Entry, RemoteError, HttpClient.HttpClient | Disk> =>
  Effect.flatMap(ask(config, pathOf(name), "application/octet-stream"), (response) =>
    Effect.map(bodyOf(config, response), (bytes) => ({ seq: Number(response.headers["icecore-seq"]), bytes }))
  )

/** How one entry is read. */
export const explain = (
  config: Config,
  name: EntryName
): Effect.Effect<Explanation.ExplanationJson, RemoteError, HttpClient.HttpClient | Disk> =>
  Effect.flatMap(askJson(config, `${pathOf(name)}?explain`), (body) =>
    Effect.mapError(
      Schema.decodeUnknownEffect(Explanation.ExplanationJson)(body),
      (error) => new RemoteUnreachable({ url: urlOf(config), detail: `its answer is no explanation: ${error.message}` })
    )
  )

/** Entries `from` to `to`, both inclusive, as lines. */
export const lines = (
  config: Config,
  range: { readonly from: number; readonly to: number }
): Stream.Stream<Uint8Array, RemoteError, HttpClient.HttpClient | Disk> =>
  Stream.paginate(`from=${range.from}&to=${range.to}`, (query) =>
    Effect.gen(function* () {
      const response = yield* ask(config, `/v1/entries?${query}`, Lines.mediaType)
      const body = yield* bodyOf(config, response)
      const next = Option.fromUndefinedOr(response.headers["icecore-next-cursor"])
      const isLast = response.headers["icecore-count"] === "0"
      return [[body], isLast ? Option.none() : Option.map(next, (cursor) => `cursor=${cursor}`)] as const
    })
  )

/** The body of `/v1/status`. */
export const status = (config: Config): Effect.Effect<unknown, RemoteError, HttpClient.HttpClient | Disk> =>
  askJson(config, "/v1/status")

const askJson = (config: Config, path: string): Effect.Effect<unknown, RemoteError, HttpClient.HttpClient | Disk> =>
  Effect.flatMap(ask(config, path, "application/json"), (response) =>
    Effect.mapError(response.json, (error) => new RemoteUnreachable({ url: urlOf(config), detail: error.message }))
  )
