/**
 * What a merge will read and in which order: a pure plan, from outlines of its sources.
 *
 * At most `fanIn` sorted inputs are read at once. Where there are more sources they are merged in groups, from the newest to the
 * oldest, and what the groups before came to is the newest input of each further one.
 */
import { type RecordType, RecordTypeChanged, SyncChange, type SyncRun, SyncTransfer, TypeUnion } from "@icecore/engine"
import { Result } from "effect"
import { CompactBaseFailed, CompactRefused, CompactSourceFailed } from "./CompactorError.ts"

/** Sources that are read at once, by default. */
export const defaultFanIn = 64

/** Bounds of the sources that are read at once, inclusive. */
export const fanInBounds: { readonly least: number; readonly most: number } = { least: 2, most: 1_024 }

/** The type of the resulting run, where every source is partial and where not. */
export const partialMergeType = "partial_merge"
export const fullMergeType = "full"

/** The store that takes the result. It need not be there yet. */
export interface MergeTarget {
  readonly path: string
  /** What it is, or would be, opened with. */
  readonly types: ReadonlyArray<RecordType.Any>
}

export interface MergePlanOptions {
  /** Of one sync each, oldest first. */
  readonly sources: ReadonlyArray<SyncTransfer.SyncOutline>
  readonly into: MergeTarget
  /** Of the resulting run. Default: `full`, and `partial_merge` where every source is partial. */
  readonly type?: string
  /** 2 to 1,024. Default 64. */
  readonly fanIn?: number
}

/** One sync that is read. */
export interface MergeInput {
  readonly path: string
  readonly run: SyncRun.SyncRun
  /** Records of all types, without its changes. */
  readonly recordCount: number
  /** Its records of type `SyncChange`. */
  readonly changeCount: number
}

/** What is merged of one type. */
export interface MergeTypePlan {
  readonly type: RecordType.Any
  /** Records of all sources: the result has no more. */
  readonly recordCount: number
  /** Stored bytes of one on average, its key included, as estimated; 0 where there is none. */
  readonly recordBytes: number
}

export interface MergePlan {
  /** Of the resulting run. */
  readonly type: string
  /** Every source is partial, and so is the result: what was removed, added and changed stays in it. */
  readonly isPartial: boolean
  /** The sync of the newest source. */
  readonly parent: SyncRun.SyncId
  /** The syncs of all sources, oldest first, each once. */
  readonly sourceIds: ReadonlyArray<SyncRun.SyncId>
  /** Oldest first. */
  readonly inputs: ReadonlyArray<MergeInput>
  /** Places in `inputs` that are read together, ascending; the newest group is the first. */
  readonly groups: ReadonlyArray<ReadonlyArray<number>>
  /** By name: those of which a source has records or, where a source has changes, all of the target's. */
  readonly types: ReadonlyArray<MergeTypePlan>
  /** The target's types with the fields that sources with records of them have appended. */
  readonly unitedTypes: ReadonlyArray<RecordType.Any>
  /** Records of all sources, without changes: the result has no more. */
  readonly recordCount: number
  /** Changes of all sources. */
  readonly changeCount: number
  /** Stored bytes of all these records, as estimated. */
  readonly bytes: number
}

/** What a plan can be refused with. */
export type MergePlanError = CompactRefused | CompactSourceFailed | CompactBaseFailed

/**
 * Plans a merge. Refuses with {@link CompactRefused} what makes no sense: no source, a bound that is none, a type of run that belies what
 * the result will be. A type with records that the target does not have, or has with another declaration, is
 * {@link CompactBaseFailed}.
 */
export const plan = (options: MergePlanOptions): Result.Result<MergePlan, MergePlanError> => {
  const { fanIn = defaultFanIn, into, sources } = options
  const refused = (detail: string) => Result.fail(new CompactRefused({ operation: "merge", base: into.path, detail }))
  if (!(Number.isInteger(fanIn) && fanIn >= fanInBounds.least && fanIn <= fanInBounds.most)) {
    return refused(`fanIn is ${fanIn}, expected a whole number from ${fanInBounds.least} to ${fanInBounds.most}`)
  }
  const inputs: Array<MergeInput> = []
  for (const outline of sources) {
    const input = inputOf(into, outline)
    if (Result.isFailure(input)) return Result.fail(input.failure)
    inputs.push(input.success)
  }
  const united = unite(into, sources)
  if (Result.isFailure(united)) return Result.fail(united.failure)
  const newest = inputs.at(-1)
  if (newest === undefined) return refused("no source is given")
  const isPartial = inputs.every(({ run }) => SyncChange.isPartial(run))
  const type = options.type ?? (isPartial ? partialMergeType : fullMergeType)
  if (SyncChange.isPartial({ type }) !== isPartial) {
    return refused(
      isPartial
        ? `its type is ${type}, expected one that begins with partial, as those of all sources do`
        : `its type is ${type}, expected one that does not begin with partial: a source is not partial`
    )
  }
  const changeCount = sum(inputs, (input) => input.changeCount)
  const types = typesOf(into, sources, changeCount > 0)
  return Result.succeed({
    type,
    isPartial,
    parent: newest.run.sync_id,
    sourceIds: [...new Set(inputs.map(({ run }) => run.sync_id))],
    inputs,
    groups: groupsOf(inputs.length, fanIn),
    types,
    unitedTypes: united.success,
    recordCount: sum(types, ({ recordCount }) => recordCount),
    changeCount,
    bytes: sum(types, ({ recordBytes, recordCount }) => recordBytes * recordCount)
  })
}

