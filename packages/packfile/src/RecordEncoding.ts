/**
 * How the payload of a record is stored: the door through which compression enters a packfile.
 *
 * The format keeps no name of it: reader and writer agree on it, for which the trailer has the caller's `format` number.
 */
import { Data, type Effect } from "effect"

/** What a decoded payload may measure. */
export interface PayloadBound {
  /** The exact size in bytes, when the record says it (more than one item per record). */
  readonly expectedSizeBytes?: number
  /** Inclusive bound in bytes, to be checked before anything is allocated. */
  readonly maxSizeBytes: number
}

/** The encoding could not encode a payload. */
export class RecordEncodeFailed extends Data.Error<{ readonly detail: string; readonly cause?: unknown }> {
  readonly _tag = "RecordEncodeFailed"
  override readonly name = "RecordEncodeFailed"
  override get message(): string {
    return `Cannot encode record: ${this.detail}`
  }
}

/** The stored bytes do not decode, or not within the bound (`overLimit`, with the size they declare). */
export class RecordDecodeFailed extends Data.Error<{
  readonly detail: string
  readonly overLimitSizeBytes?: number
  readonly cause?: unknown
}> {
  readonly _tag = "RecordDecodeFailed"
  override readonly name = "RecordDecodeFailed"
  override get message(): string {
    return `Cannot decode record: ${this.detail}`
  }
}

export interface RecordEncoding {
  /** How messages call it. */
  readonly name: string
  /**
   * Called for several payloads at once. The payload must not be changed, and may be reused when the effect has completed;
   * the result belongs to the writer.
   */
  readonly encode: (payload: Uint8Array) => Effect.Effect<Uint8Array, RecordEncodeFailed>
  /**
   * The inverse. Must allocate nothing sized by the stored bytes before it is checked against the bound. The stored bytes
   * must not be changed; the result belongs to the reader.
   */
  readonly decode: (stored: Uint8Array, bound: PayloadBound) => Effect.Effect<Uint8Array, RecordDecodeFailed>
  /** Run once by the writer when its scope closes, after the last `encode`. An encoding to be shared does nothing here. */
  readonly release: Effect.Effect<void>
}
