/** Reads blocks one after another, in bounded numbers. */
import { Effect, Stream } from "effect"
import type { EngineReadError, Range, Reader, Row } from "../../Engine.ts"

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

export const scanBlocks = (
  reader: Reader,
  { keyspace, limit, maxBytes, range, reverse = false }: BlockScanOptions
): Effect.Effect<ScannedBlocks, EngineReadError> =>
  Effect.suspend(() => {
    let bytes = 0
    const scan = reader.scan(keyspace, { ...range, reverse, limit })
    const taken = Stream.takeUntil(scan, ({ value }) => {
      bytes += value.length
      return bytes >= maxBytes
    })
    return Effect.map(Stream.runCollect(taken), (blocks) => ({
      blocks,
      isEnd: blocks.length < limit && bytes < maxBytes
    }))
  })
