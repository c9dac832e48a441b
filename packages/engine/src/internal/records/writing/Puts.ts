/** Changes to the records of the current sync. Callers hold the writer's lock. */
import { Buffer } from "node:buffer"
import { Effect, Option, Result } from "effect"
import { maxKeySizeBytes } from "../../../Engine.ts"
import { headerSizeBytes, recordsKeyspace } from "../../../format/RecordLayout.ts"
import { RecordCorrupt, RecordCountLimit, RecordKeySize, RecordMisuse, RecordRefused } from "../../../RecordError.ts"
import type { RecordPutError } from "../../../RecordStore.ts"
import type * as RecordType from "../../../RecordType.ts"
import { compareBytes } from "../../Bounds.ts"
import * as BlockReads from "../blocks/BlockReads.ts"
import { maxAtomicBytes, maxAtomicRecordCount } from "../opening/StoreLimits.ts"
import * as KeyQuery from "../reading/KeyQuery.ts"
import * as Intake from "./Intake.ts"
import { mergeAtomic } from "./Merge.ts"
import type { RecordKeys } from "./RecordKeys.ts"
import type { SyncSession } from "./SyncSession.ts"
import { currentSession, drain, layoutFor, makeRoom, type Writer } from "./Writer.ts"

/** What becomes of a record, given the one that is there: none leaves that as it is. */
export type Resolve = (existing: Option.Option<unknown>, record: unknown) => Option.Option<unknown>

export const put = (
  writer: Writer,
  type: RecordType.Any,
  records: ReadonlyArray<unknown>
): Effect.Effect<void, RecordPutError> =>
  Effect.flatMap(place(writer, type, "put records"), ({ keys, session }) => store(writer, session, keys, records))

/** Stores what `resolve` makes of each record and the one that is there, and says how many keys were stored. */
export const putResolved: (
  writer: Writer,
  type: RecordType.Any,
  records: ReadonlyArray<unknown>,
  resolve: Resolve
) => Effect.Effect<number, RecordPutError> = Effect.fnUntraced(function* (writer, type, records, resolve) {
  const { database, path } = writer
  const { keys, session } = yield* place(writer, type, "put records")
  const rowKeys: Array<Uint8Array> = []
  for (const [position, record] of records.entries()) rowKeys.push(yield* checkedKey(keys, record, position))
  yield* drain(writer)
  const olds = yield* BlockReads.getMany(database, recordsKeyspace, rowKeys)
  const resolved = new Map<string, { readonly value: unknown; readonly position: number }>()
  for (const [position, record] of records.entries()) {
    const key = rowKeys[position]!
    const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1")
    let existing = Option.map(Option.fromUndefinedOr(resolved.get(name)), ({ value }) => value)
    const old = olds[position]
    if (Option.isNone(existing) && old !== undefined) {
      const decoded = keys.layout.type.codec.decode(old)
      if (Result.isFailure(decoded)) {
        return yield* new RecordCorrupt({ path, type: type.name, key, detail: decoded.failure.message })
      }
      existing = Option.some(decoded.success)
    }
    const result = resolve(existing, record)
    if (Option.isNone(result)) continue
    if (result.value !== record && compareBytes(yield* checkedKey(keys, result.value, position), key) !== 0) {
      const detail = `record ${position} of type ${type.name} was resolved to one with another primary key`
      return yield* new RecordMisuse({ path, detail })
    }
    resolved.set(name, { value: result.value, position })
  }
  const stored = [...resolved.values()]
  const values = stored.map(({ value }) => value)
  yield* Effect.mapError(store(writer, session, keys, values), (error) =>
    // The caller counts its own records, of which not all are stored.
    error._tag === "RecordRefused" || error._tag === "RecordKeySize"
      ? atPosition(error, stored[error.position]!.position)
      : error
  )
  return resolved.size
})

/** Removes the records with these key fields, and says how many there were. */
export const removeMany: (
  writer: Writer,
  type: RecordType.Any,
  recordKeys: ReadonlyArray<unknown>
) => Effect.Effect<number, RecordPutError> = Effect.fnUntraced(function* (writer, type, recordKeys) {
  const { path } = writer
  const { keys, session } = yield* place(writer, type, "delete records")
  const rowKeys: Array<Uint8Array> = []
  for (const key of recordKeys) {
    const query = KeyQuery.keyOf(keys.layout.keyParts, key)
    if (Result.isFailure(query)) return yield* new RecordMisuse({ path, detail: query.failure })
    if (query.success !== undefined) rowKeys.push(withHeader(keys, query.success.bytes))
  }
  if (!session.isFresh) {
    yield* checkAtomicCount(type, rowKeys.length)
    const intake = Intake.make(maxAtomicBytes)
    for (const key of rowKeys) Intake.takeRemoval(intake, key)
    return yield* mergeAtomic(writer, session, intake)
  }
  yield* drain(writer)
  let removedCount = 0
  for (const key of rowKeys) {
    if (Intake.takeRemoval(writer.intake, key)) continue
    removedCount += yield* drain(writer)
    yield* makeRoom(writer)
    Intake.takeRemoval(writer.intake, key)
  }
  return removedCount + (yield* drain(writer))
})

