/**
 * zstd of the runtime: `node:zlib`, and Bun's own calls where they are better.
 *
 * PERF: 51,200-byte records of JSON on two cores. Bun: `Bun.zstdCompress` 1,090 MB/s with four at a time, `node:zlib` 690;
 * `Bun.zstdDecompressSync` 2,440, `node:zlib` 790, and 1,960 with a chunk that holds the whole content. Node 24: 1,360 with
 * that chunk, 520 without. One byte more than the content, so that the decoder is called once and not once more to see that
 * nothing is left.
 */
import * as zlib from "node:zlib"
import { Effect } from "effect"
import type { ZstdLibrary } from "../internal/StrictZstd.ts"
import * as XxHash64 from "../kernel/XxHash64.ts"

interface BunZstd {
  readonly zstdCompress: (bytes: Uint8Array, options: { readonly level: number }) => Promise<Uint8Array>
  readonly zstdDecompress: (frame: Uint8Array) => Promise<Uint8Array>
  readonly zstdDecompressSync: (frame: Uint8Array) => Uint8Array
  readonly hash: { readonly xxHash64: (bytes: Uint8Array) => bigint }
}

const minChunkSizeBytes = 64
const maxChunkSizeBytes = 64 * 1024 * 1024

/** Undefined where the runtime has no zstd (before Node 22.15). */
export const make = (): ZstdLibrary | undefined => {
  if (typeof zlib.zstdCompressSync !== "function") return undefined
  const bun = (globalThis as { readonly Bun?: BunZstd }).Bun
  return bun === undefined ? nodeLibrary : bunLibrary(bun)
}

/** Deno appends an empty frame to one that does not fit the first chunk of its output. */
const needsWholeChunk = "Deno" in globalThis

/** More than any content of this size is compressed to. */
const compressBound = (sizeBytes: number): number => sizeBytes + (sizeBytes >>> 7) + 1024

const compressOptions = (bytes: Uint8Array, level: number): zlib.ZstdOptions => ({
  params: { [zlib.constants.ZSTD_c_compressionLevel]: level, [zlib.constants.ZSTD_c_checksumFlag]: 1 },
  pledgedSrcSize: bytes.length,
  ...(needsWholeChunk ? { chunkSize: compressBound(bytes.length) } : {})
})

const decompressOptions = (sizeBytes: number): zlib.ZstdOptions => ({
  chunkSize: Math.min(Math.max(sizeBytes + 1, minChunkSizeBytes), maxChunkSizeBytes),
  maxOutputLength: Math.max(sizeBytes, 1)
})

/** The thread pool cannot be stopped, and reads the input until it is done: whoever interrupts waits for it. */
const callback = (start: (done: zlib.CompressCallback) => void): Effect.Effect<Uint8Array, unknown> =>
  Effect.uninterruptible(
    Effect.callback((resume) => {
      start((error, result) => resume(error === null ? Effect.succeed(result) : Effect.fail(error)))
    })
  )

const promised = (start: () => Promise<Uint8Array>): Effect.Effect<Uint8Array, unknown> =>
  Effect.uninterruptible(Effect.tryPromise({ try: start, catch: (cause) => cause }))

const nodeLibrary: ZstdLibrary = {
  implementation: "native",
  compressSync: (bytes, level) => zlib.zstdCompressSync(bytes, compressOptions(bytes, level)),
  compress: (bytes, level) => callback((done) => zlib.zstdCompress(bytes, compressOptions(bytes, level), done)),
  decompressSync: (frame, sizeBytes) => zlib.zstdDecompressSync(frame, decompressOptions(sizeBytes)),
  decompress: (frame, sizeBytes) => callback((done) => zlib.zstdDecompress(frame, decompressOptions(sizeBytes), done)),
  checksum: XxHash64.checksum
}

/** Bun's decoder ignores a bound on its output, which is why the declared size has been checked before it is called. */
const bunLibrary = (bun: BunZstd): ZstdLibrary => ({
  implementation: "native",
  compressSync: nodeLibrary.compressSync,
  compress: (bytes, level) => promised(() => bun.zstdCompress(bytes, { level })),
  decompressSync: (frame) => bun.zstdDecompressSync(frame),
  decompress: (frame) => promised(() => bun.zstdDecompress(frame)),
  checksum: (bytes) => Number(BigInt.asUintN(32, bun.hash.xxHash64(bytes)))
})
