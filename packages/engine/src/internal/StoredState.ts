/** What the operations of one open database share: its store, what state it is in, and what its failures are called. */
import { Effect } from "effect"
import {
  EngineCorrupt,
  type EngineError,
  EngineFailed,
  EngineMisuse,
  EnginePoisoned,
  type EngineReadError
} from "../Engine.ts"
import type { Store, StoreFault, StoreReader } from "./Store.ts"
import { StoreDamage } from "./StoreDamage.ts"

export interface StoredState {
  readonly path: string
  readonly readOnly: boolean
  readonly store: Store
  /** Index of each keyspace in the store. */
  readonly indexes: ReadonlyMap<string, number>
  readonly fault: (operation: string, cause: unknown) => StoreFault
  /** Open readers, each with the moment that it was opened at. */
  readonly readers: Map<StoreReader, object | undefined>
  closed: boolean
  /** A `replace` has a transaction open. */
  loading: boolean
  /** What a write failed with. */
  poison: string | undefined
  /** Of what is committed now. Without the writer's lock somebody else may commit. */
  moment: object | undefined
}

export const misuse = (path: string, detail: string): EngineMisuse => new EngineMisuse({ path, detail })

export const useAfterClose = (path: string): EngineMisuse => misuse(path, "it is closed")

/** What a read failed with in the library. */
export const readFault = ({ fault, path }: StoredState, cause: unknown): EngineReadError => {
  if (cause instanceof StoreDamage) {
    return new EngineCorrupt({ path, keyspace: cause.keyspace, key: cause.key, detail: cause.detail })
  }
  const failure = fault("read", cause)
  return failure._tag === "EngineFull" ? new EngineFailed({ path, operation: "read", detail: failure.detail }) : failure
}

/** What a write failed with in the library. The library's state on disk is unknown from here on, so no write follows. */
export const writeFault = (state: StoredState, cause: unknown): StoreFault => {
  const failure = state.fault("write to", cause)
  state.poison ??= failure.detail
  return failure
}

/** Why the database takes no write now; undefined when it does. */
export const writeRefusal = ({
  closed,
  loading,
  path,
  poison,
  readOnly
}: StoredState): EngineMisuse | EnginePoisoned | undefined => {
  if (closed) return useAfterClose(path)
  if (readOnly) return misuse(path, "it is open read-only")
  // Only the fiber of the `replace` itself comes here, from its rows: it has the write lock.
  if (loading) return misuse(path, "the rows of a replace write to the database that they are for")
  return poison === undefined ? undefined : new EnginePoisoned({ path, detail: poison })
}

/**
 * Makes a synchronous library call; what it throws is an expected failure.
 *
 * IMPORTANT: at once, not when the effect runs. In between another fiber may have its turn, and close what was just found open.
 */
export const attempt = <A, E extends EngineError>(
  run: () => A,
  failure: (cause: unknown) => E
): Effect.Effect<A, E> => {
  try {
    return Effect.succeed(run())
  } catch (cause) {
    return Effect.fail(failure(cause))
  }
}
