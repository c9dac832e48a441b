/** Reads a whole packfile and holds it against its content hash. */
import { Effect, Stream } from "effect"
import { Hex } from "effect/encoding"
import * as ReadSelection from "../kernel/ReadSelection.ts"
import { PackContentHashMismatch, PackExtractFailed } from "../PackError.ts"
import * as ContentHash from "./ContentHash.ts"
import type { OpenPack } from "./PackOpening.ts"
import * as RecordStream from "./RecordStream.ts"
import type { DecodedRecord, RecordError } from "./StoredRecord.ts"

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

  const fold = (recordIndex: number, { payload, sizes, itemCount }: DecodedRecord) =>
    Effect.try({
      try: () => {
        contentHash.update(ContentHash.digest(hasher, payload, sizes, itemCount))
      },
      catch: (cause) =>
        new PackExtractFailed({ path, position: recordIndex * itemsPerRecord + hasher.hashedItems, cause })
    })

  const foldBatch = (stored: RecordStream.StoredBatch) => {
    const cursor = RecordStream.cursorOf(stored)
    return Effect.whileLoop({
      while: () => cursor.recordIndex <= stored.batch.lastRecord,
      body: () => {
        const { recordIndex } = cursor
        const decoded = RecordStream.decodeNext(pack, stored, cursor)
        return expected === undefined
          ? Effect.asVoid(decoded)
          : Effect.flatMap(decoded, (record) => fold(recordIndex, record))
      },
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
