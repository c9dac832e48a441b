/** What is asked before a store is opened, and what a start pins. */
import { Catalog, CatalogKey, Geometry, type HotEngine, Layout, type Retention } from "@icecore/catalog"
import type { Engine } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import { Effect, Option } from "effect"
import type { ArtifactWork } from "../ArtifactWork.ts"
import type { Domain } from "../Domain.ts"
import * as HotSet from "../internal/HotSet.ts"
import * as LogState from "../internal/LogState.ts"
import * as ViewEpoch from "../internal/ViewEpoch.ts"
import * as Recovery from "../Recovery.ts"
import type { StorageError } from "../StorageError.ts"
import { EarliestBeyondEnd, SourceEndUnknown, StoreNotFound, type StoreOpenError } from "./StoreOpenError.ts"
import type { RetentionOptions, StoreOptions } from "./StoreOptions.ts"

/** The earliest seq as the catalog is told of it. */
export const earliestOf = (
  { retention, sourceEnd }: StoreOptions,
  firstSeq: number
): Pick<Catalog.CatalogOptions<SourceEndUnknown>, "earliestSeq"> => {
  const earliest = retention?.earliest
  if (earliest === undefined) return {}
  if (earliest !== "now") return { earliestSeq: earliest }
  const end = sourceEnd?.(firstSeq) ?? Effect.succeed(firstSeq)
  const onFirstStart = Effect.mapError(end, (error) => new SourceEndUnknown({ detail: error.message }))
  return { earliestSeq: { onFirstStart } }
}

/**
 * Fails when the log would be kept from a later seq on than it has, before that is pinned. An empty log may begin anywhere. Looks for the
 * end of the log only when the seq is higher than the one that is pinned.
 */
export const refuseEmptying: (
  options: Catalog.CatalogOptions,
  earliest: RetentionOptions["earliest"]
) => Effect.Effect<void, StoreOpenError, Engine | HotEngine.HotEngine | Disk> = Effect.fnUntraced(function* (
  options,
  earliest
) {
  if (typeof earliest !== "number") return
  const pins = yield* Catalog.readPins(options.layout)
  if (Option.isNone(pins) || earliest <= pins.value.earliestSeq) return
  const catalog = yield* Catalog.make(options)
  const hotSet = yield* HotSet.make<StorageError>(ViewEpoch.make())
  const retention: Retention.Retention = { chunks: 0, earliestSeq: pins.value.earliestSeq }
  const { state } = yield* Recovery.recover({ catalog, hotSet, retention, isReadOnly: true })
  const served = LogState.served(state)
  if (Option.isSome(served) && earliest > served.value.latest)
    return yield* new EarliestBeyondEnd({ earliest, latest: served.value.latest })
}, Effect.scoped)

/** Files derived through another domain would have other keys than the store looks up. Whoever puts the services together is wrong. */
export const dieOfOtherDomain = (domain: Domain, work: ArtifactWork): Effect.Effect<void> => {
  const describe = ({ name, version, options }: ArtifactWork["domain"]): string =>
    `${name} version ${version}, options ${JSON.stringify(options)}`
  const [wanted, given] = [describe(domain), describe(work.domain)]
  return wanted === given
    ? Effect.void
    : Effect.die(new Error(`Cannot open a store of domain ${wanted} with ArtifactWork of domain ${given}`))
}

/** What a start with this setting would pin, which a store that is open for reading only has not done. */
export const keptFrom = (
  earliest: RetentionOptions["earliest"],
  { geometry, earliestSeq }: Pick<Catalog.Catalog["pins"], "geometry" | "earliestSeq">
): number => {
  if (typeof earliest === "number") return earliest
  return earliest === "genesis" ? geometry.firstSeq : earliestSeq
}

/** Key runs count entries of a window with 32 bits. */
export const refuseWideWindows = ({
  entriesPerChunk,
  chunksPerWindow
}: Geometry.Geometry): Effect.Effect<void, Geometry.GeometryInvalid> => {
  const most = Math.floor(2 ** 32 / entriesPerChunk)
  return chunksPerWindow <= most
    ? Effect.void
    : Effect.fail(
        new Geometry.GeometryInvalid({
          field: "chunksPerWindow",
          expected: `1 to ${most} with ${entriesPerChunk} entries a chunk and a domain that has keys`,
          actual: chunksPerWindow
        })
      )
}

/** Opening a catalog would make one, so whether there is one is asked before. */
export const mustExist = (engine: Engine, layout: Layout.Layout): Effect.Effect<void, StoreNotFound | StorageError> =>
  engine.open({ path: Layout.catalogPath(layout), keyspaces: [CatalogKey.keyspace], mode: "readOnly" }).pipe(
    Effect.scoped,
    Effect.asVoid,
    Effect.catchTag("EngineNotFound", () => Effect.fail(new StoreNotFound({ path: layout.dataDir })))
  )
