/**
 * zstd compiled to WebAssembly: works wherever there is no native one, at a fraction of the speed and with the whole input
 * and output in its own memory, which never shrinks.
 */
import { Zstd as Wasm } from "@hpcc-js/wasm-zstd"
import { Effect } from "effect"
import type { ZstdLibrary } from "../internal/StrictZstd.ts"
import * as XxHash64 from "../kernel/XxHash64.ts"

/** Loads the module, once in a process. It is part of the package: a failure to compile it is a defect. */
export const make: Effect.Effect<ZstdLibrary> = Effect.map(
  Effect.promise(() => Wasm.load()),
  (wasm) => ({
    implementation: "wasm",
    compressSync: (bytes, level) => wasm.compress(bytes, level),
    compress: undefined,
    decompressSync: (frame) => wasm.decompress(frame),
    decompress: undefined,
    checksum: XxHash64.checksum
  })
)
