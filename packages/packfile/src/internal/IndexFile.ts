/** An index file that has been opened: its header and table, checked, and its blocks, checked as they are touched. */
import { Crc32c } from "@icecore/codec"
import { Effect } from "effect"
import type { DiskError, File } from "../Disk.ts"
import * as Format from "../format/KeyIndexFormat.ts"
import { KeyIndexCorrupt } from "../KeyError.ts"
import * as BlockCodec from "../kernel/BlockCodec.ts"
import * as BlockTable from "../kernel/BlockTable.ts"

export interface IndexFile {
  readonly file: File
  readonly sizeBytes: number
  readonly fields: Format.IndexFields
  readonly table: BlockTable.BlockTable
}

type IndexError = KeyIndexCorrupt | DiskError

const corrupt = (path: string, fault: Format.IndexFault): KeyIndexCorrupt => new KeyIndexCorrupt({ path, ...fault })

/** Reads header, table and footer, in two reads, and checks them. */
export const open: (file: File) => Effect.Effect<IndexFile, IndexError> = Effect.fnUntraced(function* (file: File) {
  const { path } = file
  const sizeBytes = yield* file.size
  const smallest = Format.headerSizeBytes + Format.footerSizeBytes
  if (sizeBytes < smallest) {
    const detail = `the file has ${sizeBytes} bytes, expected at least ${smallest}`
    return yield* corrupt(path, { part: "size", detail, offsetBytes: 0 })
  }
  const header = new Uint8Array(Format.headerSizeBytes)
  yield* file.readAt(header, 0)
  const fields = Format.decodeHeader(header, sizeBytes)
  if ("part" in fields) return yield* corrupt(path, fields)
  const end = new Uint8Array(sizeBytes - fields.tableOffset)
  yield* file.readAt(end, fields.tableOffset)
  const tableSizeBytes = end.length - Format.footerSizeBytes
  const incomplete = Format.footerFault(end.subarray(tableSizeBytes), header, sizeBytes)
  if (incomplete !== undefined) return yield* corrupt(path, incomplete)
  const table = BlockTable.decode(end.subarray(0, tableSizeBytes), fields)
  if ("part" in table) return yield* corrupt(path, table)
  return { file, sizeBytes, fields, table }
})

/** The bytes of a block, checked. */
export const readBlock = ({ fields, file, table }: IndexFile, block: number): Effect.Effect<Uint8Array, IndexError> =>
  Effect.suspend(() => {
    const start = table.offsets[block]!
    const bytes = new Uint8Array(table.offsets[block + 1]! - start)
    return Effect.flatMap(file.readAt(bytes, start), () => {
      const fault = blockFault(fields, table, block, bytes, 0)
      return fault === undefined ? Effect.succeed(bytes) : Effect.fail(corrupt(file.path, fault))
    })
  })

/** The whole file, every block of it checked. */
export const readAll: (index: IndexFile) => Effect.Effect<Uint8Array, IndexError> = Effect.fnUntraced(function* ({
  fields,
  file,
  sizeBytes,
  table
}: IndexFile) {
  const bytes = new Uint8Array(sizeBytes)
  yield* file.readAt(bytes, 0)
  for (let block = 0; block < table.blockCount; block++) {
    const fault = blockFault(fields, table, block, bytes, table.offsets[block]!)
    if (fault !== undefined) return yield* corrupt(file.path, fault)
    if (block % blocksPerTurn === blocksPerTurn - 1) yield* Effect.yieldNow
  }
  return bytes
})

/** Blocks that are checked before other fibers have their turn: some 2 ms. */
const blocksPerTurn = 64

/** Reads all of the file once more, header and table too, and checks it. */
export const verify: (file: File) => Effect.Effect<void, IndexError> = Effect.fnUntraced(function* (file: File) {
  const index = yield* open(file)
  for (let block = 0; block < index.table.blockCount; block++) {
    yield* readBlock(index, block)
    if (block % blocksPerTurn === blocksPerTurn - 1) yield* Effect.yieldNow
  }
})

/** Why a block, which begins at `start` of `bytes`, must not be believed. */
const blockFault = (
  fields: Format.IndexFields,
  table: BlockTable.BlockTable,
  block: number,
  bytes: Uint8Array,
  start: number
): Format.IndexFault | undefined => {
  const offsetBytes = table.offsets[block]!
  const expected = table.checksums[block]!
  const actual = Crc32c.update(0, bytes, start, start + table.offsets[block + 1]! - offsetBytes)
  if (actual !== expected) {
    const detail = `checksum of block ${block} is 0x${actual.toString(16)}, expected 0x${expected.toString(16)}`
    return { part: "block", detail, offsetBytes }
  }
  const detail = BlockCodec.structureFault(bytes, start, {
    isPlain: table.kinds[block] === Format.kinds.plain,
    keyCount: Format.keysOfBlock(fields, block),
    payloadSizeBytes: fields.payloadSizeBytes,
    maxPayload: fields.lastSeq - fields.firstSeq
  })
  return detail === undefined ? undefined : { part: "block", detail: `in block ${block} ${detail}`, offsetBytes }
}
