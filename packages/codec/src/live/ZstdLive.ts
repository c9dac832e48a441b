/** The layers of {@link Zstd}. */
import { Data, Effect, Layer } from "effect"
import * as StrictZstd from "../internal/StrictZstd.ts"
import { Zstd } from "../Zstd.ts"
import * as NativeLibrary from "./NativeLibrary.ts"
import * as WasmLibrary from "./WasmLibrary.ts"

/** The runtime has no zstd of its own: Node before 22.15. */
export class ZstdUnavailable extends Data.Error {
  readonly _tag = "ZstdUnavailable"
  override readonly name = "ZstdUnavailable"
  override get message(): string {
    return "Cannot use native zstd: node:zlib of this runtime has none, expected Bun, Deno or Node 22.15"
  }
}

/** The runtime's own zstd, its asynchronous forms on the thread pool. */
export const layerNative: Layer.Layer<Zstd, ZstdUnavailable> = Layer.effect(
  Zstd,
  Effect.suspend(() => {
    const library = NativeLibrary.make()
    return library === undefined ? Effect.fail(new ZstdUnavailable()) : Effect.succeed(StrictZstd.make(library))
  })
)

/** zstd as WebAssembly, on the calling thread: 10 to 20 MB/s, its memory 19 times the output of very compressible input. */
export const layerWasm: Layer.Layer<Zstd> = Layer.effect(Zstd, Effect.map(WasmLibrary.make, StrictZstd.make))

/** {@link layerNative} where the runtime has it, else {@link layerWasm}. */
export const layer: Layer.Layer<Zstd> = Layer.catchTag(layerNative, "ZstdUnavailable", () => layerWasm)
