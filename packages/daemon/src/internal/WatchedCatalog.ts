/** A catalog that advances an epoch with each change, so that no view is opened on a state that is past. */
import type { Catalog } from "@icecore/catalog"
import { Effect } from "effect"
import type { ViewEpoch } from "./ViewEpoch.ts"

/** The same catalog. The epoch advances when a change ends, however it ends: a failed one may have been made. */
export const make = (catalog: Catalog.Catalog, { advance }: ViewEpoch): Catalog.Catalog => ({
  ...catalog,
  writeChunk: (options) => Effect.ensuring(catalog.writeChunk(options), advance),
  writeIndex: (options) => Effect.ensuring(catalog.writeIndex(options), advance),
  prune: (floorChunk) => Effect.ensuring(catalog.prune(floorChunk), advance),
  demote: (keys) => Effect.ensuring(catalog.demote(keys), advance)
})
