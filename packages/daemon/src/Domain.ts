/**
 * What an entry is: the meaning behind the bytes that the store keeps.
 *
 * The store itself treats entries as opaque. A domain says which bytes may become an entry and how they travel to a reader.
 * Its `name` and `version` are pinned in the catalog on first start, because what is derived from entries (keys, events) is
 * derived through it: a store made with one domain is refused by another.
 */
import { Context, type Option } from "effect"

export interface Domain {
  /** Pinned. `[a-z][a-z0-9-]*`, such as `ndjson`. */
  readonly name: string
  /** Pinned. A positive integer, raised when the same entry would lead to other artifacts. */
  readonly version: number
  /** Sequence number of the first entry when the geometry names none. */
  readonly firstSeq: number
  /** Media type of the bytes of one entry, as an HTTP response states it. */
  readonly mediaType: string
  /**
   * Whether no entry holds a line feed (0x0A), so that entries can be written one a line and told apart again. Otherwise only a
   * framed form carries several of them.
   */
  readonly isLineSafe: boolean
  /**
   * Why these bytes cannot be an entry, as a clause that follows "Cannot append entry 7: "; none when they can. Asked for
   * every entry, whichever way it comes, so it must be cheap and must not keep the buffer.
   */
  readonly refusal: (entry: Uint8Array) => Option.Option<string>
}

export const Domain: Context.Service<Domain, Domain> = Context.Service("@icecore/daemon/Domain")
