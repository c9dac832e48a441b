/**
 * Writes or scans one large pack in a process of its own, and prints the largest resident set of that process.
 *
 * `write <path> <bytes>` or `scan <path> <bytes>`. Items are 400 bytes that do not compress, so the file is as large as they are, through
 * zstd and content hash nevertheless.
 */
import { Zstd, ZstdLive } from "@icecore/codec"
import { ByteSource, PackReader, PackWriter, RecordEncoding } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Console, Effect, Layer, Stream } from "effect"
import { fillRandom } from "../fixtures/KeyedRows.ts"
import * as LiveResidentMemory from "../live/LiveResidentMemory.ts"
import { ResidentMemory } from "../ResidentMemory.ts"

const itemSizeBytes = 400

/** Items repeat after this much, far behind what one record of 51,200 bytes can see. */
const poolItems = 10_000

function* items(count: number): Generator<Uint8Array> {
  const pool = new Uint8Array(poolItems * itemSizeBytes)
  fillRandom(pool, 1)
  for (let item = 0; item < count; item++) {
    const start = (item % poolItems) * itemSizeBytes
    yield pool.subarray(start, start + itemSizeBytes)
  }
}

const write = Effect.fnUntraced(function* (path: string, sizeBytes: number) {
  const encoding = RecordEncoding.zstd(yield* Zstd)
  const writer = yield* PackWriter.make(path, { encoding, contentHash: true })
  yield* writer.appendAll(items(Math.ceil(sizeBytes / itemSizeBytes)))
  return (yield* writer.finish()).itemCount * itemSizeBytes
}, Effect.scoped)

const scan = Effect.fnUntraced(function* (path: string) {
  const encoding = RecordEncoding.zstd(yield* Zstd)
  const reader = yield* PackReader.open(yield* ByteSource.fromFile(path), { encoding })
  let bytes = 0
  yield* Stream.runForEachArray(reader.range(0, reader.itemCount), (read) =>
    Effect.sync(() => {
      for (const item of read) bytes += item.length
    })
  )
  return bytes
}, Effect.scoped)

const program = Effect.gen(function* () {
  const [mode, path, sizeBytes] = process.argv.slice(2)
  const contentBytes = yield* mode === "write" ? write(path!, Number(sizeBytes)) : scan(path!)
  const peakBytes = yield* (yield* ResidentMemory).peakBytes
  yield* Console.log(JSON.stringify({ contentBytes, peakBytes }))
})

// Not through `NodeRuntime`, whose modules would take 24 MB of what is measured.
Effect.runPromise(Effect.provide(program, Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, LiveResidentMemory.layer)))
