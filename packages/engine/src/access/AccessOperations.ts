/** What is done with identity data besides storing and listing it. */
import { Effect, Option, Stream } from "effect"
import type { SyncTypeMismatch } from "../RecordError.ts"
import type { Page, RecordListError, RecordReader } from "../RecordReader.ts"
import type { RecordPutError, RecordStore } from "../RecordStore.ts"
import type * as RecordType from "../RecordType.ts"
import type { SyncId } from "../SyncRun.ts"
import { type Annotation, Grant } from "./AccessRecords.ts"

/** A page of what a listing gives. */
export interface PageOptions {
  /** Default: the latest finished sync. */
  readonly sync?: SyncId
  /** 1 to 10,000, the default. */
  readonly pageSize?: number
  /** Of the page before this one. Default: the first page. */
  readonly pageToken?: string
}

/** The grants whose expansion is still to be carried out. */
export const pendingExpansion = (
  reader: RecordReader,
  options: PageOptions = {}
): Effect.Effect<Page<Grant>, RecordListError> => reader.list(Grant, { ...options, index: "by_needs_expansion" })

/**
 * Stores grants that came out of an expansion, in the current sync. A grant that is there keeps its `expansion` and
 * `needs_expansion`: only who lists the source knows them.
 */
export const storeExpandedGrants = (
  store: RecordStore,
  grants: ReadonlyArray<Grant>
): Effect.Effect<void, RecordPutError> =>
  Effect.asVoid(
    store.putResolved(Grant, grants, (existing, grant) =>
      Option.some(Option.isSome(existing) ? keepExpansion(existing.value, grant) : grant)
    )
  )

export interface GrantStatsOptions {
  /** The type that the sync must have. */
  readonly type: string
  /** Default: the latest finished sync of that type. */
  readonly sync?: SyncId
}

/** The grants of one sync, counted. */
export interface GrantStats {
  readonly sync: SyncId
  readonly total: number
  /** By the resource type of the entitlement. */
  readonly byResourceType: Readonly<Record<string, number>>
}

/** Counts the grants of a sync. Reads all of them. Fails with {@link SyncTypeMismatch} when the sync is of another type. */
export const grantStats: (
  reader: RecordReader,
  options: GrantStatsOptions
) => Effect.Effect<GrantStats, RecordListError | SyncTypeMismatch> = Effect.fn("grantStats")(function* (
  reader,
  { sync, type }
) {
  const { run } = yield* reader.stats({ syncType: type, ...(sync === undefined ? {} : { sync }) })
  const counts = new Map<string, number>()
  let total = 0
  yield* Stream.runForEachArray(
    reader.stream(Grant, { sync: run.sync_id, index: "by_entitlement_resource" }),
    (grants) =>
      Effect.sync(() => {
        total += grants.length
        for (const { entitlement_resource_type_id: id } of grants) counts.set(id, (counts.get(id) ?? 0) + 1)
      })
  )
  return { sync: run.sync_id, total, byResourceType: Object.fromEntries(counts) }
})

export interface AnnotationOptions extends PageOptions {
  /** Only records with an annotation of this type. Default: with any. */
  readonly annotationType?: string
}

/** Pages of the records that carry annotations. A page may be short or empty and still not be the last. */
export const listWithAnnotations = <A extends { readonly annotations: ReadonlyArray<Annotation> }, K, I extends string>(
  reader: RecordReader,
  type: RecordType.RecordType<string, A, K, I>,
  { annotationType, ...options }: AnnotationOptions = {}
): Effect.Effect<Page<A>, RecordListError> =>
  reader.list<RecordType.RecordType<string, A, K, I>>(type, {
    ...options,
    filter: ({ annotations }) =>
      annotationType === undefined
        ? annotations.length > 0
        : annotations.some((annotation) => annotation.type === annotationType)
  })

const keepExpansion = (existing: Grant, { expansion: _, ...grant }: Grant): Grant => ({
  ...grant,
  ...(existing.expansion === undefined ? {} : { expansion: existing.expansion }),
  needs_expansion: existing.needs_expansion
})
