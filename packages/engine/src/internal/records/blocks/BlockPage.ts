/** Reads the rows of a prefix in order, a bounded number at a time. */
import { Effect, Option } from "effect"
import type { Range, Reader, Row } from "../../../Engine.ts"
import * as BlockCursor from "../../../kernel/BlockCursor.ts"
import * as RowPage from "../../../kernel/RowPage.ts"
import { compareBytes } from "../../Bounds.ts"
import { attemptBlocks, type BlockReadError, ofHeader } from "./BlockAttempt.ts"
import { scanBlocks } from "./BlockScan.ts"

export interface PageOptions {
  readonly keyspace: string
  /** The rows' keys begin with it; it has the whole header (version, tag, sync), or more. */
  readonly prefix: Uint8Array
  /** Only rows behind this key in the direction of the page. It begins with the prefix. Default: from the start. */
  readonly after?: Uint8Array
  /** Only rows from this key on, inclusive, in the direction of the page. It begins with the prefix. Default: from the start. */
  readonly from?: Uint8Array
  /** Rows at most, from 1. Fewer come only at the end of the prefix or when the page has `maxBytes`. */
  readonly limit: number
  /** The page ends with the block that takes its blocks to this many bytes. Default 32 MiB. */
  readonly maxBytes?: number
  /** Descending order. Default false. */
  readonly reverse?: boolean
}

export interface WalkOptions extends Omit<PageOptions, "reverse"> {
  /** Takes the cursor's row, which is valid only during the call; or refuses it, and the walk ends in front of it. */
  readonly take: (cursor: BlockCursor.BlockCursor) => boolean
}

export interface ReadPage {
  readonly rows: RowPage.RowPage
  /** There are no rows of the prefix behind the page. */
  readonly isEnd: boolean
}

const defaultMaxBytes: number = 32 * 1024 * 1024

/** Blocks of one scan, at most. */
const blocksAtOnce = 256

/** Rows of a block, until it is known. */
const guessedRows = 32

/** Rows in key order. The reader must be of one moment. */
export const page = (reader: Reader, options: PageOptions): Effect.Effect<ReadPage, BlockReadError> =>
  Effect.suspend(() => {
    const rows = RowPage.make()
    const turning = options.reverse === true ? { rows, turned: RowPage.make() } : undefined
    const take = (cursor: BlockCursor.BlockCursor): boolean => {
      RowPage.addCursorRow(rows, cursor)
      return true
    }
    return Effect.map(readRows(reader, options, makePaging(options, take, turning)), (isEnd) => ({ rows, isEnd }))
  })

/**
 * The rows of a page, given away as they are found: nothing is copied. Returns whether there are no rows of the prefix behind
 * those that were taken.
 */
export const walk = (reader: Reader, { take, ...options }: WalkOptions): Effect.Effect<boolean, BlockReadError> =>
  Effect.suspend(() => readRows(reader, options, makePaging(options, take)))

const readRows: (reader: Reader, options: PageOptions, paging: Paging) => Effect.Effect<boolean, BlockReadError> =
  Effect.fnUntraced(function* (reader, options, paging) {
    const { keyspace, prefix, reverse = false } = options
    const { edge } = paging
    const take = (blocks: ReadonlyArray<Row>) => attemptBlocks(keyspace, () => takeBlocks(paging, blocks))
    /** The block that begins at or before a key and may hold rows behind it. */
    const floor = (key: Uint8Array) =>
      Effect.map(reader.floor(keyspace, key), (row) => ofHeader(Option.getOrUndefined(row), prefix))

    if (!reverse) {
      const first = yield* floor(edge)
      if (first !== undefined) yield* take([first])
    }
    let range: Range = reverse ? (edge === prefix ? { prefix } : { prefix, lte: edge }) : { prefix, gt: edge }
    let isScanned = false
    while (!isScanned && !isOver(paging)) {
      const scanned = yield* scanBlocks(reader, {
        keyspace,
        range,
        reverse,
        limit: blocksFor(paging),
        maxBytes: paging.maxBytes - paging.bytes
      })
      yield* take(scanned.blocks)
      isScanned = scanned.isEnd
      const last = scanned.blocks[scanned.blocks.length - 1]
      if (last !== undefined) range = reverse ? { prefix, lt: last.key } : { prefix, gt: last.key }
    }
    const isRead = isScanned || paging.isPast
    if (reverse && isRead) {
      const last = yield* floor(prefix)
      if (last !== undefined && compareBytes(last.key, prefix) !== 0) yield* take([last])
    }
    return isRead && !paging.isCut
  })

