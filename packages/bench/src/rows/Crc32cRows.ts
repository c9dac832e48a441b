/**
 * The checksum in JavaScript beside one that the runtime has natively. No runtime has Castagnoli's polynomial.
 */
import { crc32 } from "node:zlib"
import { Crc32c } from "@icecore/codec"
import { Effect } from "effect"
import { fillRandom } from "../fixtures/KeyedRows.ts"
import type { Row } from "../Row.ts"

const crc32cRow = (sizeBytes: number): Row => ({
  name: `codec/crc32c/${sizeBytes}`,
  work: `checksum buffers of ${sizeBytes} bytes`,
  reference: "node:zlib crc32, native, of another polynomial",
  unit: "bytes",
  targets: [],
  setup: Effect.fnUntraced(function* ({ isQuick }) {
    const bytes = new Uint8Array(isQuick ? 4_000_000 : 64_000_000)
    yield* Effect.sync(() => fillRandom(bytes, 1))
    const count = Math.floor(bytes.length / sizeBytes)
    const buffers = Array.from({ length: count }, (_, at) => bytes.subarray(at * sizeBytes, (at + 1) * sizeBytes))
    const each = (checksum: (buffer: Uint8Array) => number) =>
      Effect.sync(() => {
        for (const buffer of buffers) checksum(buffer)
      })
    return {
      unitsPerRound: count * sizeBytes,
      subject: { run: each(Crc32c.checksum) },
      reference: { run: each((buffer) => crc32(buffer)) }
    }
  })
})

/** A row of an engine, and the offset index of a large pack. */
export const crc32cRows: ReadonlyArray<Row> = [crc32cRow(160), crc32cRow(64_000)]