const place = Effect.fnUntraced(function* (writer: Writer, type: RecordType.Any, operation: string) {
  const session = yield* currentSession(writer, operation)
  const layout = yield* layoutFor(writer, type)
  return { session, keys: session.keysByTag.get(layout.tag)! }
})

const store = (
  writer: Writer,
  session: SyncSession,
  keys: RecordKeys,
  records: ReadonlyArray<unknown>
): Effect.Effect<void, RecordPutError> =>
  session.isFresh ? collect(writer, keys, records) : storeAtomic(writer, session, keys, records)

/** Into the intake, which is written out when it is full. */
const collect = (
  writer: Writer,
  keys: RecordKeys,
  records: ReadonlyArray<unknown>
): Effect.Effect<void, RecordPutError> =>
  Effect.suspend(() => {
    const { intake } = writer
    const start = Intake.mark(intake)
    const taken = Intake.take(intake, keys, records, 0)
    if (taken === records.length) return Effect.void
    Intake.rewind(intake, start)
    return typeof taken === "number" ? collectMore(writer, keys, records) : Effect.fail(taken)
  })

/** As {@link collect}, of records for which there was no room. */
const collectMore = Effect.fnUntraced(function* (
  writer: Writer,
  keys: RecordKeys,
  records: ReadonlyArray<unknown>
): Effect.fn.Return<void, RecordPutError> {
  const { intake } = writer
  yield* makeRoom(writer)
  // A call that is larger than the intake is looked at whole before any of it is written, since a refusal takes nothing.
  const start = Intake.mark(intake)
  for (let from = 0; from < records.length; ) {
    const taken = Intake.take(intake, keys, records, from)
    if (taken === records.length && from === 0) return
    Intake.rewind(intake, start)
    if (typeof taken !== "number") return yield* taken
    from = taken
  }
  for (let from = 0; from < records.length; ) {
    const taken = Intake.take(intake, keys, records, from)
    if (typeof taken !== "number") return yield* taken
    from = taken
    if (from < records.length) yield* makeRoom(writer)
  }
})

/** In one batch, durable on return. */
const storeAtomic = Effect.fnUntraced(function* (
  writer: Writer,
  session: SyncSession,
  keys: RecordKeys,
  records: ReadonlyArray<unknown>
): Effect.fn.Return<void, RecordPutError> {
  const { path } = writer
  const { type } = keys.layout
  yield* checkAtomicCount(type, records.length)
  const intake = Intake.make(maxAtomicBytes)
  const taken = Intake.take(intake, keys, records, 0)
  if (typeof taken !== "number") return yield* taken
  if (taken < records.length) {
    const detail = `${records.length} records of ${type.name} take more than ${maxAtomicBytes} bytes at once in a resumed sync`
    return yield* new RecordMisuse({ path, detail })
  }
  yield* mergeAtomic(writer, session, intake)
})

const checkAtomicCount = (type: RecordType.Any, count: number): Effect.Effect<void, RecordCountLimit> =>
  count <= maxAtomicRecordCount
    ? Effect.void
    : Effect.fail(new RecordCountLimit({ type: type.name, actual: count, limit: maxAtomicRecordCount }))

const atPosition = (error: RecordRefused | RecordKeySize, position: number): RecordRefused | RecordKeySize => {
  if (error._tag === "RecordRefused") {
    const { actual, expected, field, type } = error
    return new RecordRefused({ type, position, field, expected, actual })
  }
  const { index, limit, type } = error
  return new RecordKeySize({ type, ...(index === undefined ? {} : { index }), position, limit })
}

const withHeader = ({ header }: RecordKeys, tuple: Uint8Array): Uint8Array => {
  const key = new Uint8Array(headerSizeBytes + tuple.length)
  key.set(header)
  key.set(tuple, headerSizeBytes)
  return key
}

/** The whole key of a record that is of its type. */
const checkedKey = (
  keys: RecordKeys,
  record: unknown,
  position: number
): Effect.Effect<Uint8Array, RecordRefused | RecordKeySize> => {
  const type = keys.layout.type
  const encoded = type.codec.encode(record)
  if (Result.isFailure(encoded)) {
    const { actual, expected, path } = encoded.failure
    return Effect.fail(new RecordRefused({ type: type.name, position, field: path, expected, actual }))
  }
  const query = KeyQuery.keyOf(keys.layout.keyParts, record)
  if (Result.isFailure(query)) {
    const expected = "the fields of its primary key"
    return Effect.fail(new RecordRefused({ type: type.name, position, field: "", expected, actual: query.failure }))
  }
  return query.success === undefined
    ? Effect.fail(new RecordKeySize({ type: type.name, position, limit: maxKeySizeBytes }))
    : Effect.succeed(withHeader(keys, query.success.bytes))
}
