/**
 * What those who change the store have to do with views, before there are any.
 *
 * Views share hot handles and a catalog snapshot until something changes. Whoever changes something, or needs to be alone with it,
 * advances the epoch: what is shared is then given back as soon as its last view is. Whoever destroys asks which views are open.
 */
import { Effect, type Option } from "effect"

/** See {@link ViewEpoch}. */
export interface Shared {
  readonly advance: Effect.Effect<void>
  readonly oldestOpenedMillis: Effect.Effect<Option.Option<number>>
}

export interface ViewEpoch extends Shared {
  /** What is taken from now on is new. Gives back at once what nobody uses. */
  readonly advance: Effect.Effect<void>
  /** See `Views.oldestOpenedMillis`. */
  readonly oldestOpenedMillis: Effect.Effect<Option.Option<number>>
  /** Says what the two do. Before, there is nothing to give back, and no view. */
  readonly connect: (shared: Shared) => void
}

export const make = (): ViewEpoch => {
  let current: Shared = { advance: Effect.void, oldestOpenedMillis: Effect.succeedNone }
  return {
    advance: Effect.suspend(() => current.advance),
    oldestOpenedMillis: Effect.suspend(() => current.oldestOpenedMillis),
    connect: (shared) => {
      current = shared
    }
  }
}
