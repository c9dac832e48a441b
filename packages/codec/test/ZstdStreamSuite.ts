/** What the layer of `ZstdStream` must do, as data, so that it runs on every runtime. */
import { Zstd, type ZstdFrameInvalid, ZstdStream } from "@icecore/codec"
import { Effect, Result, Stream } from "effect"

type Case = Effect.Effect<void, unknown, Zstd | ZstdStream>

const mebibyte = 1024 * 1024

const expectEqual = (actual: unknown, expected: unknown, what: string): Effect.Effect<void> =>
  JSON.stringify(actual) === JSON.stringify(expected)
    ? Effect.void
    : Effect.die(new Error(`${what} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`))

/** Bytes that compress about as records do. */
export const contentOf = (sizeBytes: number): Uint8Array => {
  const bytes = new Uint8Array(sizeBytes)
  let state = 1
  for (let at = 0; at < sizeBytes; at++) {
    if (at % 16 < 4) state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = at % 16 < 4 ? state >>> 24 : at % 16
  }
  return bytes
}

/** Bytes that do not compress. */
const noiseOf = (sizeBytes: number): Uint8Array => {
  let state = 1
  return new Uint8Array(sizeBytes).map(() => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 24
  })
}

const join = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(chunks))

const isSame = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0

/** The bytes in chunks of a size, of which each is overwritten when the next is pulled. */
const chunked = (bytes: Uint8Array, sizeBytes: number): Stream.Stream<Uint8Array> => {
  const reused = new Uint8Array(sizeBytes)
  return Stream.unfold(0, (at) =>
    Effect.sync(() => {
      reused.fill(0xee)
      if (at >= bytes.length) return undefined
      const chunk = reused.subarray(0, Math.min(sizeBytes, bytes.length - at))
      chunk.set(bytes.subarray(at, at + chunk.length))
      return [chunk, at + chunk.length] as const
    })
  ).pipe(Stream.rechunk(1))
}

const compressed = (bytes: Uint8Array, chunkBytes = 65_536, contentSizeBytes?: number) =>
  Effect.gen(function* () {
    const zstd = yield* ZstdStream
    const options = contentSizeBytes === undefined ? {} : { contentSizeBytes }
    return join(yield* Stream.runCollect(zstd.compress(chunked(bytes, chunkBytes), options)))
  })

const decompressed = (
  frame: Uint8Array,
  options: Parameters<ZstdStream["decompress"]>[1] = {},
  chunkBytes = 65_536
): Effect.Effect<Result.Result<Uint8Array, ZstdFrameInvalid>, never, ZstdStream> =>
  Effect.gen(function* () {
    const zstd = yield* ZstdStream
    return yield* Effect.result(
      Effect.map(Stream.runCollect(zstd.decompress(chunked(frame, chunkBytes), options)), join)
    )
  })

const faultOf = (result: Result.Result<Uint8Array, ZstdFrameInvalid>): string =>
  Result.isFailure(result) ? result.failure.fault : "none"

const expectFault = (frame: Uint8Array, fault: string, options: Parameters<ZstdStream["decompress"]>[1] = {}) =>
  Effect.flatMap(decompressed(frame, options), (result) => expectEqual(faultOf(result), fault, "the fault"))

const u24 = (value: number): ReadonlyArray<number> => [value & 0xff, (value >>> 8) & 0xff, value >>> 16]

/** A frame without declared size whose blocks each repeat one byte 128 KiB times. */
const bomb = function* (blockCount: number, windowByte = 0x48): Generator<Uint8Array> {
  yield Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x04, windowByte)
  const block = Uint8Array.of(...u24((131_072 << 3) | 2), 0x61)
  const blocks = new Uint8Array(block.length * 1024)
  for (let at = 0; at < blocks.length; at += block.length) blocks.set(block, at)
  for (let left = blockCount; left > 0; left -= 1024) yield blocks
}

