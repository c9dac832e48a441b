/**
 * What differs between two syncs, of one store or archive or of two: a merge of their listings, type by type, in the order of
 * the primary keys. Memory is that of some records of each side, however many there are.
 *
 * Records are compared by their decoded fields, so that an older and a newer schema version of one value are the same.
 */
import { Cause, Data, Effect, Option, Pull, type Scope, Stream } from "effect"
import { compareAt, differingFields, type Path } from "./kernel/RecordOrder.ts"
import type { RecordListError, RecordReader } from "./RecordReader.ts"
import type * as RecordType from "./RecordType.ts"
import type { SyncId } from "./SyncRun.ts"

/** The two sides name the records of a type differently, so that they cannot be held against each other. */
export class RecordTypesDiffer extends Data.Error<{
  readonly type: string
  readonly left: string
  readonly right: string
}> {
  readonly _tag = "RecordTypesDiffer"
  override readonly name = "RecordTypesDiffer"
  override get message(): string {
    return `Cannot compare records of type ${this.type}: their primary key is ${this.left} on one side, ${this.right} on the other`
  }
}

/** One sync of one store or archive. */
export interface Side {
  readonly reader: RecordReader
  /** Default: the latest finished sync. */
  readonly sync?: SyncId
}

export interface ComparisonOptions {
  /** What was. */
  readonly left: Side
  /** What is. */
  readonly right: Side
  /** Names of the types to compare. Default: all that either side has. */
  readonly types?: ReadonlyArray<string>
  /** Fields in which records may differ and still be the same, such as `discovered_at`. Default: none. */
  readonly ignoredFields?: ReadonlyArray<string>
}

/** One record that is not the same on both sides. */
export interface Difference {
  /** `added`: only on the right. `removed`: only on the left. `changed`: on both, with other fields. */
  readonly kind: "added" | "removed" | "changed"
  readonly type: RecordType.Any
  readonly left: Option.Option<object>
  readonly right: Option.Option<object>
  /** The fields that differ; empty unless it is changed. */
  readonly fields: ReadonlyArray<string>
}

/** The outcome for some neighbouring records of one type. */
export interface ComparisonStep {
  readonly type: string
  /** Records of either side that this step is about. */
  readonly leftCount: number
  readonly rightCount: number
  /** In the order of the keys. */
  readonly differences: ReadonlyArray<Difference>
}

/** Differences of one type, counted. */
export interface TypeSummary {
  readonly type: string
  readonly leftCount: number
  readonly rightCount: number
  readonly addedCount: number
  readonly removedCount: number
  readonly changedCount: number
  /** Changed records by the fields that differ. */
  readonly changedFields: Readonly<Record<string, number>>
}

/** Records that one step is about, of each side, at most. */
const recordsPerStep = 1_000

/** Compares, type by type in the order of their names. Each type that is asked for has a step, also when it has no records. */
export const compare = (
  options: ComparisonOptions
): Stream.Stream<ComparisonStep, RecordListError | RecordTypesDiffer> =>
  Stream.flatMap(Stream.fromIterable(pairs(options)), (pair) => compareType(options, pair))

/** A type as the two sides have it; undefined where one has none of the name. */
interface TypePair {
  readonly name: string
  readonly left: RecordType.Any | undefined
  readonly right: RecordType.Any | undefined
}

const pairs = ({ left, right, types }: ComparisonOptions): ReadonlyArray<TypePair> => {
  const byName = (side: Side) => new Map(side.reader.types.map((type) => [type.name, type] as const))
  const onLeft = byName(left)
  const onRight = byName(right)
  const names = new Set([...onLeft.keys(), ...onRight.keys()])
  return [...names]
    .filter((name) => types === undefined || types.includes(name))
    .sort()
    .map((name) => ({ name, left: onLeft.get(name), right: onRight.get(name) }))
}

const compareType = (
  { left, right, ignoredFields = [] }: ComparisonOptions,
  pair: TypePair
): Stream.Stream<ComparisonStep, RecordListError | RecordTypesDiffer> =>
  Stream.unwrap(
    Effect.gen(function* () {
      if (pair.left !== undefined && pair.right !== undefined && keyOf(pair.left) !== keyOf(pair.right))
        return yield* new RecordTypesDiffer({ type: pair.name, left: keyOf(pair.left), right: keyOf(pair.right) })
      const type = (pair.right ?? pair.left)!
      const cursors = {
        type,
        paths: type.keyParts.map(({ path }) => path),
        ignoredFields: new Set(ignoredFields),
        left: yield* cursorOf(left, pair.left),
        right: yield* cursorOf(right, pair.right)
      }
      let isFirst = true
      const pull = Effect.gen(function* () {
        yield* Effect.all([fill(cursors.left), fill(cursors.right)])
        const isDone = isEmpty(cursors.left) && isEmpty(cursors.right)
        if (isDone && !isFirst) return yield* Cause.done()
        isFirst = false
        return [advance(cursors)] as const
      })
      return Stream.fromPull(Effect.succeed(pull))
    })
  )

