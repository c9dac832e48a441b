import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Zstd, ZstdLive } from "@icecore/codec"
import { Effect, Exit, Option, Stream } from "effect"
import { Hex } from "effect/encoding"
import { ByteSource, PackReader, PackWriter, RecordEncoding } from "../src/index.ts"
import { LiveDisk } from "../src/live/index.ts"
import { hasVectors, missingVectors, sha256, temporaryDirectory, vectorPath, vectors } from "./Fixtures.ts"

/** The items of the golden file, from the part of it that the vectors say. */
const itemsOf = (file: string, encoding: RecordEncoding.RecordEncoding | undefined) =>
  Effect.gen(function* () {
    const source = ByteSource.fromBytes(new Uint8Array(readFileSync(vectorPath(file))), file)
    const reader = yield* PackReader.open(source, encoding === undefined ? {} : { encoding })
    const items = yield* Stream.runCollect(reader.range(0, reader.itemCount))
    return { reader, items }
  })

describe.skipIf(!hasVectors)(`PackReader on golden files${hasVectors ? "" : ` (${missingVectors})`}`, () => {
  for (const pack of vectors().packs) {
    it.effect(`PackReader reads ${pack.file} and PackWriter makes it again`, () =>
      Effect.gen(function* () {
        const encoding = pack.encoding === "zstd" ? RecordEncoding.zstd(yield* Zstd) : undefined
        const bytes = new Uint8Array(readFileSync(vectorPath(pack.file)))
        assert.strictEqual(sha256(bytes), pack.sha256)
        const { reader, items } = yield* itemsOf(pack.file, encoding)
        assert.strictEqual(reader.itemCount, pack.itemCount)
        assert.strictEqual(reader.trailer.format, pack.format)
        assert.strictEqual(reader.trailer.itemsPerRecord, pack.itemsPerRecord)
        assert.strictEqual(Option.isSome(reader.contentHash), pack.contentHash)
        assert.strictEqual(Hex.encode(reader.appData), pack.appDataHex)
        assert.deepStrictEqual(
          items.slice(0, pack.itemSizes.length).map((item) => item.length),
          pack.itemSizes
        )
        assert.deepStrictEqual(items.slice(0, pack.itemSha256.length).map(sha256), pack.itemSha256)
        yield* reader.verify()
        for (let position = 0; position < items.length; position += 7) {
          assert.deepStrictEqual(yield* reader.read(position), new Uint8Array(items[position]!))
        }

        const path = `${yield* temporaryDirectory}/again.pack`
        const writer = yield* PackWriter.make(path, {
          itemsPerRecord: pack.itemsPerRecord,
          format: pack.format,
          contentHash: pack.contentHash,
          ...(encoding === undefined ? {} : { encoding })
        })
        yield* writer.appendAll(items)
        const summary = yield* writer.finish(
          Hex.decode(pack.appDataHex).pipe((result) => ("success" in result ? result.success : new Uint8Array(0)))
        )
        assert.deepStrictEqual(summary.contentHash, reader.contentHash)
        const again = new Uint8Array(readFileSync(path))
        if (encoding === undefined) {
          assert.strictEqual(sha256(again), pack.sha256)
        } else {
          const second = yield* PackReader.open(ByteSource.fromBytes(again, path), { encoding })
          const { indexSizeBytes: _golden, ...golden } = reader.trailer
          const { indexSizeBytes: _made, ...made } = second.trailer
          assert.deepStrictEqual(made, golden)
          assert.deepStrictEqual(yield* Stream.runCollect(second.range(0, second.itemCount)), items)
        }
      }).pipe(Effect.provide([ZstdLive.layer, LiveDisk.layer]))
    )
  }

  for (const { file, reason, detectedOn } of vectors().corruptPacks) {
    it.effect(`PackReader finds ${reason} of ${file} on ${detectedOn}`, () =>
      Effect.gen(function* () {
        const encoding =
          file.includes("no-codec") || file.includes("item-sizes-crc") ? undefined : RecordEncoding.zstd(yield* Zstd)
        const source = ByteSource.fromBytes(new Uint8Array(readFileSync(vectorPath(file))), file)
        const opened = yield* Effect.exit(PackReader.open(source, encoding === undefined ? {} : { encoding }))
        if (detectedOn === "open") {
          const error = yield* Effect.flip(Effect.flatten(Effect.succeed(opened)))
          assert.strictEqual(error._tag, "PackCorrupt")
          assert.strictEqual("part" in error ? error.part : "", reason)
          return
        }
        assert(Exit.isSuccess(opened))
        const reader = opened.value
        const readError = yield* Effect.flip(
          Effect.andThen(
            detectedOn === "read" ? Stream.runDrain(reader.range(0, reader.itemCount)) : Effect.void,
            reader.verify()
          )
        )
        if (detectedOn === "verify") yield* Stream.runDrain(reader.range(0, reader.itemCount))
        assert.strictEqual(readError._tag, reason === "contentHash" ? "PackContentHashMismatch" : "PackCorrupt")
        if (readError._tag === "PackCorrupt") {
          assert.strictEqual(readError.part, reason)
          assert.isNumber(readError.recordIndex)
        }
      }).pipe(Effect.provide(ZstdLive.layer))
    )
  }
})
