/**
 * Bounds of the HTTP service. Each has a default; none can be switched off.
 */
import { Data, Effect, Option } from "effect"

export interface ServeOptions {
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host: string
  /** Port to listen on; 0 lets the system choose. Default 7420. */
  readonly port: number
  /** Bearer token that every request but `/healthz` and `/readyz` must carry. Default none. */
  readonly token: Option.Option<string>
  /** Whether a non-loopback host may be used without a token. Default false. */
  readonly insecure: boolean
  /** Connections open at once; more are closed at once. Default 512. */
  readonly maxConnections: number
  /** Requests in work at once; more get 503 with `Retry-After`. Default 256. */
  readonly maxRequests: number
  /** Pages of entries in work at once, each up to `maxResponseBytes` in memory; more get 503. Default 32. */
  readonly maxPages: number
  /** Largest request body in bytes. Default 1 MiB. */
  readonly maxBodyBytes: number
  /** Largest request line and headers in bytes. Default 16 KiB. */
  readonly maxHeaderBytes: number
  /** Bytes of entries after which a page ends; one longer entry is a page of its own. Default 8 MiB. */
  readonly maxResponseBytes: number
  /** Entries in a page. Default 1,000. */
  readonly maxRows: number
  /** Milliseconds until a request must have arrived whole, and again until it must be answered. Default 10,000. */
  readonly deadlineMillis: number
  /** Names the store in the header {@link storeHeader} of every answer. Default none. */
  readonly storeId: Option.Option<string>
}

/** By this header a client that knows the store sees that it asks the service that has it. */
export const storeHeader = "icecore-store"

export const defaults: ServeOptions = {
  host: "127.0.0.1",
  port: 7420,
  token: Option.none(),
  insecure: false,
  maxConnections: 512,
  maxRequests: 256,
  maxPages: 32,
  maxBodyBytes: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxResponseBytes: 8 * 1024 * 1024,
  maxRows: 1_000,
  deadlineMillis: 10_000,
  storeId: Option.none()
}

/** The service would be open to a network without a token. */
export class ServeInsecure extends Data.Error<{ readonly host: string }> {
  readonly _tag = "ServeInsecure"
  override readonly name = "ServeInsecure"
  override get message(): string {
    return `Cannot serve on ${this.host}: it is not a loopback address and no token is set; set serve.token, or serve.insecure to allow it`
  }
}

/** The address cannot be listened on. */
export class ServeFailed extends Data.Error<{
  readonly host: string
  readonly port: number
  readonly detail: string
}> {
  readonly _tag = "ServeFailed"
  override readonly name = "ServeFailed"
  override get message(): string {
    return `Cannot serve on ${this.host}, port ${this.port}: ${this.detail}`
  }
}

/** Whether only this machine can reach the host. A name is taken to be remote, except `localhost`. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)

/** Fails when the options would open the store to a network by accident. */
export const checkExposure = (options: ServeOptions): Effect.Effect<void, ServeInsecure> =>
  isLoopback(options.host) || Option.isSome(options.token) || options.insecure
    ? Effect.void
    : Effect.fail(new ServeInsecure({ host: options.host }))
