/** What makes a streaming zstd library strict: the frame is walked on its way in, and on its way out. */
import { Cause, Effect, Pull, Scope, Stream } from "effect"
import type { FrameHeader } from "../format/ZstdFrame.ts"
import * as FrameWalk from "../kernel/FrameWalk.ts"
import * as XxHash64 from "../kernel/XxHash64.ts"
import { type ZstdCompressFailed, ZstdFrameInvalid } from "../Zstd.ts"
import {
  type DecompressStreamOptions,
  defaultMaxStreamSizeBytes,
  defaultMaxWindowSizeBytes,
  type ZstdStream
} from "../ZstdStream.ts"
import { checkedLevel, compressFailed, contentDamaged, madeWrong } from "./StrictZstd.ts"

/** One stream of a library. Calls follow one another. What they give is the caller's; it comes to a few chunks at most. */
export interface StreamCoder {
  /** The bytes may be reused when the effect has completed. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<ReadonlyArray<Uint8Array>, unknown>
  /** Of an encoder: the rest of the frame. */
  readonly finish: Effect.Effect<ReadonlyArray<Uint8Array>, unknown>
}

/** A streaming library, believed in nothing that can be seen from outside. */
export interface ZstdStreamLibrary {
  readonly encoder: (options: {
    readonly level: number
    readonly contentSizeBytes: number | undefined
  }) => Effect.Effect<StreamCoder, unknown, Scope.Scope>
  /** Is given the frame piece by piece, each in one write: the header, every block, the checksum. */
  readonly decoder: Effect.Effect<StreamCoder, unknown, Scope.Scope>
  /** Whether its decoder refuses a wrong checksum. Where it does not, the content is hashed here. */
  readonly verifiesChecksum: boolean
}

/** Content is handed over in pieces of this at most, so that what one write gives stays small. */
export const maxWriteSizeBytes: number = 256 * 1024

type Chunks = readonly [Uint8Array, ...Array<Uint8Array>]

/** The strict service over a library. */
export const make = (library: ZstdStreamLibrary): ZstdStream => ({
  compress: (content, options = {}) =>
    Stream.transformPullBracket(content, (upstream, _, scope) =>
      Effect.gen(function* () {
        const level = yield* Effect.fromResult(checkedLevel(options))
        const { contentSizeBytes } = options
        const encoder = yield* library
          .encoder({ level, contentSizeBytes })
          .pipe(Effect.provideService(Scope.Scope, scope), Effect.mapError(compressFailed))
        return compressing(chunksOf(upstream), encoder, contentSizeBytes)
      })
    ),
  decompress: (frame, options = {}) =>
    Stream.transformPullBracket(frame, (upstream, _, scope) =>
      Effect.map(
        library.decoder.pipe(Effect.provideService(Scope.Scope, scope), Effect.mapError(contentDamaged)),
        (decoder) => decompressing(chunksOf(upstream), decoder, options, library.verifiesChecksum)
      )
    )
})

/** The chunks of a stream one at a time; undefined, again and again, at its end. */
const chunksOf = <E, R>(
  upstream: Pull.Pull<Chunks, E, void, R>
): Effect.Effect<Uint8Array | undefined, Pull.ExcludeDone<E>, R> => {
  let pulled: ReadonlyArray<Uint8Array> = []
  let at = 0
  let isDone = false
  const pull = Effect.map(upstream, (chunks): Uint8Array => {
    pulled = chunks
    at = 1
    return chunks[0]
  }).pipe(
    Pull.catchDone(() =>
      Effect.sync((): undefined => {
        isDone = true
        return undefined
      })
    )
  )
  return Effect.suspend(() => {
    if (at < pulled.length) return Effect.succeed(pulled[at++])
    return isDone ? Effect.succeed(undefined) : pull
  })
}

const isFilled = (chunks: ReadonlyArray<Uint8Array>): chunks is Chunks => chunks.length > 0

// Compressing.

const compressing = <E, R>(
  nextChunk: Effect.Effect<Uint8Array | undefined, E, R>,
  encoder: StreamCoder,
  contentSizeBytes: number | undefined
): Pull.Pull<Chunks, E | ZstdCompressFailed, void, R> => {
  const walk = FrameWalk.make()
  let chunk: Uint8Array = new Uint8Array(0)
  let sizeBytes = 0
  let isFinished = false

  const encoded = Effect.gen(function* () {
    if (chunk.length === 0) {
      const pulled = yield* nextChunk
      if (pulled === undefined) {
        isFinished = true
        if (contentSizeBytes !== undefined && sizeBytes !== contentSizeBytes) {
          return yield* compressFailed(`the content has ${sizeBytes} bytes, expected ${contentSizeBytes}`)
        }
        return yield* Effect.mapError(encoder.finish, compressFailed)
      }
      chunk = pulled
    }
    const part = chunk.subarray(0, maxWriteSizeBytes)
    chunk = chunk.subarray(part.length)
    sizeBytes += part.length
    return part.length === 0 ? [] : yield* Effect.mapError(encoder.write(part), compressFailed)
  })

  /** What is wrong with the bytes that a library gives for a frame. */
  const problemOf = (made: Uint8Array): string | undefined => {
    FrameWalk.push(walk, made)
    for (;;) {
      const piece = FrameWalk.next(walk)
      if (piece.kind === "more") return undefined
      if (piece.kind === "fault") return piece.detail
      if (piece.kind === "header" && !piece.header.hasChecksum) return "it has no content checksum"
      if (piece.kind === "end") {
        return FrameWalk.leftBytes(walk) === 0 ? undefined : `${FrameWalk.leftBytes(walk)} bytes follow it`
      }
    }
  }

  return Effect.gen(function* () {
    for (;;) {
      if (isFinished) return yield* Cause.done()
      const made = (yield* encoded).filter((bytes) => bytes.length > 0)
      for (const bytes of made) {
        const problem = problemOf(bytes)
        if (problem !== undefined) return yield* madeWrong(problem)
      }
      if (isFinished && walk.stage !== "end") return yield* madeWrong(`it ends within ${FrameWalk.place(walk)}`)
      if (isFilled(made)) return made
    }
  })
}

