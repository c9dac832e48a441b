/** Kernels of blocks as effects: what they throw about a block becomes an error that says the keyspace too. */
import { Effect } from "effect"
import { BlockCorrupt } from "../../../BlockError.ts"
import type { EngineReadError, Row } from "../../../Engine.ts"
import { headerSizeBytes } from "../../../format/RecordLayout.ts"
import { BlockDamage } from "../../../kernel/BlockCursor.ts"

export type BlockReadError = EngineReadError | BlockCorrupt

/** Runs a kernel over blocks of the keyspace. Anything else that it throws is a defect. */
export const attemptBlocks = <A>(keyspace: string, run: () => A): Effect.Effect<A, BlockCorrupt> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (cause) {
      return Effect.fail(corruptBlock(keyspace, cause))
    }
  })

/** What a kernel threw about a block of the keyspace, as an error, with the path of the store if it is not plain. Anything else is thrown on. */
export const corruptBlock = (keyspace: string, cause: unknown, path?: string): BlockCorrupt => {
  if (!(cause instanceof BlockDamage)) throw cause
  return new BlockCorrupt({ keyspace, key: cause.key, detail: cause.detail, ...(path === undefined ? {} : { path }) })
}

/** The block, if its rows are of the header that the key begins with. */
export const ofHeader = (block: Row | undefined, key: Uint8Array): Row | undefined => {
  if (block === undefined) return undefined
  for (let index = 0; index < headerSizeBytes; index++) if (block.key[index] !== key[index]) return undefined
  return block
}
