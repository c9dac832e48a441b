/**
 * Zstandard over streams, for content that does not fit in memory: one frame, as strict as {@link "./Zstd.ts"} where the
 * runtimes are not.
 *
 * The frame is walked before the library sees it: its header, the size of each of its blocks, its checksum, its end. What the
 * library is given is therefore one whole frame with an allowed window; what it gives is counted against the limit, against the
 * size that the header declares, and against the checksum.
 */
import { Context, type Stream } from "effect"
import type { ZstdCompressFailed, ZstdFrameInvalid } from "./Zstd.ts"

/** Decoded bytes that a stream may have when the caller sets no bound: 10 GiB. */
export const defaultMaxStreamSizeBytes: number = 10 * 1024 * 1024 * 1024

/** Window that a frame may ask for when the caller sets no bound: 128 MiB, all that decoding one keeps in memory. */
export const defaultMaxWindowSizeBytes: number = 128 * 1024 * 1024

export interface CompressStreamOptions {
  /** 1 (fast) to 22 (small). Default 3. */
  readonly level?: number
  /** The size of the content in bytes, when it is known: the header then declares it, and content of another size fails. */
  readonly contentSizeBytes?: number
}

export interface DecompressStreamOptions {
  /** Inclusive bound on the decoded bytes: those declared, and those that come. Default {@link defaultMaxStreamSizeBytes}. */
  readonly maxSizeBytes?: number
  /** Inclusive, at most 128 MiB. Default {@link defaultMaxWindowSizeBytes}. */
  readonly maxWindowSizeBytes?: number
  /** Whether a frame without content checksum is refused, because damage to it may go unseen. Default `required`. */
  readonly checksum?: "required" | "optional"
}

export interface ZstdStream {
  /** One frame with content checksum. Chunks may be reused once the next is pulled; those given are the consumer's. */
  readonly compress: <E, R>(
    content: Stream.Stream<Uint8Array, E, R>,
    options?: CompressStreamOptions
  ) => Stream.Stream<Uint8Array, E | ZstdCompressFailed, R>
  /**
   * Decodes exactly one frame that is all of `frame`. What was decoded before damage is met has been given by then: it counts
   * only when the stream ends without an error. Memory is the window and a few chunks, whatever the frame decodes to.
   */
  readonly decompress: <E, R>(
    frame: Stream.Stream<Uint8Array, E, R>,
    options?: DecompressStreamOptions
  ) => Stream.Stream<Uint8Array, E | ZstdFrameInvalid, R>
}

export const ZstdStream: Context.Service<ZstdStream, ZstdStream> = Context.Service("@icecore/codec/ZstdStream")