interface Paging {
  readonly prefix: Uint8Array
  /** Rows before it, in the direction of the page, are not wanted. */
  readonly edge: Uint8Array
  readonly isEdgeWanted: boolean
  readonly limit: number
  readonly maxBytes: number
  readonly cursor: BlockCursor.BlockCursor
  readonly take: (cursor: BlockCursor.BlockCursor) => boolean
  /** For rows that are turned round: where they go, and those of one block. */
  readonly turning: Turning | undefined
  rowCount: number
  /** The next row may be before the edge. */
  isAtEdge: boolean
  blockCount: number
  bytes: number
  /** A row was found for which there is no room. */
  isCut: boolean
  /** A row behind the prefix was found. */
  isPast: boolean
}

interface Turning {
  readonly rows: RowPage.RowPage
  readonly turned: RowPage.RowPage
}

/** PERF: without a page of rows that nothing is put into: 8 KiB for each, which a small page notices. */
const makePaging = (
  { after, from, limit, maxBytes = defaultMaxBytes, prefix, reverse = false }: PageOptions,
  take: Paging["take"],
  turning?: Turning
): Paging => ({
  prefix,
  edge: after ?? from ?? prefix,
  isEdgeWanted: after === undefined,
  limit,
  maxBytes,
  cursor: BlockCursor.make(),
  take,
  turning,
  rowCount: 0,
  isAtEdge: !reverse || after !== undefined || from !== undefined,
  blockCount: 0,
  bytes: 0,
  isCut: false,
  isPast: false
})

const isOver = ({ bytes, isCut, isPast, maxBytes }: Paging): boolean => isCut || isPast || bytes >= maxBytes

/** One row more than the page has room for says whether it is the last. */
const blocksFor = ({ blockCount, limit, rowCount }: Paging): number => {
  const rowsPerBlock = blockCount === 0 ? guessedRows : Math.max(1, rowCount / blockCount)
  return Math.min(blocksAtOnce, Math.ceil((limit + 1 - rowCount) / rowsPerBlock))
}

const takeBlocks = (paging: Paging, blocks: ReadonlyArray<Row>): void => {
  for (const block of blocks) {
    if (paging.isCut || paging.isPast) return
    paging.blockCount++
    paging.bytes += block.value.length
    BlockCursor.start(paging.cursor, block.key, block.value)
    if (paging.turning === undefined) takeForward(paging)
    else takeReversed(paging, paging.turning)
  }
}

/** PERF: a row that shares the whole prefix with the one before is inside when that one is. */
const takeForward = (paging: Paging): void => {
  const { cursor, edge, isEdgeWanted, limit, prefix, take } = paging
  while (BlockCursor.next(cursor)) {
    if (paging.isAtEdge) {
      const order = BlockCursor.compareKey(cursor, edge)
      if (order < 0 || (order === 0 && !isEdgeWanted)) continue
      paging.isAtEdge = false
    }
    if (cursor.shared < prefix.length && !BlockCursor.hasPrefix(cursor, prefix)) {
      paging.isPast = true
      return
    }
    if (paging.rowCount === limit || !take(cursor)) {
      paging.isCut = true
      return
    }
    paging.rowCount++
  }
}

const takeReversed = (paging: Paging, { rows, turned }: Turning): void => {
  const { cursor, edge, isEdgeWanted, limit, prefix } = paging
  RowPage.clear(turned)
  while (BlockCursor.next(cursor)) {
    if (paging.isAtEdge) {
      const order = BlockCursor.compareKey(cursor, edge)
      if (order > 0 || (order === 0 && !isEdgeWanted)) break
    }
    if (BlockCursor.hasPrefix(cursor, prefix)) RowPage.addCursorRow(turned, cursor)
  }
  paging.isAtEdge = false
  const first = Math.max(0, turned.rowCount - (limit - paging.rowCount))
  paging.isCut = first > 0
  RowPage.addReversed(rows, turned, first)
  paging.rowCount = rows.rowCount
}
