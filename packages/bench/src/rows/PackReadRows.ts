/**
 * Reading packfiles, warm: all items in order beside the `zstd` program, and single items beside the bare decoder.
 */
import { writeFileSync } from "node:fs"
import { promisify } from "node:util"
import { constants, zstdCompress } from "node:zlib"
import { Zstd, ZstdLive } from "@icecore/codec"
import { ByteSource, PackReader, PackWriter, RecordEncoding } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Stream } from "effect"
import { make as makeItems } from "../fixtures/JsonItems.ts"
import { randomIndexes } from "../fixtures/KeyedRows.ts"
import * as Program from "../peers/Program.ts"
import { type Row, requireWork } from "../Row.ts"
import { itemCountOf, itemSizeBytes } from "./PackWriteRows.ts"

const itemsPerRecord = 128
const recordSizeBytes: number = itemsPerRecord * itemSizeBytes

const services = Layer.merge(LiveDisk.layer, ZstdLive.layer)

const sequentialName = "packfile/read/sequential"
const randomName = "packfile/read/random"

export const packReadRows: ReadonlyArray<Row> = [
  {
    name: sequentialName,
    work: `read all items of ${itemSizeBytes} bytes of a zstd pack in order`,
    reference: "zstd -d to /dev/null",
    unit: "bytes",
    targets: [{ kind: "throughput", atLeast: 0.9 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      yield* Program.required(sequentialName, ["zstd"])
      const input = `${directory}/input`
      const count = itemCountOf(isQuick)
      // In a function of its own, so that 800,000 items do not stay for the garbage collector to walk over in every round.
      const { reader } = yield* Effect.suspend(() => {
        const { bytes, items } = makeItems(count, itemSizeBytes)
        writeFileSync(input, bytes)
        return packOf(directory, items)
      }).pipe(Effect.provideContext(yield* Layer.build(services)))
      const sizeBytes = count * itemSizeBytes
      yield* Program.output("zstd", ["-3", "-T0", "-q", "-o", `${input}.zst`, input])
      return {
        unitsPerRound: sizeBytes,
        subject: {
          run: Effect.flatMap(readBytes(reader), (actual) =>
            requireWork(sequentialName, "bytes read", { expected: sizeBytes, actual })
          )
        },
        reference: { run: Program.output("zstd", ["-d", "-q", "-f", "-o", "/dev/null", `${input}.zst`]) }
      }
    })
  },
  {
    name: randomName,
    work: `read single items of ${itemSizeBytes} bytes of a zstd pack in random order, one read of the disk each`,
    reference: "Bun.zstdDecompressSync of their records, in memory",
    unit: "reads",
    targets: [{ kind: "time", atMost: 1.25 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const count = isQuick ? 2_000 : 20_000
      const { bytes, items } = makeItems(itemsPerRecord * 2_000, itemSizeBytes)
      const { reader, reads } = yield* Effect.provideContext(packOf(directory, items), yield* Layer.build(services))
      const frames = yield* Effect.forEach(
        Array.from({ length: reader.recordCount }, (_, record) => record * recordSizeBytes),
        (start) => Effect.tryPromise(() => compress(bytes.subarray(start, start + recordSizeBytes), { params })),
        { concurrency: 4 }
      )
      const positions = randomIndexes(count, items.length)
      return {
        unitsPerRound: count,
        subject: {
          run: Effect.gen(function* () {
            const before = reads()
            const actual = yield* readSingly(reader, positions)
            yield* requireWork(randomName, "bytes read", { expected: count * itemSizeBytes, actual })
            yield* requireWork(randomName, "reads of the disk", { expected: count, actual: reads() - before })
          })
        },
        reference: {
          run: Effect.suspend(() => {
            let actual = 0
            for (const position of positions)
              actual += Bun.zstdDecompressSync(frames[Math.floor(position / itemsPerRecord)]!).length
            return requireWork(randomName, "bytes decoded", { expected: count * recordSizeBytes, actual })
          })
        }
      }
    })
  }
]

const compress = promisify(zstdCompress)
const params = { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 }

/** A pack of the items, open over a source that counts its reads. */
const packOf = Effect.fnUntraced(function* (directory: string, items: ReadonlyArray<Uint8Array>) {
  const path = `${directory}/items.pack`
  const encoding = RecordEncoding.zstd(yield* Zstd)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* PackWriter.make(path, { encoding, itemsPerRecord })
      yield* writer.appendAll(items)
      yield* writer.finish()
    })
  )
  const file = yield* ByteSource.fromFile(path)
  let reads = 0
  const source: ByteSource.ByteSource = {
    ...file,
    read: (offsetBytes, lengthBytes) => {
      reads++
      return file.read(offsetBytes, lengthBytes)
    }
  }
  return { reader: yield* PackReader.open(source, { encoding }), reads: () => reads }
})

const readBytes = (reader: PackReader.PackReader) =>
  Effect.suspend(() => {
    let bytes = 0
    return Effect.map(
      Stream.runForEachArray(reader.range(0, reader.itemCount), (items) =>
        Effect.sync(() => {
          for (const item of items) bytes += item.length
        })
      ),
      () => bytes
    )
  })

const readSingly = (reader: PackReader.PackReader, positions: Uint32Array) =>
  Effect.suspend(() => {
    let next = 0
    let bytes = 0
    return Effect.map(
      Effect.whileLoop({
        while: () => next < positions.length,
        body: () => reader.read(positions[next++]!),
        step: (item) => {
          bytes += item.length
        }
      }),
      () => bytes
    )
  })
