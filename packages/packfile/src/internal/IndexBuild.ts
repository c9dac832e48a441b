/** Builds a key index: a streamed merge of runs, in memory that does not depend on how many keys they hold. */
import { Crc32c } from "@icecore/codec"
import { Effect } from "effect"
import { Disk, type DiskError, type File } from "../Disk.ts"
import * as Format from "../format/KeyIndexFormat.ts"
import { KeyIndexDuplicateKey, type KeyRunCorrupt } from "../KeyError.ts"
import * as BlockCodec from "../kernel/BlockCodec.ts"
import * as BlockSolver from "../kernel/BlockSolver.ts"
import * as BlockTable from "../kernel/BlockTable.ts"
import * as KeyFeed from "../kernel/KeyFeed.ts"
import * as RowBatch from "../kernel/RowBatch.ts"
import * as RunMerge from "../kernel/RunMerge.ts"
import * as Output from "./Output.ts"
import * as RunInput from "./RunInput.ts"

/** What is built. */
export interface IndexOrder {
  readonly path: string
  readonly runs: ReadonlyArray<RunInput.RunSource>
  readonly coverage: { readonly window: number; readonly lo: number; readonly hi: number }
  readonly windowFirstSeq: number
  readonly coverageFirstSeq: number
  readonly coverageLastSeq: number
  readonly duplicates: Format.DuplicatePolicy
}

/** How it is built. What is in the file depends on `keysPerBlock` and `seedCount` alone. */
export interface BuildSettings extends RunInput.RunInputLimits {
  readonly keysPerBlock: (rowCount: number) => number
  /**
   * Seeds that are tried for a block, up to 256, before it keeps its prefixes. Of 1,000 blocks of 4,096 keys that were not chosen to collide
   * at most 2 need a second one, of 64 keys 5; each that fails costs as much as a block.
   */
  readonly seedCount: number
}

export interface Built {
  readonly keyCount: number
  readonly sizeBytes: number
  readonly duplicateCount: number
}

const usualKeysPerBlock = 4096

/** Blocks of an index whose table is still read in one go and kept in memory. Above, blocks are larger. */
const usualBlockCount: number = 2 ** 18

/** Bytes of a file after which the system is asked to write them back. */
const bytesPerSync: number = 8 * 1024 * 1024

/** Seeds tried between two chances for other fibers, one for a block as a rule: 16,384 keys, some 3 ms. */
const seedsPerTurn = 4

export const defaultSettings: BuildSettings = {
  pagesSizeBytes: 16 * 1024 * 1024,
  openFiles: 1024,
  batchRows: 32_768,
  seedCount: 16,
  keysPerBlock: (rowCount) => {
    let keys = usualKeysPerBlock
    while (keys < Format.maxKeysPerBlock && rowCount / keys > usualBlockCount) keys *= 2
    return keys
  }
}

/** The state of a build. */
interface Building {
  readonly order: IndexOrder
  readonly settings: BuildSettings
  readonly output: Output.Output
  readonly solver: BlockSolver.BlockSolver
  readonly block: BlockCodec.KeyBlock
  readonly encodeOptions: BlockCodec.EncodeOptions
  readonly encoded: BlockCodec.EncodedBlock
  readonly blockBytes: Uint8Array
  readonly table: DataView
  keyCount: number
  blockCount: number
}

/** Writes the whole index to an empty file. The caller syncs it, and removes it when this fails. */
export const writeTo: (
  file: File,
  order: IndexOrder,
  settings: BuildSettings
) => Effect.Effect<Built, KeyIndexDuplicateKey | KeyRunCorrupt | DiskError, Disk> = Effect.fnUntraced(function* (
  file: File,
  order: IndexOrder,
  settings: BuildSettings
) {
  const baseOffset = order.coverageFirstSeq - order.windowFirstSeq
  const bounds = { minOffset: baseOffset, maxOffset: order.coverageLastSeq - order.windowFirstSeq }
  const input = yield* RunInput.open(yield* Disk, order.runs, bounds, settings)
  const keysPerBlock = settings.keysPerBlock(input.rowCount)
  const payloadSizeBytes = Format.payloadSizeOf(order.coverageFirstSeq, order.coverageLastSeq)
  const maxBlockCount = Math.ceil(input.rowCount / keysPerBlock)
  const building: Building = {
    order,
    settings,
    output: Output.make(file, bytesPerSync, yield* Effect.scope),
    solver: BlockSolver.make(keysPerBlock),
    block: BlockCodec.makeKeyBlock(keysPerBlock),
    encodeOptions: { baseOffset, payloadSizeBytes, seedCount: settings.seedCount },
    encoded: { kind: Format.kinds.hashed, seed: 0, sizeBytes: 0 },
    blockBytes: new Uint8Array(Format.blockSizeOf(Format.kinds.plain, keysPerBlock, payloadSizeBytes)),
    table: new DataView(new ArrayBuffer(maxBlockCount * Format.tableEntrySizeBytes)),
    keyCount: 0,
    blockCount: 0
  }
  building.output.push(new Uint8Array(Format.headerSizeBytes))
  const duplicateCount = yield* writeBlocks(building, input, keysPerBlock)
  return yield* writeEnd(file, building, { keysPerBlock, payloadSizeBytes, duplicateCount })
}, Effect.scoped)

