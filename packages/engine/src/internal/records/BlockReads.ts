/** Reads of logical rows over an engine whose keyspace holds blocks of them. */
import { Effect, type Option } from "effect"
import type { BlockCorrupt } from "../../BlockError.ts"
import type { EngineReadError, Reader } from "../../Engine.ts"
import type { RowPage } from "../../kernel/RowPage.ts"

export type BlockReadError = EngineReadError | BlockCorrupt

export interface PageOptions {
  readonly keyspace: string
  /** The rows' keys begin with it; it has the whole header (version, tag, sync), or more. */
  readonly prefix: Uint8Array
  /** Only rows behind this key in the direction of the page. Default: from the start. */
  readonly after?: Uint8Array
  /** Only rows from this key on, inclusive, in the direction of the page. Default: from the start. */
  readonly from?: Uint8Array
  /** Rows at most, from 1. Fewer come only at the end of the prefix or when the page has `maxBytes`. */
  readonly limit: number
  /** The page ends with the row that takes its blocks to this many bytes. Default 32 MiB. */
  readonly maxBytes?: number
  /** Descending order. Default false. */
  readonly reverse?: boolean
}

/** The value of one row, in the memory of its block. */
export const get: (
  reader: Reader,
  keyspace: string,
  key: Uint8Array
) => Effect.Effect<Option.Option<Uint8Array>, BlockReadError> = () => Effect.die("not made yet")

/** Values in the order of the keys, which may be in any order; undefined for a key that is not there. */
export const getMany: (
  reader: Reader,
  keyspace: string,
  keys: ReadonlyArray<Uint8Array>
) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, BlockReadError> = () => Effect.die("not made yet")

/** Rows in key order. The reader must be of one moment. `isEnd`: there are no rows of the prefix behind the page. */
export const page: (
  reader: Reader,
  options: PageOptions
) => Effect.Effect<{ readonly rows: RowPage; readonly isEnd: boolean }, BlockReadError> = () =>
  Effect.die("not made yet")

/** Number of rows whose keys begin with the prefix. Reads all their blocks. */
export const count: (reader: Reader, keyspace: string, prefix: Uint8Array) => Effect.Effect<number, BlockReadError> =
  () => Effect.die("not made yet")
