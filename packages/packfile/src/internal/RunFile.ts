/** What can be told of a key run without reading its rows. */
import { Effect } from "effect"
import type { DiskError, File } from "../Disk.ts"
import * as Format from "../format/KeyRunFormat.ts"
import { KeyRunCorrupt, type KeyRunPart } from "../KeyError.ts"

/** What is known of a run from elsewhere. */
export interface ExpectedRun {
  readonly keyCount: number
  /** CRC32C of the whole file. */
  readonly checksum: number
}

/** Reads the count and holds it against the size of the file, and against what is expected. */
export const rowCountOf: (
  file: File,
  expected: ExpectedRun | undefined
) => Effect.Effect<number, KeyRunCorrupt | DiskError> = Effect.fnUntraced(function* (
  file: File,
  expected: ExpectedRun | undefined
) {
  const corrupt = (part: KeyRunPart, detail: string): KeyRunCorrupt =>
    new KeyRunCorrupt({ path: file.path, part, detail, offsetBytes: 0 })
  const sizeBytes = yield* file.size
  if (sizeBytes < Format.headerSizeBytes) {
    return yield* corrupt("size", `the file has ${sizeBytes} bytes, expected at least ${Format.headerSizeBytes}`)
  }
  const header = new Uint8Array(Format.headerSizeBytes)
  yield* file.readAt(header, 0)
  const rowCount = Format.decodeHeader(new DataView(header.buffer))
  if (Format.sizeOf(rowCount) !== sizeBytes) {
    return yield* corrupt(
      "size",
      `the file has ${sizeBytes} bytes, expected ${Format.sizeOf(rowCount)} for ${rowCount} keys`
    )
  }
  if (expected !== undefined && expected.keyCount !== rowCount) {
    return yield* corrupt("count", `it has ${rowCount} keys, expected ${expected.keyCount}`)
  }
  return rowCount
})

/** The error of a run that is not the expected one. */
export const checksumFault = (path: string, expected: number, actual: number): KeyRunCorrupt =>
  new KeyRunCorrupt({
    path,
    part: "checksum",
    detail: `checksum of the file is 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`,
    offsetBytes: 0
  })

/** The error of a row that does not come after the one before. */
export const orderFault = (path: string, offsetBytes: number): KeyRunCorrupt =>
  new KeyRunCorrupt({ path, part: "order", detail: "the row comes before the one in front of it", offsetBytes })

/** The error of an offset that no entry here can have. */
export const offsetFault = (
  path: string,
  offsetBytes: number,
  offset: number,
  bounds: { readonly minOffset: number; readonly maxOffset: number }
): KeyRunCorrupt =>
  new KeyRunCorrupt({
    path,
    part: "offset",
    detail: `it is ${offset}, expected ${bounds.minOffset} to ${bounds.maxOffset}`,
    offsetBytes
  })
