/**
 * Zstandard, one frame at a time, strict where the runtimes are not.
 *
 * A frame that {@link Zstd.compress} makes always declares its content size and carries the content checksum (RFC 8878,
 * sections 3.1.1.1.1 and 3.1.1), and {@link Zstd.decompress} accepts exactly one complete frame and nothing behind it,
 * whichever library is underneath.
 */
import { Context, Data, type Effect, type Result } from "effect"

/** Level used when none is asked for. */
export const defaultLevel = 3

/** Bytes a decoded frame may have when the caller sets no bound: 64 MiB. */
export const defaultMaxSizeBytes: number = 64 * 1024 * 1024

export interface CompressOptions {
  /** 1 (fast) to 22 (small). Default {@link defaultLevel}. */
  readonly level?: number
}

export interface DecompressOptions {
  /** The exact size in bytes that the frame must declare and yield. Without it any size up to `maxSizeBytes` is taken. */
  readonly expectedSizeBytes?: number
  /** Inclusive bound on the decoded size, checked before anything is allocated. Default {@link defaultMaxSizeBytes}. */
  readonly maxSizeBytes?: number
  /** Whether a frame without content checksum is refused, because damage to it may go unseen. Default `required`. */
  readonly checksum?: "required" | "optional"
}

/** Why a frame was refused. */
export type ZstdFault =
  /** Not a zstd frame: wrong magic, reserved bits, a skippable frame, or one that needs a dictionary. */
  | "header"
  /** The bytes end before the frame does. */
  | "truncated"
  /** Bytes follow the frame. */
  | "trailing"
  /** The declared or decoded size is not the expected one, or the header declares none. */
  | "size"
  /** The declared size is over the cap; of a stream, the decoded one. */
  | "cap"
  /** The window is over the cap; of streams only. */
  | "window"
  /** The frame has no content checksum. */
  | "checksum"
  /** The content checksum, or the compressed data itself, is damaged. */
  | "content"

/** A frame that cannot be decoded. `expected` and `actual` are sizes in bytes where the fault is about a size. */
export class ZstdFrameInvalid extends Data.Error<{
  readonly fault: ZstdFault
  readonly detail: string
  readonly expected?: number
  readonly actual?: number
}> {
  readonly _tag = "ZstdFrameInvalid"
  override readonly name = "ZstdFrameInvalid"
  override get message(): string {
    return `Cannot decode zstd frame: ${this.detail}`
  }
}

/** The library underneath could not compress (out of memory, a level it does not know). */
export class ZstdCompressFailed extends Data.Error<{ readonly detail: string; readonly cause?: unknown }> {
  readonly _tag = "ZstdCompressFailed"
  override readonly name = "ZstdCompressFailed"
  override get message(): string {
    return `Cannot compress with zstd: ${this.detail}`
  }
}

export interface Zstd {
  /** Which library does the work. */
  readonly implementation: "native" | "wasm"
  /**
   * One frame with content size and content checksum, off the event loop where the runtime can (`native`); `wasm` works
   * on the calling thread. The input may be reused once the effect has completed; the result is the caller's.
   */
  readonly compress: (bytes: Uint8Array, options?: CompressOptions) => Effect.Effect<Uint8Array, ZstdCompressFailed>
  /** As {@link Zstd.compress}, on the calling thread. */
  readonly compressSync: (bytes: Uint8Array, options?: CompressOptions) => Result.Result<Uint8Array, ZstdCompressFailed>
  /** Decodes exactly one frame, off the event loop where the runtime can. The result is the caller's. */
  readonly decompress: (frame: Uint8Array, options?: DecompressOptions) => Effect.Effect<Uint8Array, ZstdFrameInvalid>
  /** As {@link Zstd.decompress}, on the calling thread. */
  readonly decompressSync: (
    frame: Uint8Array,
    options?: DecompressOptions
  ) => Result.Result<Uint8Array, ZstdFrameInvalid>
}

export const Zstd: Context.Service<Zstd, Zstd> = Context.Service("@icecore/codec/Zstd")
