/** What is wrong with the blocks that hold the rows of a record store. */
import { Data } from "effect"
import { Hex } from "effect/encoding"

/** A block does not parse, or its rows are out of order or of another prefix. `key` is the block's: that of its first row. */
export class BlockCorrupt extends Data.Error<{
  readonly keyspace: string
  readonly key: Uint8Array
  readonly detail: string
  /** Of the store, where more than one is read. */
  readonly path?: string
}> {
  readonly _tag = "BlockCorrupt"
  override readonly name = "BlockCorrupt"
  override get message(): string {
    const place = this.path === undefined ? this.keyspace : `${this.path}, keyspace ${this.keyspace}`
    return `Cannot read block 0x${Hex.encode(this.key)} of ${place}: ${this.detail}`
  }
}
