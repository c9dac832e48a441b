/** The records of a type as they come from the source, held against those that go: what is added, replaced, removed or the same. */
import { Effect } from "effect"
import type { BlockCorrupt } from "../../../BlockError.ts"
import type { EngineReadError } from "../../../Engine.ts"
import { headerSizeBytes } from "../../../format/RecordLayout.ts"
import type { BlockCursor } from "../../../kernel/BlockCursor.ts"
import { corruptBlock } from "../blocks/BlockAttempt.ts"
import * as BlockFeed from "./BlockFeed.ts"
import * as BlockOutput from "./BlockOutput.ts"
import { type Steps, stepBytes, stepRowCount, type Tally } from "./StepRows.ts"

/** What becomes of the records of a type. */
export interface RecordTally extends Tally {
  addedCount: number
  replacedCount: number
  removedCount: number
  unchangedCount: number
}

export const makeTally = (): RecordTally => ({
  rowCount: 0,
  bytes: 0,
  addedCount: 0,
  replacedCount: 0,
  removedCount: 0,
  unchangedCount: 0
})

interface RecordStepsOptions {
  /** Records that come. */
  readonly source: BlockFeed.BlockFeed
  /** Records that go. */
  readonly base: BlockFeed.BlockFeed
  readonly output: BlockOutput.BlockOutput
  readonly tally: RecordTally
}

/** A row of a feed, until it is used. */
interface Side {
  readonly feed: BlockFeed.BlockFeed
  state: "used" | "row" | "starved" | "end"
}

export const make = ({ base, output, source, tally }: RecordStepsOptions): Steps<EngineReadError | BlockCorrupt> => {
  const coming: Side = { feed: source, state: "used" }
  const going: Side = { feed: base, state: "used" }
  const next = Effect.suspend((): Effect.Effect<boolean, EngineReadError | BlockCorrupt> => {
    for (const side of [coming, going]) {
      if (side.state !== "starved") continue
      return Effect.andThen(BlockFeed.fill(side.feed), () => {
        side.state = "used"
        return next
      })
    }
    try {
      return Effect.succeed(walk(coming, going, output, tally))
    } catch (cause) {
      const { keyspace, path } = (cause as { readonly key?: unknown }).key === base.cursor.blockKey ? base : source
      return Effect.fail(corruptBlock(keyspace, cause, path))
    }
  })
  return { next, blocks: output.blocks }
}

/** Walks until the step is long enough or a feed is starved; whether both feeds are at their end. */
const walk = (coming: Side, going: Side, output: BlockOutput.BlockOutput, tally: RecordTally): boolean => {
  const before = tally.bytes
  for (let walked = 0; walked < stepRowCount && tally.bytes - before < stepBytes; walked++) {
    if (coming.state === "used") coming.state = BlockFeed.advance(coming.feed)
    if (going.state === "used") going.state = BlockFeed.advance(going.feed)
    if (coming.state === "starved" || going.state === "starved") return false
    if (coming.state === "end" && going.state === "end") {
      BlockOutput.end(output)
      return true
    }
    const order =
      coming.state === "end" ? 1 : going.state === "end" ? -1 : compareTuples(coming.feed.cursor, going.feed.cursor)
    if (order <= 0) {
      BlockOutput.addCursorRow(output, coming.feed.shared, coming.feed.cursor)
      coming.state = "used"
    }
    if (order >= 0) going.state = "used"
    if (order < 0) tally.addedCount++
    else if (order > 0) tally.removedCount++
    else if (hasSameValue(coming.feed.cursor, going.feed.cursor)) tally.unchangedCount++
    else tally.replacedCount++
  }
  return false
}

/** The keys of two stores without their headers, whose tags are each store's own. */
const compareTuples = (left: BlockCursor, right: BlockCursor): number => {
  const size = Math.min(left.keySize, right.keySize)
  for (let at = headerSizeBytes; at < size; at++) {
    if (left.key[at] !== right.key[at]) return left.key[at]! - right.key[at]!
  }
  return left.keySize - right.keySize
}

const hasSameValue = (left: BlockCursor, right: BlockCursor): boolean => {
  const size = left.valueEnd - left.valueStart
  if (size !== right.valueEnd - right.valueStart) return false
  for (let at = 0; at < size; at++) {
    if (left.bytes[left.valueStart + at] !== right.bytes[right.valueStart + at]) return false
  }
  return true
}
