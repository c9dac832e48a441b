/** What tests ask of a store of {@link import("./TierHarness.ts")}, in the form in which they compare it. */
import { Effect, Option, type Scope, Stream } from "effect"
import type { Explanation } from "../../src/Explanation.ts"
import type { HistoryReadError, RangeOptions } from "../../src/History.ts"
import type { ReadView } from "../../src/ReadView.ts"
import type { StoreServices } from "../../src/Store.ts"
import type { Tiers } from "./TierHarness.ts"

export const tagOf = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<string, A, R> => Effect.map(Effect.flip(effect), (error) => error._tag)

export const repeat = <A, E, R>(effect: Effect.Effect<A, E, R>, times: number): Effect.Effect<void, E, R> =>
  Effect.forEach(Array.from({ length: times }), () => effect, { discard: true })

/** The seqs that a range gives. */
export const seqsOf = (
  reads: ReadView,
  options: RangeOptions = {}
): Effect.Effect<ReadonlyArray<number>, HistoryReadError> =>
  Effect.map(Stream.runCollect(reads.range(options)), (batches) => batches.flat().map(({ seq }) => seq))

/** The seq that a key finds. */
export const seqOf = ({ reads, keyOf }: Tiers, name: string): Effect.Effect<number | undefined, HistoryReadError> =>
  Effect.map(reads.find(keyOf(name)), (found) => Option.getOrUndefined(Option.map(found, ({ seq }) => seq)))

/** A line a step. */
export const outcomes = ({ steps }: Explanation): ReadonlyArray<string> =>
  steps.map(({ name, outcome, seq }) => `${name}: ${outcome}${Option.isSome(seq) ? ` ${seq.value}` : ""}`)

/** 14 entries: chunks 0 and 1 in an index, 2 in a run, 3 hot. */
export const spread = ({
  append,
  freeze,
  index,
  discard
}: Tiers): Effect.Effect<void, unknown, StoreServices | Scope.Scope> =>
  Effect.gen(function* () {
    yield* repeat(append, 14)
    for (const chunk of [0, 1, 2]) yield* freeze(chunk)
    yield* index(0, 1)
    for (const chunk of [0, 1, 2]) yield* discard(chunk)
  })