// Decompressing.

const decompressing = <E, R>(
  nextChunk: Effect.Effect<Uint8Array | undefined, E, R>,
  decoder: StreamCoder,
  options: DecompressStreamOptions,
  verifiesChecksum: boolean
): Pull.Pull<Chunks, E | ZstdFrameInvalid, void, R> => {
  const walk = FrameWalk.make()
  const hash = XxHash64.make()
  const maxSizeBytes = options.maxSizeBytes ?? defaultMaxStreamSizeBytes
  let sizeBytes = 0

  const headerRefusal = (header: FrameHeader): ZstdFrameInvalid | undefined => {
    const { contentSizeBytes, windowSizeBytes } = header
    // Written so that NaN is no way around a bound.
    if (contentSizeBytes !== undefined && !(contentSizeBytes <= maxSizeBytes)) {
      return over("cap", "declares", contentSizeBytes, maxSizeBytes)
    }
    const maxWindow = Math.min(options.maxWindowSizeBytes ?? defaultMaxWindowSizeBytes, defaultMaxWindowSizeBytes)
    // A frame of a single segment has its whole content for a window, and no more than is left to it.
    if (!(windowSizeBytes <= maxWindow)) return over("window", "has a window of", windowSizeBytes, maxWindow)
    if (!header.hasChecksum && options.checksum !== "optional") {
      return new ZstdFrameInvalid({ fault: "checksum", detail: "it has no content checksum" })
    }
    return undefined
  }

  /** Counts and hashes what was decoded. */
  const accept = (decoded: ReadonlyArray<Uint8Array>): ZstdFrameInvalid | undefined => {
    const declared = walk.header?.contentSizeBytes
    for (const bytes of decoded) {
      sizeBytes += bytes.length
      if (declared !== undefined && sizeBytes > declared) return wrongSize(declared, sizeBytes)
      if (!(sizeBytes <= maxSizeBytes)) return over("cap", "decodes to at least", sizeBytes, maxSizeBytes)
      if (!verifiesChecksum) XxHash64.update(hash, bytes)
    }
    return undefined
  }

  const decode = Effect.fnUntraced(function* (bytes: Uint8Array) {
    const decoded = yield* Effect.mapError(decoder.write(bytes), contentDamaged)
    const refused = accept(decoded)
    return refused === undefined ? decoded.filter((each) => each.length > 0) : yield* refused
  })

  /** Runs behind the last piece: the sums must be right, and nothing may follow. */
  const finish = Effect.gen(function* () {
    const declared = walk.header?.contentSizeBytes
    if (declared !== undefined && declared !== sizeBytes) return yield* wrongSize(declared, sizeBytes)
    let following = FrameWalk.leftBytes(walk)
    while (following === 0) {
      const chunk = yield* nextChunk
      if (chunk === undefined) return yield* Cause.done()
      following = chunk.length
    }
    return yield* new ZstdFrameInvalid({ fault: "trailing", detail: "bytes follow it" })
  })

  return Effect.gen(function* () {
    for (;;) {
      const piece = FrameWalk.next(walk)
      switch (piece.kind) {
        case "fault":
          return yield* new ZstdFrameInvalid(piece)
        case "end":
          return yield* finish
        case "more": {
          const chunk = yield* nextChunk
          if (chunk === undefined) {
            const detail = `it ends within ${FrameWalk.place(walk)}`
            return yield* new ZstdFrameInvalid({ fault: "truncated", detail })
          }
          FrameWalk.push(walk, chunk)
          break
        }
        default: {
          if (piece.kind === "header") {
            const refused = headerRefusal(piece.header)
            if (refused !== undefined) return yield* refused
          }
          const decoded = yield* decode(piece.bytes)
          if (piece.kind === "checksum" && !verifiesChecksum && XxHash64.digest(hash) !== piece.value) {
            return yield* contentDamaged("its checksum is another")
          }
          if (isFilled(decoded)) return decoded
        }
      }
    }
  })
}

const over = (fault: "cap" | "window", verb: string, actual: number, expected: number): ZstdFrameInvalid =>
  new ZstdFrameInvalid({ fault, detail: `it ${verb} ${actual} bytes, the limit is ${expected}`, expected, actual })

const wrongSize = (expected: number, actual: number): ZstdFrameInvalid =>
  new ZstdFrameInvalid({
    fault: "size",
    detail: `it decodes to ${actual} bytes or more, it declares ${expected}`,
    expected,
    actual
  })
