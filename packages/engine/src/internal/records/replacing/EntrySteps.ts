/** The entries of an index as they come from the source. */
import { Effect } from "effect"
import type { BlockCorrupt } from "../../../BlockError.ts"
import type { EngineReadError } from "../../../Engine.ts"
import { corruptBlock } from "../blocks/BlockAttempt.ts"
import * as BlockFeed from "./BlockFeed.ts"
import * as BlockOutput from "./BlockOutput.ts"
import { type Steps, stepBytes, stepRowCount } from "./StepRows.ts"

export const make = (
  feed: BlockFeed.BlockFeed,
  output: BlockOutput.BlockOutput
): Steps<EngineReadError | BlockCorrupt> => {
  const step = Effect.suspend((): Effect.Effect<boolean, EngineReadError | BlockCorrupt> => {
    try {
      const state = walk(feed, output)
      return state === "starved" ? Effect.as(BlockFeed.fill(feed), false) : Effect.succeed(state === "end")
    } catch (cause) {
      return Effect.fail(corruptBlock(feed.keyspace, cause, feed.path))
    }
  })
  return { next: step, blocks: output.blocks }
}

const walk = (feed: BlockFeed.BlockFeed, output: BlockOutput.BlockOutput): "row" | "starved" | "end" => {
  const { tally } = output
  const before = tally.bytes
  for (let walked = 0; walked < stepRowCount && tally.bytes - before < stepBytes; walked++) {
    const state = BlockFeed.advance(feed)
    if (state === "starved") return state
    if (state === "end") {
      BlockOutput.end(output)
      return state
    }
    BlockOutput.addCursorRow(output, feed.shared, feed.cursor)
  }
  return "row"
}
