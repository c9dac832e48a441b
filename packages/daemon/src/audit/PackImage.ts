/**
 * A plain reader of packs of entries, for the audit: every record from first to last, everything checked that the format lets
 * one check. Written from the description of the format, beside the reader that it is to check.
 */
import { createHash } from "node:crypto"
import { Crc32c, type Zstd } from "@icecore/codec"
import type { Disk, DiskError } from "@icecore/packfile"
import { Data, Effect, Option, type Scope, Stream } from "effect"

/** A file is not what it must be. */
export class ImageWrong extends Data.Error<{
  readonly path: string
  readonly detail: string
  /** Positions of the items that are concerned, both inclusive, where it is not the whole file. */
  readonly items: Option.Option<{ readonly first: number; readonly last: number }>
}> {
  readonly _tag = "ImageWrong"
  override readonly name = "ImageWrong"
  override get message(): string {
    return `Cannot take ${this.path} for what it should be: ${this.detail}`
  }
}

/** What a pack of entries says about the run of its chunk. */
export interface StatedRun {
  readonly keyCount: number
  readonly checksum: number
}

export interface PackImage {
  readonly itemCount: number
  readonly firstSeq: bigint
  readonly run: Option.Option<StatedRun>
  readonly contentHash: string
  /** The items of one record after another. Ends with an error when they do not give the content hash. */
  readonly records: Stream.Stream<ReadonlyArray<Uint8Array>, ImageWrong | DiskError>
}

const trailerBytes = 76
const groupItems = 128
/** Index and app data of any real chunk are far smaller. */
const maxTailBytes = 256 * 1024 * 1024
const maxRecordBytes = 64 * 1024 * 1024

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const hex = (value: number): string => `0x${value.toString(16)}`

/** Values of a frame-of-reference group that ends at `end`, and where it begins; undefined when there is none. */
const groupBefore = (
  bytes: Uint8Array,
  end: number,
  count: number
): { readonly values: ReadonlyArray<number>; readonly start: number } | undefined => {
  if (end < 5) return undefined
  const minimum = viewOf(bytes).getUint32(end - 4, true)
  const width = bytes[end - 5]!
  const start = end - 5 - Math.ceil((count * width) / 8)
  if (width < 1 || width > 32 || start < 0) return undefined
  const values: Array<number> = []
  for (let index = 0; index < count; index++) {
    let residual = 0
    for (let bit = 0; bit < width; bit++) {
      const at = index * width + bit
      residual += ((bytes[start + (at >> 3)]! >> (at & 7)) & 1) * 2 ** bit
    }
    values.push(minimum + residual)
  }
  return { values, start }
}

