import { assert, describe, it } from "@effect/vitest"
import { Zstd, ZstdLive } from "@icecore/codec"
import { Effect, Exit, Layer, Result, Stream } from "effect"
import { ByteSource, PackReader, type PackWriter, RecordEncoding } from "../src/index.ts"
import { LiveDisk } from "../src/live/index.ts"
import { randomNumbers } from "./Fixtures.ts"
import { packBytes } from "./PackBytes.ts"

const live = Layer.merge(ZstdLive.layer, LiveDisk.layer)

const items = ["", "alpha", "beta beta beta beta", "x".repeat(70), "gamma", "delta delta", "epsilon"].map((text) =>
  new TextEncoder().encode(text)
)

const typedErrors = new Set(["PackCorrupt", "PackLimitExceeded", "PackContentHashMismatch"])

const hexOf = (list: ReadonlyArray<Uint8Array>): string =>
  list.map((item) => Buffer.from(item).toString("hex")).join(",")

/** Every item of a damaged pack that opens and verifies must be what was written; otherwise the error must be a typed one. */
const outcome = (bytes: Uint8Array, encoding: RecordEncoding.RecordEncoding | undefined) =>
  Effect.gen(function* () {
    const options = { maxRecordSizeBytes: 1 << 20, ...(encoding === undefined ? {} : { encoding }) }
    const reader = yield* PackReader.open(ByteSource.fromBytes(bytes), options)
    yield* reader.verify()
    const ranged = yield* Stream.runCollect(reader.range(0, reader.itemCount))
    return hexOf(ranged)
  })

const check = (
  seen: { typed: number; right: number },
  bytes: Uint8Array,
  encoding: RecordEncoding.RecordEncoding | undefined,
  describeMutation: () => string
) =>
  Effect.map(Effect.exit(outcome(bytes, encoding)), (exit) => {
    if (Exit.isSuccess(exit)) {
      assert.strictEqual(exit.value, hexOf(items), describeMutation())
      seen.right++
      return
    }
    const error = Exit.findError(exit)
    assert(Result.isSuccess(error), `${describeMutation()}: ${exit.cause}`)
    assert(typedErrors.has(error.success._tag), `${describeMutation()}: ${error.success._tag}`)
    seen.typed++
  })

/** Damage of one kind that a storage medium or a hostile writer may do. */
const mutate = (sound: Uint8Array, next: () => number): Uint8Array => {
  const bytes = sound.slice()
  const at = next() % bytes.length
  switch (next() % 6) {
    case 0:
      bytes[at]! ^= 1 << (next() & 7)
      return bytes
    case 1:
      bytes[at] = next() & 0xff
      bytes[next() % bytes.length] = next() & 0xff
      return bytes
    case 2:
      return bytes.slice(0, at)
    case 3:
      return bytes.slice(at)
    case 4:
      return bytes.fill(next() & 1 ? 0xff : 0, at, at + (next() % 40))
    default:
      return new Uint8Array([...bytes.slice(0, at), ...bytes.slice(next() % bytes.length)])
  }
}

const builds: ReadonlyArray<{
  readonly name: string
  readonly isEncoded: boolean
  readonly options: PackWriter.PackWriterOptions
}> = [
  { name: "one item a record, zstd", isEncoded: true, options: { itemsPerRecord: 1, contentHash: true } },
  { name: "three items a record, zstd", isEncoded: true, options: { itemsPerRecord: 3, contentHash: true } },
  { name: "two items a record, verbatim", isEncoded: false, options: { itemsPerRecord: 2, contentHash: true } }
]

const randomMutations = 20_000

describe("PackReader on damaged bytes", () => {
  for (const [seed, { name, isEncoded, options }] of builds.entries()) {
    it.effect(`PackReader gives right items or a typed error for every flipped bit, truncation and tail: ${name}`, () =>
      Effect.gen(function* () {
        const encoding = isEncoded ? RecordEncoding.zstd(yield* Zstd) : undefined
        const sound = yield* packBytes(items, { ...options, ...(encoding === undefined ? {} : { encoding }) })
        const seen = { typed: 0, right: 0 }
        for (let bit = 0; bit < sound.length * 8; bit++) {
          const bytes = sound.slice()
          bytes[bit >>> 3]! ^= 1 << (bit & 7)
          yield* check(seen, bytes, encoding, () => `bit ${bit} flipped`)
        }
        for (let size = 0; size < sound.length; size++) {
          yield* check(seen, sound.slice(0, size), encoding, () => `truncated to ${size}`)
        }
        for (let size = 1; size < 100; size++) {
          yield* check(
            seen,
            new Uint8Array([...sound, ...new Uint8Array(size)]),
            encoding,
            () => `${size} zeros appended`
          )
        }
        assert.strictEqual(seen.right, 0)
      }).pipe(Effect.provide(live))
    )

    it.effect(`PackReader gives right items or a typed error for ${randomMutations} random damages: ${name}`, () =>
      Effect.gen(function* () {
        const encoding = isEncoded ? RecordEncoding.zstd(yield* Zstd) : undefined
        const sound = yield* packBytes(items, { ...options, ...(encoding === undefined ? {} : { encoding }) })
        const next = randomNumbers(seed + 1)
        const seen = { typed: 0, right: 0 }
        for (let run = 0; run < randomMutations; run++) {
          yield* check(seen, mutate(sound, next), encoding, () => `seed ${seed + 1}, run ${run}`)
        }
        assert.strictEqual(seen.typed + seen.right, randomMutations)
      }).pipe(Effect.provide(live))
    )
  }
})
