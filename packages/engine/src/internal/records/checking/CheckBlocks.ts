/** Walks the blocks of one header as the engine has them, past those that are damaged. */
import { Effect, Stream } from "effect"
import { type EngineReadError, maxKeySizeBytes, type Reader, type Row } from "../../../Engine.ts"
import * as BlockCursor from "../../../kernel/BlockCursor.ts"
import type { Finding } from "../../../RecordCheck.ts"
import { compareBytes } from "../../Bounds.ts"
import * as CheckLog from "./CheckLog.ts"

/** What a finding says of where it is. */
export type Place = Pick<Finding, "keyspace" | "sync" | "type" | "index">

export interface WalkOptions {
  readonly reader: Reader
  readonly log: CheckLog.CheckLog
  readonly place: Place
  readonly header: Uint8Array
  /** Gets each row of whole blocks; the cursor is only valid during the call. */
  readonly onRow: (cursor: BlockCursor.BlockCursor) => void
  /** Runs after the rows of some blocks, and at the end. */
  readonly afterRows?: Effect.Effect<void, EngineReadError>
}

/** Whether all blocks were whole. Those that are not are logged, unless `log` has them from another walk already. */
export const walkBlocks: (options: WalkOptions) => Effect.Effect<boolean, EngineReadError> = Effect.fnUntraced(
  function* (options) {
    const { afterRows = Effect.void, header, log, place, reader } = options
    const walk: Walk = {
      onRow: options.onRow,
      cursor: BlockCursor.make(),
      lastKey: new Uint8Array(maxKeySizeBytes),
      lastKeySize: 0
    }
    let isWhole = true
    const damaged = (detail: string, key?: Uint8Array): void => {
      isWhole = false
      CheckLog.add(log, { kind: "blockDamaged", ...place, ...(key === undefined ? {} : { key }), detail })
    }
    const walkRows = (rows: ReadonlyArray<Row>): void => {
      for (const row of rows) {
        const problem = walkBlock(walk, row)
        if (problem !== undefined) damaged(problem, row.key)
      }
      log.onProgress({ recordCount: log.recordCount, entryCount: log.entryCount })
    }
    const read = Stream.runForEachArray(reader.scan(place.keyspace, { prefix: header }), (rows) =>
      Effect.andThen(
        Effect.sync(() => walkRows(rows)),
        afterRows
      )
    )
    yield* Effect.catchTag(read, "EngineCorrupt", (error) =>
      Effect.sync(() => damaged(`${error.message}; what comes behind it was not checked`, error.key))
    )
    return isWhole
  }
)

interface Walk {
  readonly onRow: (cursor: BlockCursor.BlockCursor) => void
  readonly cursor: BlockCursor.BlockCursor
  /** The last row of the block before: its first `lastKeySize` bytes. */
  readonly lastKey: Uint8Array
  lastKeySize: number
}

/** What is wrong with a block. Its rows are given only when nothing is: it is walked twice. */
const walkBlock = (walk: Walk, { key, value }: Row): string | undefined => {
  const { cursor, lastKey } = walk
  if (walk.lastKeySize > 0 && compareBytes(key, lastKey.subarray(0, walk.lastKeySize)) <= 0) {
    return "it does not begin behind the last row of the block before it"
  }
  try {
    BlockCursor.start(cursor, key, value)
    while (BlockCursor.next(cursor));
  } catch (cause) {
    if (cause instanceof BlockCursor.BlockDamage) return cause.detail
    throw cause
  }
  lastKey.set(cursor.key.subarray(0, cursor.keySize))
  walk.lastKeySize = cursor.keySize
  BlockCursor.start(cursor, key, value)
  while (BlockCursor.next(cursor)) walk.onRow(cursor)
  return undefined
}
