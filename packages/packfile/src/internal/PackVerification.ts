/** Reads a whole packfile and holds it against its content hash. */
import { Effect, Result, Stream } from "effect"
import { Hex } from "effect/encoding"
import * as ReadSelection from "../kernel/ReadSelection.ts"
import { PackContentHashMismatch, PackExtractFailed } from "../PackError.ts"
import * as ContentHash from "./ContentHash.ts"
import type { OpenPack } from "./PackOpening.ts"
import * as RecordStream from "./RecordStream.ts"
import type { Decoded, DecodedRecord, RecordError } from "./StoredRecord.ts"

/** Fails with the first record that does not decode, or when all decode but the hash differs. */
export const verify: (
  pack: OpenPack,
  extract: ContentHash.Extract | undefined,
  concurrency: number
) => Effect.Effect<void, RecordError | PackContentHashMismatch | PackExtractFailed> = Effect.fnUntraced(function* (
  pack: OpenPack,
  extract: ContentHash.Extract | undefined,
  concurrency: number
) {
  const { path } = pack.source
  const { contentHash: expected, totalItems, itemsPerRecord } = pack.trailer
  const hasher = ContentHash.makeHasher(extract)
  const contentHash = ContentHash.makeContentHash()

  const fold = ({ recordIndex, payload, sizes, itemCount }: DecodedRecord): PackExtractFailed | undefined => {
    if (expected === undefined) return undefined
    const digest = Result.try(() => ContentHash.digest(hasher, payload, sizes, itemCount))
    if (Result.isFailure(digest)) {
      const position = recordIndex * itemsPerRecord + hasher.hashedItems
      return new PackExtractFailed({ path, position, cause: digest.failure })
    }
    contentHash.update(digest.success)
    return undefined
  }

  const foldWindow = (window: ReadonlyArray<Decoded>): Effect.Effect<void, RecordError | PackExtractFailed> => {
    for (const decoded of window) {
      const failure = Result.isSuccess(decoded) ? fold(decoded.success) : decoded.failure
      if (failure !== undefined) return Effect.fail(failure)
    }
    return Effect.void
  }

  const foldBatch = (stored: RecordStream.StoredBatch) => {
    const cursor = RecordStream.cursorOf(stored)
    return Effect.whileLoop({
      while: () => cursor.recordIndex <= stored.batch.lastRecord,
      body: () => Effect.flatMap(RecordStream.decodeWindow(pack, stored, cursor, concurrency), foldWindow),
      step: () => undefined
    })
  }

  yield* Stream.runForEach(RecordStream.batches(pack, ReadSelection.ofRange(0, totalItems), concurrency), foldBatch)
  if (expected === undefined) return
  const expectedHex = Hex.encode(expected)
  const actualHex = Hex.encode(new Uint8Array(contentHash.digest()))
  if (actualHex !== expectedHex) {
    return yield* new PackContentHashMismatch({ path, expected: expectedHex, actual: actualHex })
  }
})