/** The primary key of a type, with the kinds of its parts: two types with the same one are in the same order. */
const keyOf = (type: RecordType.Any): string =>
  type.keyParts.map(({ path, kind }) => `${path.join(".")} (${kind})`).join(", ")

/** Records of one side, and how many of them are done with. */
interface Cursor {
  readonly pull: Pull.Pull<ReadonlyArray<object>, RecordListError>
  records: ReadonlyArray<object>
  at: number
  hasEnded: boolean
}

const cursorOf = (
  { reader, sync }: Side,
  type: RecordType.Any | undefined
): Effect.Effect<Cursor, never, Scope.Scope> => {
  const records: Stream.Stream<object, RecordListError> =
    type === undefined ? Stream.empty : reader.stream(type, sync === undefined ? {} : { sync })
  return Effect.map(Stream.toPull(records), (pull) => ({ pull, records: [], at: 0, hasEnded: false }))
}

const isEmpty = (cursor: Cursor): boolean => cursor.at === cursor.records.length

/** Reads on, so that the cursor has a record unless there is none. */
const fill = (cursor: Cursor): Effect.Effect<void, RecordListError> => {
  if (!isEmpty(cursor) || cursor.hasEnded) return Effect.void
  return Pull.matchEffect(cursor.pull, {
    onSuccess: (records) =>
      Effect.sync(() => {
        cursor.records = records
        cursor.at = 0
      }),
    onFailure: (cause) => Effect.failCause(cause),
    onDone: () =>
      Effect.sync(() => {
        cursor.hasEnded = true
      })
  })
}

interface Cursors {
  readonly type: RecordType.Any
  readonly paths: ReadonlyArray<Path>
  readonly ignoredFields: ReadonlySet<string>
  readonly left: Cursor
  readonly right: Cursor
}

/** Merges what both cursors have, until one of them must be filled again. */
const advance = ({ type, paths, ignoredFields, left, right }: Cursors): ComparisonStep => {
  const differences: Array<Difference> = []
  const leftAt = left.at
  const rightAt = right.at
  while (left.at - leftAt < recordsPerStep && right.at - rightAt < recordsPerStep) {
    if ((isEmpty(left) && !left.hasEnded) || (isEmpty(right) && !right.hasEnded)) break
    const first = left.records[left.at]
    const second = right.records[right.at]
    if (first === undefined && second === undefined) break
    const order = first === undefined ? 1 : second === undefined ? -1 : compareAt(first, second, paths)
    if (order <= 0) left.at++
    if (order >= 0) right.at++
    const fields = order === 0 ? differingFields(first!, second!).filter((name) => !ignoredFields.has(name)) : []
    if (order === 0 && fields.length === 0) continue
    differences.push({
      kind: order < 0 ? "removed" : order > 0 ? "added" : "changed",
      type,
      left: order <= 0 ? Option.some(first!) : Option.none(),
      right: order >= 0 ? Option.some(second!) : Option.none(),
      fields
    })
  }
  return { type: type.name, leftCount: left.at - leftAt, rightCount: right.at - rightAt, differences }
}

/** Adds a step to the summaries by type name, in place. */
export const summarize = (summaries: Map<string, TypeSummary>, step: ComparisonStep): void => {
  const before = summaries.get(step.type) ?? {
    type: step.type,
    leftCount: 0,
    rightCount: 0,
    addedCount: 0,
    removedCount: 0,
    changedCount: 0,
    changedFields: {}
  }
  const countOf = (kind: Difference["kind"]): number =>
    step.differences.reduce((count, difference) => count + (difference.kind === kind ? 1 : 0), 0)
  const changedFields: Record<string, number> = { ...before.changedFields }
  for (const { fields } of step.differences)
    for (const field of fields) changedFields[field] = (changedFields[field] ?? 0) + 1
  summaries.set(step.type, {
    type: step.type,
    leftCount: before.leftCount + step.leftCount,
    rightCount: before.rightCount + step.rightCount,
    addedCount: before.addedCount + countOf("added"),
    removedCount: before.removedCount + countOf("removed"),
    changedCount: before.changedCount + countOf("changed"),
    changedFields
  })
}
