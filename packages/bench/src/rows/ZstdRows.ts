/**
 * What strictness costs: one frame through the `Zstd` service beside the runtime's own call on the same bytes.
 */
import { promisify } from "node:util"
import { constants, zstdCompress, zstdDecompress } from "node:zlib"
import { Zstd, ZstdLive } from "@icecore/codec"
import { Effect } from "effect"
import type { Row } from "../Row.ts"

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
const params = {
  [constants.ZSTD_c_compressionLevel]: 3,
  [constants.ZSTD_c_checksumFlag]: 1,
  [constants.ZSTD_c_contentSizeFlag]: 1
}

/** A record as packfiles hold them: 128 items of 400 bytes. */
const recordSizeBytes = 128 * 400

export const zstdRows: ReadonlyArray<Row> = [
  {
    name: "codec/zstd/compress",
    work: "compress records of 50 KiB, one frame each",
    reference: "node:zlib zstdCompress, same parameters",
    unit: "bytes",
    targets: [],
    setup: Effect.fnUntraced(function* ({ isQuick }) {
      const zstd = yield* Zstd
      const records = makeRecords(isQuick ? 20 : 1_000)
      return {
        unitsPerRound: records.length * recordSizeBytes,
        subject: { run: Effect.forEach(records, (record) => zstd.compress(record), { discard: true }) },
        reference: {
          run: Effect.forEach(records, (record) => Effect.tryPromise(() => compress(record, { params })), {
            discard: true
          })
        }
      }
    }, Effect.provide(ZstdLive.layer))
  },
  {
    name: "codec/zstd/decompress",
    work: "decompress records of 50 KiB, one frame each",
    reference: "node:zlib zstdDecompress",
    unit: "bytes",
    targets: [],
    setup: Effect.fnUntraced(function* ({ isQuick }) {
      const zstd = yield* Zstd
      const records = makeRecords(isQuick ? 20 : 1_000)
      const frames = yield* Effect.forEach(records, (record) => zstd.compress(record))
      return {
        unitsPerRound: records.length * recordSizeBytes,
        subject: { run: Effect.forEach(frames, (frame) => zstd.decompress(frame), { discard: true }) },
        reference: {
          run: Effect.forEach(frames, (frame) => Effect.tryPromise(() => decompress(frame)), { discard: true })
        }
      }
    }, Effect.provide(ZstdLive.layer))
  }
]

/** Bytes that compress about as well as JSON does: hexadecimal digits between repeated words. */
const makeRecords = (count: number): ReadonlyArray<Uint8Array> => {
  let state = 0x9e3779b9
  const nextHex = (): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state.toString(16).padStart(8, "0")
  }
  const encoder = new TextEncoder()
  return Array.from({ length: count }, () => {
    let text = ""
    while (text.length < recordSizeBytes)
      text += `{"hash":"0x${nextHex()}${nextHex()}","from":"0x${nextHex()}","value":"${state % 100_000}"}\n`
    return encoder.encode(text.slice(0, recordSizeBytes))
  })
}
