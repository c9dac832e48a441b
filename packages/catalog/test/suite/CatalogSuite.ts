/** What a catalog does on a healthy machine, whatever engine it is on. */
import { layer } from "@effect/vitest"
import type { Layer } from "effect"
import type { Store } from "../Harness.ts"
import { hotSuite } from "./HotSuite.ts"
import { openSuite } from "./OpeningSuite.ts"
import { pruningSuite } from "./PruningSuite.ts"
import { removalSuite } from "./RemovalSuite.ts"
import { snapshotSuite } from "./SnapshotSuite.ts"
import { writeSuite } from "./WritingSuite.ts"

/** Declares the tests for one engine under both the catalog and the hot databases. */
export const catalogSuite = (name: string, store: Layer.Layer<Store>): void => {
  layer(store)(`Catalog on ${name}`, (it) => {
    openSuite(it)
    writeSuite(it)
    removalSuite(it)
    pruningSuite(it)
    hotSuite(it)
    snapshotSuite(it)
  })
}
