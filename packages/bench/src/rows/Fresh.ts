/**
 * Something new in an empty directory for every round: what the round before left is closed and removed first.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { Effect, Exit, Scope } from "effect"

export interface Fresh<A> {
  /** For `prepare`. */
  readonly renew: Effect.Effect<void, unknown>
  /** What the last `renew` made. */
  readonly current: () => A
}

/** `make` gets an empty directory under `parent`. The last one is closed with the row. */
export const fresh: <A>(
  parent: string,
  make: (directory: string) => Effect.Effect<A, unknown, Scope.Scope>
) => Effect.Effect<Fresh<A>, never, Scope.Scope> = Effect.fnUntraced(function* <A>(
  parent: string,
  make: (directory: string) => Effect.Effect<A, unknown, Scope.Scope>
) {
  const outer = yield* Effect.scope
  let inner: Scope.Closeable | undefined
  let value: A | undefined
  return {
    renew: Effect.gen(function* () {
      if (inner !== undefined) yield* Scope.close(inner, Exit.void)
      inner = yield* Scope.fork(outer)
      const directory = yield* Scope.provide(
        Effect.acquireRelease(
          Effect.promise(() => mkdtemp(`${parent}/round-`)),
          (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
        ),
        inner
      )
      value = yield* Scope.provide(make(directory), inner)
    }),
    current: () => value!
  }
})
