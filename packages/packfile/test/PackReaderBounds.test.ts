/** That a reader's memory is bounded before it is taken, not after. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ByteSource, PackReader, type RecordEncoding } from "../src/index.ts"
import { LiveDisk } from "../src/live/index.ts"
import { packBytes } from "./PackBytes.ts"

/** Stores one byte for each payload and decodes it to `sizeBytes`, whatever the bound says. */
const expanding = (sizeBytes: number) => {
  const decoded = { count: 0 }
  const encoding: RecordEncoding.RecordEncoding = {
    name: "expanding",
    encode: (payload) => Effect.succeed(payload.slice(0, 1)),
    decode: () =>
      Effect.sync(() => {
        decoded.count++
        return new Uint8Array(sizeBytes)
      }),
    release: Effect.void
  }
  return { encoding, decoded }
}

const mebibyte = 1024 * 1024

describe("PackReader bounds", () => {
  it.effect("PackReader does not read a record that is stored in more than twice the bytes it may decode to", () =>
    Effect.gen(function* () {
      const bytes = yield* packBytes([new Uint8Array(1000)], { itemsPerRecord: 1 })
      let readCount = 0
      const whole = ByteSource.fromBytes(bytes)
      const source: ByteSource.ByteSource = {
        ...whole,
        read: (offsetBytes, lengthBytes) => {
          readCount++
          return whole.read(offsetBytes, lengthBytes)
        }
      }
      const reader = yield* PackReader.open(source, { maxRecordSizeBytes: 400 })
      const error = yield* Effect.flip(reader.read(0))
      assert.deepStrictEqual([error._tag, readCount], ["PackLimitExceeded", 1])
    }).pipe(Effect.provide(LiveDisk.layer))
  )

  it.effect("PackReader refuses what an encoding decodes over the cap, though it should have looked itself", () =>
    Effect.gen(function* () {
      const { encoding } = expanding(1001)
      const bytes = yield* packBytes([new Uint8Array(10)], { itemsPerRecord: 1, encoding })
      const reader = yield* PackReader.open(ByteSource.fromBytes(bytes), { encoding, maxRecordSizeBytes: 1000 })
      const error = yield* Effect.flip(reader.read(0))
      assert.strictEqual(error._tag, "PackLimitExceeded")
    }).pipe(Effect.provide(LiveDisk.layer))
  )

  it.effect("PackReader.range does not decode a whole batch of bombs before it gives the first item", () =>
    Effect.gen(function* () {
      const { encoding, decoded } = expanding(mebibyte)
      const items = Array.from({ length: 100 }, () => new Uint8Array(10))
      const bytes = yield* packBytes(items, { itemsPerRecord: 1, encoding })
      const reader = yield* PackReader.open(ByteSource.fromBytes(bytes), { encoding })
      assert.strictEqual((yield* Stream.runHead(reader.range(0, 100)))._tag, "Some")
      assert.strictEqual(decoded.count, 1)
    }).pipe(Effect.provide(LiveDisk.layer))
  )
})