const inputOf = (
  into: MergeTarget,
  outline: SyncTransfer.SyncOutline
): Result.Result<MergeInput, CompactSourceFailed | CompactBaseFailed> => {
  const problem = SyncTransfer.plan(emptyOutline(into, outline.sync), outline, { unfinished: "copy" })
  if (Result.isFailure(problem)) {
    const cause = problem.failure
    return Result.fail(
      cause._tag === "SyncNotFound" || cause._tag === "SyncUnfinished"
        ? new CompactSourceFailed({ operation: "merge", source: outline.path, cause })
        : new CompactBaseFailed({ operation: "merge", base: into.path, cause })
    )
  }
  const isChange = ({ type }: SyncTransfer.TypeOutline) => type.name === SyncChange.SyncChange.name
  return Result.succeed({
    path: outline.path,
    run: problem.success.run,
    recordCount: sum(outline.types, (each) => (isChange(each) ? 0 : each.recordCount)),
    changeCount: sum(outline.types, (each) => (isChange(each) ? each.recordCount : 0))
  })
}

/** Sources may each have fields that the target lacks; these must not be others in the same place. */
const unite = (
  into: MergeTarget,
  sources: ReadonlyArray<SyncTransfer.SyncOutline>
): Result.Result<ReadonlyArray<RecordType.Any>, CompactBaseFailed> => {
  const united = TypeUnion.make([
    into,
    ...sources.map(({ path, types }) => ({
      path,
      types: types.filter(({ recordCount }) => recordCount > 0).map(({ type }) => type)
    }))
  ])
  if (Result.isSuccess(united)) return Result.succeed(united.success)
  const { detail, path, type } = united.failure
  const cause = new RecordTypeChanged({ path: into.path, type, detail: `${detail} in a source before ${path}` })
  return Result.fail(new CompactBaseFailed({ operation: "merge", base: into.path, cause }))
}

/** The target as a store without the sync. */
const emptyOutline = ({ path, types }: MergeTarget, sync: SyncRun.SyncId): SyncTransfer.SyncOutline => ({
  path,
  run: undefined,
  sync,
  isBehind: false,
  types: types.map((type) => ({
    type,
    recordCount: 0,
    indexes: Object.keys(type.indexes),
    recordBytes: 0,
    entryBytes: {}
  }))
})

const typesOf = (
  into: MergeTarget,
  sources: ReadonlyArray<SyncTransfer.SyncOutline>,
  hasChanges: boolean
): ReadonlyArray<MergeTypePlan> => {
  const planned = into.types
    .filter(({ name }) => name !== SyncChange.SyncChange.name)
    .map((type): MergeTypePlan => {
      const outlines = sources.flatMap(({ types }) => types.filter((each) => each.type.name === type.name))
      const recordCount = sum(outlines, (each) => each.recordCount)
      const bytes = sum(outlines, (each) => each.recordCount * each.recordBytes)
      return { type, recordCount, recordBytes: recordCount === 0 ? 0 : Math.ceil(bytes / recordCount) }
    })
  return planned
    .filter(({ recordCount }) => hasChanges || recordCount > 0)
    .sort((left, right) => (left.type.name < right.type.name ? -1 : 1))
}

/** From the newest to the oldest; what came before takes one place of each group but the first. */
const groupsOf = (count: number, fanIn: number): ReadonlyArray<ReadonlyArray<number>> => {
  const groups: Array<ReadonlyArray<number>> = []
  for (let end = count; end > 0; ) {
    const start = Math.max(0, end - (groups.length === 0 ? fanIn : fanIn - 1))
    groups.push(Array.from({ length: end - start }, (_, place) => start + place))
    end = start
  }
  return groups
}

const sum = <A>(items: ReadonlyArray<A>, of: (item: A) => number): number =>
  items.reduce((total, item) => total + of(item), 0)
