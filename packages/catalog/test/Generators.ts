import * as fc from "fast-check"
import { artifactKinds, chunkKey, hotKey, indexKey, type StorageKey } from "../src/format/CatalogKey.ts"
import { ChunkId, maxChunkId, WindowId } from "../src/Geometry.ts"

const numbers = fc.oneof(fc.nat(2_100), fc.integer({ min: maxChunkId - 3, max: maxChunkId }), fc.nat(maxChunkId))
const chunks = numbers.map((value) => ChunkId(value))

/** Every key that owns something on disk. */
export const storageKeys: fc.Arbitrary<StorageKey> = fc.oneof(
  fc.tuple(chunks, fc.constantFrom(...artifactKinds)).map(([chunk, kind]): StorageKey => chunkKey(chunk, kind)),
  chunks.map((chunk): StorageKey => hotKey(chunk)),
  fc
    .tuple(numbers, numbers, numbers)
    .map(
      ([window, one, other]): StorageKey =>
        indexKey(WindowId(window), ChunkId(Math.min(one, other)), ChunkId(Math.max(one, other)))
    )
)