export const cases: Readonly<Record<string, Case>> = {
  "compress and decompress agree on every size, however it is chunked": Effect.gen(function* () {
    for (const size of [0, 1, 31, 32, 33, 65_536, 131_072, 131_073, 3 * mebibyte]) {
      const bytes = contentOf(size)
      for (const chunkBytes of [7, 4096, 5 * mebibyte]) {
        if (chunkBytes === 7 && size > 200_000) continue
        const frame = yield* compressed(bytes, chunkBytes)
        const result = Result.getOrThrow(yield* decompressed(frame, {}, chunkBytes))
        yield* expectEqual(isSame(result, bytes), true, `the round trip of ${size} in chunks of ${chunkBytes}`)
      }
    }
  }),

  "compress makes one frame of what does not compress, streamed or not": Effect.gen(function* () {
    const [zstd, stream] = [yield* Zstd, yield* ZstdStream]
    for (const size of [16_000, 17_000, 70_000, 255_000, 700_000, 3 * mebibyte]) {
      const bytes = noiseOf(size)
      const frame = yield* zstd.compress(bytes)
      yield* expectEqual(isSame(new Uint8Array(yield* zstd.decompress(frame)), bytes), true, `${size} bytes`)
      const inSync = Result.getOrThrow(zstd.compressSync(bytes))
      yield* expectEqual(isSame(new Uint8Array(yield* zstd.decompress(inSync)), bytes), true, `${size} bytes in sync`)
      for (const level of [1, 3, 12]) {
        const chunks = yield* Stream.runCollect(stream.compress(chunked(bytes, 5 * mebibyte), { level }))
        const result = Result.getOrThrow(yield* decompressed(join(chunks)))
        yield* expectEqual(isSame(result, bytes), true, `${size} bytes streamed at level ${level}`)
      }
    }
  }),

  "compress declares a size that it is told, and refuses content of another": Effect.gen(function* () {
    const zstd = yield* Zstd
    const bytes = contentOf(300_000)
    const frame = yield* compressed(bytes, 65_536, bytes.length)
    const whole = yield* zstd.decompress(frame, { expectedSizeBytes: bytes.length })
    yield* expectEqual(isSame(new Uint8Array(whole), bytes), true, "what the other decoder makes of it")
    for (const wrong of [bytes.length - 1, bytes.length + 1]) {
      const failure = yield* Effect.flip(compressed(bytes, 65_536, wrong))
      yield* expectEqual(failure._tag, "ZstdCompressFailed", `the failure with ${wrong} bytes`)
    }
  }),

  "compress refuses a level that zstd does not have": Effect.gen(function* () {
    const zstd = yield* ZstdStream
    for (const level of [0, 23, 1.5, Number.NaN]) {
      const failure = yield* Effect.flip(Stream.runDrain(zstd.compress(Stream.make(contentOf(10)), { level })))
      yield* expectEqual(failure._tag, "ZstdCompressFailed", `the failure of level ${level}`)
    }
  }),

  "decompress takes what the other encoder makes": Effect.gen(function* () {
    const zstd = yield* Zstd
    for (const size of [0, 1, 300, 400_000]) {
      const bytes = contentOf(size)
      const result = yield* decompressed(yield* zstd.compress(bytes))
      yield* expectEqual(isSame(Result.getOrThrow(result), bytes), true, `${size} bytes`)
    }
  }),

  "decompress refuses every truncation": Effect.gen(function* () {
    const frame = yield* compressed(contentOf(2000))
    for (let size = 0; size < frame.length; size++) yield* expectFault(frame.subarray(0, size), "truncated")
  }),

  "decompress refuses truncations of many blocks": Effect.gen(function* () {
    const frame = yield* compressed(contentOf(600_000))
    for (let size = 0; size < frame.length; size += 9_973) yield* expectFault(frame.subarray(0, size), "truncated")
    for (let cut = 1; cut <= 8; cut++) yield* expectFault(frame.subarray(0, frame.length - cut), "truncated")
  }),

  "decompress gives the right bytes or an error for every flipped bit": Effect.gen(function* () {
    for (const [size, step] of [
      [700, 1],
      [600_000, 40_009]
    ] as const) {
      const bytes = contentOf(size)
      const frame = yield* compressed(bytes)
      for (let bit = 0; bit < frame.length * 8; bit += step) {
        const bad = frame.slice()
        bad[bit >>> 3]! ^= 1 << (bit & 7)
        const result = yield* decompressed(bad)
        if (Result.isSuccess(result)) yield* expectEqual(isSame(result.success, bytes), true, `bit ${bit} of ${size}`)
      }
    }
  }),

  "decompress refuses a wrong checksum": Effect.gen(function* () {
    for (const size of [1, 2000, 131_072, 600_000]) {
      const frame = yield* compressed(contentOf(size))
      for (let bit = 0; bit < 32; bit++) {
        const bad = frame.slice()
        bad[frame.length - 1 - (bit >>> 3)]! ^= 1 << (bit & 7)
        yield* expectFault(bad, "content")
      }
    }
  }),

  "decompress refuses what follows the frame, and what is none": Effect.gen(function* () {
    const frame = yield* compressed(contentOf(2000))
    yield* expectFault(join([frame, Uint8Array.of(0)]), "trailing")
    yield* expectFault(join([frame, frame]), "trailing")
    yield* expectFault(contentOf(2000), "header")
    yield* expectFault(join([Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0), frame]), "header")
  }),

  "decompress refuses a frame without checksum unless it is optional": Effect.gen(function* () {
    const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x01, 0x09, 0, 0, 0)
    yield* expectFault(frame, "checksum")
    yield* expectFault(frame, "none", { checksum: "optional" })
  }),

  "decompress holds the declared and the decoded size against the cap": Effect.gen(function* () {
    const bytes = contentOf(500_000)
    for (const frame of [yield* compressed(bytes), yield* compressed(bytes, 65_536, bytes.length)]) {
      yield* expectFault(frame, "none", { maxSizeBytes: bytes.length })
      yield* expectFault(frame, "cap", { maxSizeBytes: bytes.length - 1 })
      yield* expectFault(frame, "cap", { maxSizeBytes: Number.NaN })
    }
  }),

  "decompress refuses a frame whose blocks hold more or less than it declares": Effect.gen(function* () {
    const declared = (size: number) => {
      const frame = new Uint8Array(4 + 1 + 1 + 8 + 4)
      frame.set([0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x48])
      new DataView(frame.buffer).setBigUint64(6, BigInt(size), true)
      frame.set([...u24((100 << 3) | 3), 0x61], 14)
      return frame
    }
    yield* expectFault(declared(100), "none", { checksum: "optional" })
    for (const size of [0, 99, 101, 1_000_000]) {
      const fault = faultOf(yield* decompressed(declared(size), { checksum: "optional" }))
      yield* expectEqual(fault === "size" || fault === "content", true, `the refusal of ${size}, ${fault},`)
    }
  }),

  "decompress refuses a window over the cap before it is allocated": Effect.gen(function* () {
    const frame = (windowByte: number) =>
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, windowByte, ...u24((100 << 3) | 3), 0x61)
    yield* expectFault(frame(17 << 3), "none", { checksum: "optional" })
    for (const windowByte of [(17 << 3) | 1, 18 << 3, 0xff]) {
      yield* expectFault(frame(windowByte), "window", { checksum: "optional" })
      yield* expectFault(frame(windowByte), "window", { checksum: "optional", maxWindowSizeBytes: 2 ** 40 })
    }
    yield* expectFault(frame(1 << 3), "window", { checksum: "optional", maxWindowSizeBytes: 1024 })
    const single = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0x40, 0, 0, 0, 0, ...u24(1)])
    yield* expectFault(single, "window", { checksum: "optional" })
  }),

  "decompress of a terabyte stops at the cap, in little memory and time": Effect.gen(function* () {
    const zstd = yield* ZstdStream
    let decodedBytes = 0
    const blocks = Stream.fromIterable(bomb(8 * 1024 * 1024))
    const before = process.memoryUsage().rss
    let peak = before
    const stream = zstd.decompress(blocks, { maxSizeBytes: 256 * mebibyte })
    const failure = yield* Effect.flip(
      Stream.runForEachArray(stream, (chunks) =>
        Effect.sync(() => {
          for (const chunk of chunks) decodedBytes += chunk.length
          peak = Math.max(peak, process.memoryUsage().rss)
        })
      )
    )
    yield* expectEqual(failure.fault, "cap", "the fault")
    yield* expectEqual(decodedBytes, 256 * mebibyte, "the bytes before it")
    yield* expectEqual(peak - before < 128 * mebibyte, true, `${peak - before} bytes of memory`)
  }),

  "decompress passes on what its source fails with": Effect.gen(function* () {
    const zstd = yield* ZstdStream
    const frame = yield* compressed(contentOf(300_000))
    const source = Stream.concat(Stream.make(frame.slice(0, 5000)), Stream.fail("broken" as const))
    yield* expectEqual(yield* Effect.flip(Stream.runDrain(zstd.decompress(source))), "broken", "the failure")
  }),

  "several streams at once do not disturb one another": Effect.gen(function* () {
    const bytes = contentOf(700_000)
    const frame = yield* compressed(bytes)
    const results = yield* Effect.forEach(Array.from({ length: 8 }), () => decompressed(frame), {
      concurrency: "unbounded"
    })
    for (const result of results) yield* expectEqual(isSame(Result.getOrThrow(result), bytes), true, "a result")
  }),

  "a stream that is left early lets go of its library": Effect.gen(function* () {
    const zstd = yield* ZstdStream
    const bytes = contentOf(700_000)
    const frame = yield* compressed(bytes)
    for (let round = 0; round < 50; round++) {
      const some = yield* Stream.runCollect(Stream.take(zstd.decompress(chunked(frame, 10_000)), 1))
      yield* expectEqual(some.length, 1, "the chunks")
    }
  })
}
