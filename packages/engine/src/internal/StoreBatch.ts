/** One write against a store, synchronous from begin to commit. */
import {
  type Durability,
  EngineKeySize,
  EngineMisuse,
  EngineValueSize,
  maxKeySizeBytes,
  maxValueSizeBytes,
  type WriteBatch
} from "../Engine.ts"
import { boundsOf } from "./Bounds.ts"
import type { Store } from "./Store.ts"

/** The caller's mistake: the write is rolled back and the database goes on. */
export type BatchRefusal = EngineKeySize | EngineValueSize | EngineMisuse

export interface BatchTarget {
  readonly path: string
  readonly store: Store
  /** Index of each keyspace in the store. */
  readonly indexes: ReadonlyMap<string, number>
}

export const keyRefusal = (keyspace: string, key: Uint8Array): EngineKeySize | undefined =>
  key.length === 0 || key.length > maxKeySizeBytes
    ? new EngineKeySize({ keyspace, actual: key.length, limit: maxKeySizeBytes })
    : undefined

export const valueRefusal = (keyspace: string, value: Uint8Array): EngineValueSize | undefined =>
  value.length > maxValueSizeBytes
    ? new EngineValueSize({ keyspace, actual: value.length, limit: maxValueSizeBytes })
    : undefined

export const keyspaceRefusal = (path: string, keyspace: string): EngineMisuse =>
  new EngineMisuse({ path, detail: `it was not opened with a keyspace ${keyspace}` })

/** A scan takes so many rows at most, or all of them. */
export const limitRefusal = (path: string, limit: number | undefined): EngineMisuse | undefined =>
  limit === undefined || limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0)
    ? undefined
    : new EngineMisuse({ path, detail: `a scan limit is a whole number from 0, got ${limit}` })

/** How a write ended, other than well. `build`: the caller's function threw, `store`: the library did. */
export class BatchThrew {
  readonly origin: "build" | "store"
  readonly cause: unknown

  constructor(origin: "build" | "store", cause: unknown) {
    this.origin = origin
    this.cause = cause
  }
}

/**
 * Applies what `build` asks for while it asks, so that nothing is copied or kept. Returns undefined once committed; after
 * anything else the transaction is rolled back and nothing was written.
 */
export const applyBatch = (
  target: BatchTarget,
  build: (batch: WriteBatch) => void,
  durability: Durability
): BatchRefusal | BatchThrew | undefined => {
  const { store } = target
  const session = new BatchSession(target)
  try {
    store.begin(durability)
  } catch (cause) {
    return new BatchThrew("store", cause)
  }
  try {
    build(session)
  } catch (cause) {
    // A store's failure comes first: the build may have thrown because of it.
    session.threw ??= new BatchThrew("build", cause)
  }
  session.open = false
  const ended = session.threw ?? session.refusal
  if (ended !== undefined) {
    store.rollback()
    return ended
  }
  try {
    store.commit()
  } catch (cause) {
    store.rollback()
    return new BatchThrew("store", cause)
  }
  return undefined
}

class BatchSession implements WriteBatch {
  open = true
  /** The first refusal or store failure; calls after it do nothing. */
  refusal: BatchRefusal | undefined = undefined
  threw: BatchThrew | undefined = undefined
  readonly target: BatchTarget
  readonly store: Store

  constructor(target: BatchTarget) {
    this.target = target
    this.store = target.store
  }

  // PERF: bound as fields, because callers may take the functions off the batch; no closure or object a row.
  readonly put = (keyspace: string, key: Uint8Array, value: Uint8Array): void => {
    const index = this.indexOf(keyspace)
    if (index === undefined) return
    if (key.length === 0 || key.length > maxKeySizeBytes) {
      this.refusal = keyRefusal(keyspace, key)
    } else if (value.length > maxValueSizeBytes) {
      this.refusal = valueRefusal(keyspace, value)
    } else {
      try {
        this.store.put(index, key, value)
      } catch (cause) {
        this.threw = new BatchThrew("store", cause)
      }
    }
  }

  readonly delete = (keyspace: string, key: Uint8Array): void => {
    const index = this.indexOf(keyspace)
    if (index === undefined) return
    if (key.length === 0 || key.length > maxKeySizeBytes) {
      this.refusal = keyRefusal(keyspace, key)
      return
    }
    try {
      this.store.delete(index, key)
    } catch (cause) {
      this.threw = new BatchThrew("store", cause)
    }
  }

  readonly deleteRange: WriteBatch["deleteRange"] = (keyspace, range) => {
    const index = this.indexOf(keyspace)
    if (index === undefined) return
    const bounds = boundsOf(range)
    if (bounds === undefined) return
    try {
      this.store.deleteRange(index, bounds)
    } catch (cause) {
      this.threw = new BatchThrew("store", cause)
    }
  }

  private indexOf(keyspace: string): number | undefined {
    if (!this.open) throw new Error("A write batch was used after its write")
    if (this.threw !== undefined || this.refusal !== undefined) return undefined
    const index = this.target.indexes.get(keyspace)
    if (index === undefined) this.refusal = keyspaceRefusal(this.target.path, keyspace)
    return index
  }
}
