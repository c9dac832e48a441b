/** Rows in order, cut into full blocks under the header of the store that they go to. */
import type { Row } from "../../../Engine.ts"
import type * as BlockCursor from "../../../kernel/BlockCursor.ts"
import * as BlockImage from "../../../kernel/BlockImage.ts"
import type { RowArena } from "../../../kernel/RowArena.ts"
import { keySizeOf, valueSizeOf } from "../../../kernel/RowArena.ts"
import type { Tally } from "./StepRows.ts"

export interface BlockOutput {
  readonly image: BlockImage.BlockImage
  /** Of the type or index, in the store that the rows go to. */
  readonly tag: number
  readonly blocks: Array<Row>
  readonly tally: Tally
  readonly put: BlockImage.PutBlock
}

interface OutputOptions {
  readonly tag: number
  readonly targetSizeBytes: number
  readonly tally: Tally
}

export const make = ({ tag, tally, targetSizeBytes }: OutputOptions): BlockOutput => {
  const blocks: Array<Row> = []
  const put: BlockImage.PutBlock = (key, value) => {
    blocks.push({ key, value })
    tally.bytes += key.length + value.length
  }
  return { image: BlockImage.make(targetSizeBytes), tag, blocks, tally, put }
}

/** Adds the cursor's row, whose key shares `shared` bytes with that of the last one, but for the tag. */
export const addCursorRow = (output: BlockOutput, shared: number, cursor: BlockCursor.BlockCursor): void => {
  const { image, put, tally } = output
  const valueSize = cursor.valueEnd - cursor.valueStart
  if (!BlockImage.hasRoom(image, shared, cursor.keySize, valueSize)) BlockImage.putWhole(image, put)
  BlockImage.addCursorRow(image, shared, cursor)
  // Only the first key of a block has its header.
  if (image.rowCount === 1) image.firstKey[1] = output.tag
  tally.rowCount++
}

/** Adds a row of an arena, whose key shares `shared` bytes with that of the last one. */
export const addArenaRow = (output: BlockOutput, shared: number, arena: RowArena, row: number): void => {
  const { image, put, tally } = output
  if (!BlockImage.hasRoom(image, shared, keySizeOf(arena, row), valueSizeOf(arena, row)))
    BlockImage.putWhole(image, put)
  BlockImage.addArenaRow(image, shared, arena, row)
  tally.rowCount++
}

/** Puts the rows that are left. */
export const end = ({ image, put }: BlockOutput): void => {
  if (image.rowCount > 0) BlockImage.putWhole(image, put)
}
