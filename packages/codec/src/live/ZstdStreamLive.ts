/**
 * The layer of {@link ZstdStream}: the streams of `node:zlib`, as Bun, Node and Deno have them.
 *
 * Each piece is one write, and the next follows when its callback was called: a decoder that is given more at once stops before
 * the checksum on Node when its output buffer is full, and on Deno throws what it finds where nobody can catch it. Deno looks
 * at no checksum either way, so {@link verifiesChecksum} asks the runtime.
 */
import type { Transform } from "node:stream"
import * as zlib from "node:zlib"
import { Effect, Layer, type Scope } from "effect"
import { maxBlockSizeBytes } from "../format/ZstdFrame.ts"
import * as StrictZstdStream from "../internal/StrictZstdStream.ts"
import { ZstdStream } from "../ZstdStream.ts"
import { ZstdUnavailable } from "./ZstdLive.ts"

/** More than one piece decodes to, so that no call of the library leaves output behind. */
const decoderChunkSizeBytes: number = maxBlockSizeBytes + 1024

/** More than one write gives, what was held back of the one before included: Deno ends the frame when a chunk is full. */
const encoderChunkSizeBytes: number = 2 * StrictZstdStream.maxWriteSizeBytes

/** More than one write gives, so that its callback never waits for a read. */
const bufferSizeBytes: number = 4 * 1024 * 1024

/** Windows over 2^27 bytes were refused before; this is for a library that reads the header otherwise. */
const maxWindowLog = 27

const buffers = { readableHighWaterMark: bufferSizeBytes, writableHighWaterMark: bufferSizeBytes }

/** Fails where the runtime has no zstd of its own. */
export const layer: Layer.Layer<ZstdStream, ZstdUnavailable> = Layer.effect(
  ZstdStream,
  Effect.suspend(() => {
    if (typeof zlib.createZstdDecompress !== "function") return Effect.fail(new ZstdUnavailable())
    return Effect.map(verifiesChecksum, (verifies) =>
      StrictZstdStream.make({ encoder, decoder, verifiesChecksum: verifies })
    )
  })
)

const encoder: StrictZstdStream.ZstdStreamLibrary["encoder"] = ({ contentSizeBytes, level }) =>
  acquire(() =>
    zlib.createZstdCompress({
      ...buffers,
      chunkSize: encoderChunkSizeBytes,
      params: { [zlib.constants.ZSTD_c_compressionLevel]: level, [zlib.constants.ZSTD_c_checksumFlag]: 1 },
      ...(contentSizeBytes === undefined ? {} : { pledgedSrcSize: contentSizeBytes })
    })
  )

const decoder: StrictZstdStream.ZstdStreamLibrary["decoder"] = acquire(() =>
  zlib.createZstdDecompress({
    ...buffers,
    chunkSize: decoderChunkSizeBytes,
    params: { [zlib.constants.ZSTD_d_windowLogMax]: maxWindowLog }
  })
)

const repeatedBlock = (isLast: boolean): Uint8Array => Uint8Array.of(isLast ? 0x03 : 0x02, 0x00, 0x10, 0x61)

/** Frames in pieces, each with a checksum that is not its own: one of a byte, one of three large blocks. */
const wrongFrames: ReadonlyArray<ReadonlyArray<Uint8Array>> = [
  [
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x01),
    Uint8Array.of(0x09, 0x00, 0x00, 0x00),
    Uint8Array.of(0x68, 0x27, 0x05, 0xda)
  ],
  [
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x48),
    repeatedBlock(false),
    repeatedBlock(false),
    repeatedBlock(true),
    Uint8Array.of(0x00, 0x00, 0x00, 0x00)
  ]
]

const isRefused = (pieces: ReadonlyArray<Uint8Array>): Effect.Effect<boolean> =>
  Effect.scoped(Effect.flatMap(decoder, (coder) => Effect.forEach(pieces, coder.write, { discard: true }))).pipe(
    Effect.match({ onFailure: () => true, onSuccess: () => false })
  )

/** Asks with frames of both kinds, because Deno tells small ones apart and no others. */
const verifiesChecksum: Effect.Effect<boolean> = Effect.map(Effect.forEach(wrongFrames, isRefused), (refused) =>
  refused.every((each) => each)
)

function acquire(make: () => Transform): Effect.Effect<StrictZstdStream.StreamCoder, unknown, Scope.Scope> {
  return Effect.map(
    Effect.acquireRelease(Effect.try({ try: () => open(make()), catch: (cause) => cause }), ({ stream }) =>
      Effect.sync(() => stream.destroy())
    ),
    ({ coder }) => coder
  )
}

interface OpenCoder {
  readonly stream: Transform
  readonly coder: StrictZstdStream.StreamCoder
}

function open(stream: Transform): OpenCoder {
  let given: Array<Uint8Array> = []
  let failure: { readonly cause: unknown } | undefined
  let settle: () => void = () => undefined
  const read = () => {
    for (let bytes = stream.read(); bytes !== null; bytes = stream.read()) given.push(bytes)
  }
  stream.on("readable", read)
  stream.on("error", (cause) => {
    failure ??= { cause }
    settle()
  })

  /** Waits for `start` to call back, or for an error, whichever is first. */
  const run = (start: (done: () => void) => void): Effect.Effect<ReadonlyArray<Uint8Array>, unknown> =>
    // The thread pool reads the bytes until it is done: whoever interrupts waits for it.
    Effect.uninterruptible(
      Effect.callback((resume) => {
        settle = () => {
          settle = () => undefined
          read()
          const taken = given
          given = []
          resume(failure === undefined ? Effect.succeed(taken) : Effect.fail(failure.cause))
        }
        if (failure === undefined) start(() => settle())
        else settle()
      })
    )

  return {
    stream,
    coder: {
      write: (bytes) =>
        run((done) =>
          stream.write(bytes, (cause) => {
            if (cause !== null && cause !== undefined) failure ??= { cause }
            done()
          })
        ),
      finish: run((done) => {
        stream.once("end", done)
        stream.end()
      })
    }
  }
}
