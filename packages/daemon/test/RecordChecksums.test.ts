import { assert, describe, it } from "@effect/vitest"
import { Zstd, ZstdLive } from "@icecore/codec"
import { ByteSource, Disk, PackReader, PackWriter, RecordEncoding } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Layer, Result } from "effect"
import { Hex } from "effect/encoding"
import * as RecordChecksums from "../src/internal/RecordChecksums.ts"

const path = "/1.pack"
const items = Array.from({ length: 9 }, (_, index) => new TextEncoder().encode(`item ${index} `.repeat(40)))

/** A pack of nine items, four to a record, with the checksums of its three records. */
const written = Effect.gen(function* () {
  const disk = yield* Disk
  const zstd = RecordEncoding.zstd(yield* Zstd)
  const { encoding, recordChecksums } = RecordChecksums.collecting(zstd)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* PackWriter.make(path, { itemsPerRecord: 4, encoding, contentHash: true })
      yield* writer.appendAll(items)
      yield* writer.finish(recordChecksums)
    })
  )
  const bytes = yield* Effect.scoped(
    Effect.gen(function* () {
      const file = yield* disk.open(path, "read")
      const target = new Uint8Array(yield* file.size)
      yield* file.readAt(target, 0)
      return target
    })
  )
  return { bytes, zstd }
})

const verify = (bytes: Uint8Array, zstd: RecordEncoding.RecordEncoding) =>
  Effect.gen(function* () {
    const source = ByteSource.fromBytes(bytes, path)
    const { appData } = yield* PackReader.open(source)
    const reader = yield* PackReader.open(source, { encoding: RecordChecksums.checking(zstd, appData) })
    yield* reader.verify()
  })

const layer = Layer.merge(
  ZstdLive.layer,
  Layer.sync(Disk, () => SimulatedDisk.make(CrashRecorder.make()).disk)
)

describe("RecordChecksums", () => {
  it.effect("checking finds any flipped bit of a pack, and names the record where it is one", () =>
    Effect.gen(function* () {
      const { bytes, zstd } = yield* written
      yield* verify(bytes, zstd)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const damaged = bytes.slice()
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        const result = yield* Effect.result(verify(damaged, zstd))
        assert.isTrue(Result.isFailure(result), `bit ${bit & 7} of byte ${bit >> 3}`)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("checking finds a record that is stored in another way and still decodes to the same", () =>
    Effect.gen(function* () {
      const { bytes, zstd } = yield* written
      const indifferent: RecordEncoding.RecordEncoding = {
        ...zstd,
        decode: (stored, bound) => zstd.decode(undamaged(stored), bound)
      }
      const undamaged = (stored: Uint8Array): Uint8Array => {
        const whole = stored.slice()
        if (whole[0] === 0) whole[0] = 0x28
        return whole
      }
      const damaged = bytes.slice()
      damaged[0] = 0
      const error = yield* Effect.flip(verify(damaged, indifferent))
      assert.strictEqual(error._tag, "PackCorrupt")
      assert.include(error.message, "record 0 at offset 0 is damaged: its stored bytes have checksum")
    }).pipe(Effect.provide(layer))
  )

  it.effect("collecting keeps its bytes: CRC32C of each encoded payload, little-endian, in order", () =>
    Effect.gen(function* () {
      const plain: RecordEncoding.RecordEncoding = {
        name: "plain",
        encode: (payload) => Effect.sync(() => payload.slice()),
        decode: Effect.succeed,
        release: Effect.void
      }
      const { encoding, recordChecksums } = RecordChecksums.collecting(plain)
      yield* encoding.encode(new TextEncoder().encode("123456789"))
      yield* encoding.encode(new Uint8Array(0))
      assert.strictEqual(Hex.encode(recordChecksums()), "839206e300000000")
    })
  )
})
