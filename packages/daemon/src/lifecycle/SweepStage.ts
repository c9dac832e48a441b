/** Sweeping: what was demoted, and nobody can reach any more, is removed from disk. */
import type { Catalog } from "@icecore/catalog"
import { Effect, Option } from "effect"
import type { StorageError } from "../StorageError.ts"
import type { Stage, StageOutcome } from "./Stage.ts"

/** How soon what readers still hold is looked at again, at least. */
const minAgainMillis = 1_000

export const make = (catalog: Catalog.Catalog, graceMillis: number): Stage => {
  const run = Effect.gen(function* (): Effect.fn.Return<StageOutcome, StorageError> {
    const { artifactCount, hotCount, deferredCount } = yield* catalog.sweep({ known: true })
    const count = artifactCount + hotCount
    return {
      done: count === 0 ? Option.none() : Option.some(`removed ${count} artifacts`),
      ...(deferredCount === 0 ? {} : { againMillis: Math.max(minAgainMillis, graceMillis) })
    }
  })
  return { name: "sweep", isAwaited: false, isBusy: () => false, run: () => run }
}