/** Opens the file for the scope. */
export const open: (
  disk: Disk,
  zstd: Zstd,
  path: string
) => Effect.Effect<PackImage, ImageWrong | DiskError, Scope.Scope> = Effect.fnUntraced(function* (
  disk: Disk,
  zstd: Zstd,
  path: string
) {
  const wrong = (detail: string, items?: { readonly first: number; readonly last: number }): ImageWrong =>
    new ImageWrong({ path, detail, items: Option.fromUndefinedOr(items) })
  const file = yield* disk.open(path, "read")
  const size = yield* file.size
  const read = (offset: number, length: number): Effect.Effect<Uint8Array, DiskError> =>
    Effect.suspend(() => {
      const bytes = new Uint8Array(length)
      return Effect.as(file.readAt(bytes, offset), bytes)
    })
  if (size < trailerBytes) return yield* wrong(`it has ${size} bytes, a trailer has ${trailerBytes}`)
  const trailer = yield* read(size - trailerBytes, trailerBytes)
  const at = viewOf(trailer)
  if (at.getUint32(0, true) !== 0x48434c53) return yield* wrong("it does not end in the magic of a packfile")
  if (at.getUint8(4) !== 1) return yield* wrong(`its version is ${at.getUint8(4)}`)
  const trailerSum = Crc32c.checksum(trailer.subarray(0, 72))
  if (trailerSum !== at.getUint32(72, true)) return yield* wrong(`the checksum of its trailer is ${hex(trailerSum)}`)
  if (at.getUint8(5) !== 1) return yield* wrong("it has no content hash")
  const format = at.getUint32(8, true)
  if (format !== 1 && format !== 2) return yield* wrong(`its format is ${format}`)
  const recordCount = at.getUint32(12, true)
  const itemCount = at.getUint32(16, true)
  const itemsPerRecord = at.getUint32(20, true)
  const indexBytes = at.getUint32(28, true)
  const appDataBytes = at.getUint32(32, true)
  const contentHash = Buffer.from(trailer.subarray(36, 68)).toString("hex")
  if (itemsPerRecord === 0 || Math.ceil(itemCount / itemsPerRecord) !== recordCount)
    return yield* wrong(`it has ${recordCount} records of ${itemsPerRecord} for ${itemCount} items`)
  const indexAt = size - trailerBytes - appDataBytes - indexBytes
  if (indexAt < 0 || indexBytes < 4 || indexBytes + appDataBytes > maxTailBytes)
    return yield* wrong(`index and app data of ${indexBytes} and ${appDataBytes} bytes do not fit`)
  const index = yield* read(indexAt, indexBytes)
  const groups = index.subarray(0, indexBytes - 4)
  if (Crc32c.checksum(groups) !== viewOf(index).getUint32(indexBytes - 4, true))
    return yield* wrong("the checksum of its offset index does not hold")
  const sizes: Array<number> = []
  let end = groups.length
  for (let left = recordCount; left > 0; ) {
    const count = left % groupItems === 0 ? groupItems : left % groupItems
    const group = groupBefore(groups, end, count)
    if (group === undefined) return yield* wrong("its offset index ends too early")
    sizes.unshift(...group.values)
    end = group.start
    left -= count
  }
  if (end !== 0 || sizes.reduce((sum, value) => sum + value, 0) !== indexAt)
    return yield* wrong("its offset index does not name the records that are there")
  const appData = yield* read(indexAt + indexBytes, appDataBytes)
  const headBytes = format === 1 ? 12 : 20
  if (appDataBytes !== headBytes + 4 * recordCount)
    return yield* wrong(`its app data has ${appDataBytes} bytes for ${recordCount} records`)
  const app = viewOf(appData)
  if (Crc32c.checksum(appData.subarray(0, headBytes - 4)) !== app.getUint32(headBytes - 4, true))
    return yield* wrong("the checksum of its first seq does not hold")

  const readRecord = Effect.fnUntraced(function* (record: number, offset: number) {
    const first = record * itemsPerRecord
    const count = Math.min(itemsPerRecord, itemCount - first)
    const fail = (detail: string) => wrong(`record ${record}: ${detail}`, { first, last: first + count - 1 })
    const stored = yield* read(offset, sizes[record]!)
    let lengths: ReadonlyArray<number> | undefined
    let frameEnd = stored.length
    if (itemsPerRecord > 1) {
      const group = groupBefore(stored, stored.length - 4, count)
      if (group === undefined) return yield* fail("its item sizes do not decode")
      frameEnd = group.start
      const sum = Crc32c.checksum(stored.subarray(frameEnd, stored.length - 4))
      if (sum !== viewOf(stored).getUint32(stored.length - 4, true))
        return yield* fail("the checksum of its item sizes does not hold")
      lengths = group.values
    }
    const frame = stored.subarray(0, frameEnd)
    if (Crc32c.checksum(frame) !== app.getUint32(headBytes + 4 * record, true))
      return yield* fail("its stored bytes are not those that were written")
    const expected = lengths?.reduce((sum, value) => sum + value, 0)
    const payload =
      frame.length === 0
        ? frame
        : yield* zstd
            .decompress(frame, {
              maxSizeBytes: maxRecordBytes,
              ...(expected === undefined ? {} : { expectedSizeBytes: expected })
            })
            .pipe(Effect.mapError((error) => fail(error.detail)))
    if (expected !== undefined && payload.length !== expected) return yield* fail(`it has ${payload.length} bytes`)
    const items: Array<Uint8Array> = []
    let from = 0
    for (const length of lengths ?? [payload.length]) {
      items.push(payload.subarray(from, from + length))
      from += length
    }
    return items
  })

  const records = Stream.suspend(() => {
    const whole = createHash("sha256")
    let offset = 0
    const decoded = Stream.fromIterable(sizes.keys()).pipe(
      Stream.rechunk(1),
      Stream.mapEffect((record) => {
        const start = offset
        offset += sizes[record]!
        return readRecord(record, start)
      }),
      Stream.map((items): ReadonlyArray<Uint8Array> => {
        const one = createHash("sha256")
        const length = Buffer.alloc(4)
        for (const item of items) {
          length.writeUInt32LE(item.length)
          one.update(length).update(item)
        }
        whole.update(one.digest())
        return items
      })
    )
    const held = Stream.fromEffectDrain(
      Effect.suspend(() => {
        const actual = whole.digest("hex")
        return actual === contentHash ? Effect.void : Effect.fail(wrong(`its items give the content hash ${actual}`))
      })
    )
    return Stream.concat(decoded, held)
  })

  return {
    itemCount,
    firstSeq: app.getBigUint64(0, true),
    run:
      format === 1
        ? Option.none()
        : Option.some({ keyCount: app.getUint32(8, true), checksum: app.getUint32(12, true) }),
    contentHash,
    records
  }
})
