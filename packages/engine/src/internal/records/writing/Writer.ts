/** What the operations that change a record store share. */
import { Effect, type Semaphore } from "effect"
import type { TypeLayout } from "../../../format/RecordLayout.ts"
import type { StoreSchema } from "../../../format/StoreSchema.ts"
import { NoCurrentSync, RecordMisuse, RecordTypeUnknown } from "../../../RecordError.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import * as RecordType from "../../../RecordType.ts"
import type { SyncId } from "../../../SyncRun.ts"
import * as Intake from "./Intake.ts"
import { type MergeTarget, mergeEntries, mergeRecords } from "./Merge.ts"
import { isSettled, settle } from "./Settle.ts"
import type { SyncSession } from "./SyncSession.ts"

/** The writing half of an open store. One operation at a time, under the lock. */
export interface Writer extends MergeTarget {
  /** As it is stored: a sync that comes from another store may bring fields. */
  schema: StoreSchema
  /** All types of the store, by name. */
  readonly layouts: ReadonlyMap<string, TypeLayout>
  /** What was put into the current sync and is not written; empty unless that is fresh. */
  readonly intake: Intake.Intake
  readonly lock: Semaphore.Semaphore
  current: SyncSession | undefined
}

/** Runs a change alone, and to its end once it has begun. */
export const alone = <A, E>(writer: Writer, change: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  writer.lock.withPermits(1)(Effect.uninterruptible(change))

/** Writes what was put into the current sync and makes its indexes complete, buffered. */
export const settleCurrent = (writer: Writer): Effect.Effect<void, RecordReadError> =>
  Effect.suspend(() => (writer.current === undefined ? Effect.void : settle(writer, writer.current, writer.intake)))

/** Before a read of a sync, or of everything: writes what it must see. */
export const settleFor = (writer: Writer, sync: SyncId | "all"): Effect.Effect<void, RecordReadError> =>
  Effect.suspend(() => {
    const { current, intake } = writer
    const isSeen = current !== undefined && (sync === "all" || current.run.sync_id === sync)
    return isSeen && !isSettled(current, intake) ? alone(writer, settleCurrent(writer)) : Effect.void
  })

/** Writes the records that were put into the current sync, buffered, and says how many were removed. */
export const drain = (writer: Writer): Effect.Effect<number, RecordReadError> =>
  Effect.suspend(() =>
    writer.current === undefined ? Effect.succeed(0) : mergeRecords(writer, writer.current, writer.intake)
  )

/** Writes so much of what was put that at least half of the intake is free. */
export const makeRoom = (writer: Writer): Effect.Effect<void, RecordReadError> =>
  Effect.suspend(() => {
    const { current, intake } = writer
    if (current === undefined) return Effect.void
    return Effect.andThen(
      mergeRecords(writer, current, intake),
      Effect.suspend(() => (Intake.isHalfFull(intake) ? mergeEntries(writer, current, intake) : Effect.void))
    )
  })

/** The current sync. */
export const currentSession = (writer: Writer, operation: string): Effect.Effect<SyncSession, NoCurrentSync> =>
  Effect.suspend(() =>
    writer.current === undefined
      ? Effect.fail(new NoCurrentSync({ path: writer.path, operation }))
      : Effect.succeed(writer.current)
  )

/** The layout of a type, which must be declared as the store has it. */
export const layoutFor = (
  { layouts, path }: Writer,
  type: RecordType.Any
): Effect.Effect<TypeLayout, RecordTypeUnknown | RecordMisuse> => {
  const layout = layouts.get(type.name)
  if (layout === undefined) return Effect.fail(new RecordTypeUnknown({ path, type: type.name }))
  if (layout.type === type || isSameType(layout.type, type)) return Effect.succeed(layout)
  const detail = `it was opened with another declaration of record type ${type.name}`
  return Effect.fail(new RecordMisuse({ path, detail }))
}

/** Pairs of declarations that were compared: comparing costs much more than a put. */
const same = new WeakMap<RecordType.Any, WeakMap<RecordType.Any, boolean>>()

const isSameType = (left: RecordType.Any, right: RecordType.Any): boolean => {
  const known = same.get(left) ?? new WeakMap<RecordType.Any, boolean>()
  same.set(left, known)
  const before = known.get(right)
  if (before !== undefined) return before
  const is = JSON.stringify(RecordType.describe(left)) === JSON.stringify(RecordType.describe(right))
  known.set(right, is)
  return is
}
