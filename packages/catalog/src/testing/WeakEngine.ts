/**
 * An engine that leaves out barriers: the proof that a test would notice.
 *
 * Wrap the engine of a crash scenario, weaken one step of a protocol, and the enumerator must find a violation.
 */
import type { Database, Engine, EngineWriteError, WriteBatch } from "@icecore/engine"
import { Effect } from "effect"

/** One change of a batch. */
export interface Change {
  readonly keyspace: string
  readonly key: string
  /** Absent for a deletion. */
  readonly value?: string
}

/** What is left out. Every predicate defaults to never. */
export interface Weakness {
  /** Synced batches that are only buffered. */
  readonly unsynced?: (changes: ReadonlyArray<Change>) => boolean
  /** Batches that are applied as one batch for each change, in order. */
  readonly split?: (changes: ReadonlyArray<Change>) => boolean
  /** Databases that `destroy` leaves as they are. */
  readonly undestroyed?: (path: string) => boolean
}

const never = (): boolean => false

/** The engine without what `weakness` leaves out. Batches may not contain range deletions. */
export const make = (engine: Engine, weakness: Weakness): Engine => ({
  ...engine,
  open: (options) => Effect.map(engine.open(options), (database) => weaken(database, weakness)),
  destroy: (path) => ((weakness.undestroyed ?? never)(path) ? Effect.void : engine.destroy(path))
})

const decoder = new TextDecoder()

const record = (build: (batch: WriteBatch) => void): ReadonlyArray<Change> => {
  const changes: Array<Change> = []
  build({
    put: (keyspace, key, value) => changes.push({ keyspace, key: decoder.decode(key), value: decoder.decode(value) }),
    delete: (keyspace, key) => changes.push({ keyspace, key: decoder.decode(key) }),
    deleteRange: () => {
      throw new Error("Cannot weaken a batch with a range deletion")
    }
  })
  return changes
}

const encoder = new TextEncoder()

const apply = (batch: WriteBatch, { keyspace, key, value }: Change): void =>
  value === undefined
    ? batch.delete(keyspace, encoder.encode(key))
    : batch.put(keyspace, encoder.encode(key), encoder.encode(value))

const weaken = (database: Database, { unsynced = never, split = never }: Weakness): Database => ({
  ...database,
  write: (build, options): Effect.Effect<void, EngineWriteError> =>
    Effect.suspend(() => {
      const changes = record(build)
      const weakened = unsynced(changes) ? { ...options, durability: "buffered" as const } : options
      if (!split(changes)) return database.write(build, weakened)
      return Effect.forEach(changes, (change) => database.write((batch) => apply(batch, change), weakened), {
        discard: true
      })
    })
})
