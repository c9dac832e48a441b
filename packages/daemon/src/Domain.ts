/**
 * What an entry is: the meaning behind the bytes that the store keeps.
 *
 * The store itself treats entries as opaque. A domain says which bytes may become an entry, by which keys it is found, and how it
 * travels to a reader. Its `name`, `version` and `options` are pinned in the catalog on first start, because what is derived
 * from entries is derived through them: a store made with one domain is refused by another.
 */
import { Context, type Option, type Result } from "effect"

/** Bytes of a key. */
export const keySizeBytes = 32

/**
 * What is done when two entries have one key. `error`: the later entry is refused. `first`, `last`: both are kept, and the key
 * finds the earliest or the latest one that is served.
 */
export type DuplicatePolicy = "error" | "first" | "last"

/** The keys of a domain's entries. */
export interface DomainKeys {
  /**
   * The distinct keys of an entry that {@link Domain.refusal} does not refuse, each of {@link keySizeBytes}, in the order they
   * stand; or why it cannot be an entry, as a clause that follows "Cannot append entry 7: ". A pure function of the bytes, on
   * every machine and for ever. Must not keep the buffer, and the keys must not be views of it.
   */
  readonly of: (entry: Uint8Array) => Result.Result<ReadonlyArray<Uint8Array>, string>
  readonly duplicates: DuplicatePolicy
  /** The key that a person means by a text; none when it can be none. */
  readonly parse: (text: string) => Option.Option<Uint8Array>
}

/** How another thread makes the same domain. */
export interface DomainModule {
  /** Of a module that exports `make: (options) => Domain`. */
  readonly url: string
  /** What `make` is given there. Can be posted to a worker. */
  readonly options: unknown
}

export interface Domain {
  /** Pinned. `[a-z][a-z0-9-]*`, such as `ndjson`. */
  readonly name: string
  /** Pinned. A positive integer, raised when the same entry would lead to other artifacts. */
  readonly version: number
  /** Pinned. Canonical text of everything else that artifacts are derived through; empty when there is nothing. */
  readonly options: string
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
  /** None: entries are found by seq alone. */
  readonly keys: Option.Option<DomainKeys>
  /** None: what is derived from entries is derived on the thread that asks. */
  readonly module: Option.Option<DomainModule>
}

export const Domain: Context.Service<Domain, Domain> = Context.Service("@icecore/daemon/Domain")