/** Merges all rows into blocks; returns how many lost to another with their key. */
const writeBlocks: (
  building: Building,
  input: RunInput.RunInput,
  keysPerBlock: number
) => Effect.Effect<number, KeyIndexDuplicateKey | KeyRunCorrupt | DiskError> = Effect.fnUntraced(function* (
  building: Building,
  input: RunInput.RunInput,
  keysPerBlock: number
) {
  const { block, order, output, settings } = building
  const batch = RowBatch.make(Math.max(settings.batchRows, input.pages.views.length))
  const feed = KeyFeed.make(batch, block, { keysPerBlock, duplicates: order.duplicates })
  let turnSeeds = 0
  while (true) {
    yield* input.refill
    RunMerge.fill(input.pages, batch)
    if (batch.rowCount === 0) break
    RowBatch.sort(batch)
    feed.at = 0
    let state = KeyFeed.move(feed)
    for (; state === "full"; state = KeyFeed.move(feed)) {
      turnSeeds += pushBlock(building)
      if (!output.hasRoom()) yield* output.reserve
      if (turnSeeds < seedsPerTurn) continue
      turnSeeds = 0
      yield* Effect.yieldNow
    }
    if (state === "duplicate") return yield* duplicateKey(order, block, feed.duplicateOffset)
  }
  if (block.keyCount > 0) pushBlock(building)
  return feed.duplicateCount
})

/** Encodes the block, writes it out and empties it; returns how many seeds were tried. */
const pushBlock = (building: Building): number => {
  const { block, blockBytes, encoded, encodeOptions, output, solver, table } = building
  BlockCodec.encode(solver, block, encodeOptions, blockBytes, encoded)
  const checksum = Crc32c.update(0, blockBytes, 0, encoded.sizeBytes)
  BlockTable.encodeEntry(table, building.blockCount, {
    words: block.words,
    checksum,
    kind: encoded.kind,
    seed: encoded.seed
  })
  output.push(blockBytes.subarray(0, encoded.sizeBytes))
  building.keyCount += block.keyCount
  building.blockCount++
  block.keyCount = 0
  return encoded.kind === Format.kinds.hashed ? encoded.seed + 1 : encodeOptions.seedCount
}

/** The table and the footer, and last of all the header, which cannot be known before. */
const writeEnd: (
  file: File,
  building: Building,
  options: { readonly keysPerBlock: number; readonly payloadSizeBytes: number; readonly duplicateCount: number }
) => Effect.Effect<Built, DiskError> = Effect.fnUntraced(function* (
  file: File,
  { blockCount, keyCount, order, output, table }: Building,
  options: { readonly keysPerBlock: number; readonly payloadSizeBytes: number; readonly duplicateCount: number }
) {
  const tableBytes = new Uint8Array(table.buffer, 0, blockCount * Format.tableEntrySizeBytes)
  const tableOffset = output.sizeBytes()
  const header = Format.encodeHeader({
    ...options,
    ...order.coverage,
    keyCount,
    firstSeq: order.coverageFirstSeq,
    lastSeq: order.coverageLastSeq,
    duplicates: order.duplicates,
    tableChecksum: Crc32c.checksum(tableBytes),
    tableOffset,
    blockCount
  })
  const sizeBytes = tableOffset + tableBytes.length + Format.footerSizeBytes
  output.push(tableBytes)
  output.push(Format.encodeFooter(header, sizeBytes))
  yield* output.drain
  yield* file.writeAt(header, 0)
  return { keyCount, sizeBytes, duplicateCount: options.duplicateCount }
})

/** The rows of a key come by offset, so the block holds the first of them. */
const duplicateKey = (
  { path, windowFirstSeq }: IndexOrder,
  { keyCount, offsets, words }: BlockCodec.KeyBlock,
  secondOffset: number
): KeyIndexDuplicateKey => {
  const key = keyCount - 1
  const hex = Array.from(words.subarray(4 * key, 4 * key + 4), (word) => (word >>> 0).toString(16).padStart(8, "0"))
  return new KeyIndexDuplicateKey({
    path,
    key: hex.join(""),
    firstSeq: windowFirstSeq + offsets[key]!,
    secondSeq: windowFirstSeq + secondOffset
  })
}
