/** zstd on the calling thread, for threads that have nothing else to do. */
import { Zstd } from "@icecore/codec"
import { Effect, Layer } from "effect"

export const layer: Layer.Layer<Zstd, never, Zstd> = Layer.effect(
  Zstd,
  Effect.map(Zstd, (zstd) => ({
    ...zstd,
    compress: (bytes, options) => Effect.suspend(() => Effect.fromResult(zstd.compressSync(bytes, options))),
    decompress: (frame, options) => Effect.suspend(() => Effect.fromResult(zstd.decompressSync(frame, options)))
  }))
)
