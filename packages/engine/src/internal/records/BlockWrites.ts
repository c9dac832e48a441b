/** Changes to logical rows, made against the blocks that an engine has now. */
import { Effect } from "effect"
import type { Reader } from "../../Engine.ts"
import type { MergeSink } from "../../kernel/BlockMerge.ts"
import type { SortedRows } from "../../kernel/ByteSort.ts"
import type { RowArena } from "../../kernel/RowArena.ts"
import type { BlockReadError } from "./BlockReads.ts"

export interface MergePartOptions {
  /** Of one moment from the first part to the last, or seeing what the parts before have written. */
  readonly reader: Reader
  readonly keyspace: string
  readonly arena: RowArena
  readonly sorted: SortedRows
  readonly sink: MergeSink
  /** Bytes of existing blocks that a part reads at most, and at least one block. Default 4 MiB. */
  readonly maxReadBytes?: number
}

/**
 * Merges the sorted rows from `from` on, of one header and as many as bounded memory allows, and returns where the next part
 * begins: `sorted.count` after the last. What goes to the sink need not be written before the next part, in which no block of this
 * one is read or put again.
 */
export const mergePart: (options: MergePartOptions, from: number) => Effect.Effect<number, BlockReadError> = () =>
  Effect.die("not made yet")
