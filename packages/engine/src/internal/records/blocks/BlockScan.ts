/** Reads blocks one after another, in bounded numbers. */
import { Effect } from "effect"
import type { EngineReadError, Range, Reader, Row } from "../../../Engine.ts"

export interface BlockScanOptions {
  readonly keyspace: string
  readonly range: Range
  readonly reverse?: boolean
  /** Blocks at most, from 1. */
  readonly limit: number
  /** Ends with the block that takes the values to so many bytes. */
  readonly maxBytes: number
}

export interface ScannedBlocks {
  readonly blocks: ReadonlyArray<Row>
  /** There are no more in the range. */
  readonly isEnd: boolean
}

export const scanBlocks: (reader: Reader, options: BlockScanOptions) => Effect.Effect<ScannedBlocks, EngineReadError> =
  Effect.fnUntraced(function* (reader, { keyspace, limit, maxBytes, range, reverse = false }) {
    let left: Range = range
    let blocks: ReadonlyArray<Row> = []
    for (let bytes = 0; ; ) {
      const page = yield* reader.page(keyspace, { ...left, reverse, limit: limit - blocks.length })
      const taken = countTaken(page.rows, maxBytes - bytes)
      if (taken < page.rows.length) return { blocks: [...blocks, ...page.rows.slice(0, taken)], isEnd: false }
      blocks = blocks.length === 0 ? page.rows : [...blocks, ...page.rows]
      if (page.isEnd || blocks.length === limit) return { blocks, isEnd: page.isEnd }
      for (const { value } of page.rows) bytes += value.length
      if (bytes >= maxBytes) return { blocks, isEnd: false }
      const { key } = page.rows[page.rows.length - 1]!
      left = reverse ? { ...range, lt: key } : { ...range, gt: key }
    }
  })

/** How many of the blocks are taken until their values have so many bytes. */
const countTaken = (blocks: ReadonlyArray<Row>, maxBytes: number): number => {
  let bytes = 0
  for (let index = 0; index < blocks.length; index++) {
    if (bytes >= maxBytes) return index
    bytes += blocks[index]!.value.length
  }
  return blocks.length
}
