/** Who works on which key in this process. A key is worked on by one at a time; the next one is refused, not queued. */
import { Effect, type Scope } from "effect"
import { CatalogBusy } from "../CatalogError.ts"
import { encodeKey, prefixes, type StorageKey } from "../format/CatalogKey.ts"

export interface Claims {
  /** Claims all keys for the scope, or none. */
  readonly hold: (keys: ReadonlyArray<StorageKey>) => Effect.Effect<void, CatalogBusy, Scope.Scope>
  /** Claims for the scope those keys that nobody holds, and returns them. */
  readonly holdFree: <Key extends StorageKey>(
    keys: ReadonlyArray<Key>
  ) => Effect.Effect<ReadonlyArray<Key>, never, Scope.Scope>
  /** Claims all keys while the effect runs. */
  readonly during: (
    keys: ReadonlyArray<StorageKey>
  ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | CatalogBusy, R>
}

/** A window's key indexes are one thing, because freezing one demotes the others. */
const nameOf = (key: StorageKey): string => (key._tag === "Index" ? prefixes.window(key.window) : encodeKey(key))

export const make = (): Claims => {
  const held = new Set<string>()

  const take = (keys: ReadonlyArray<StorageKey>): ReadonlyArray<string> => {
    const names = [...new Set(keys.map(nameOf))]
    for (const name of names) held.add(name)
    return names
  }

  const acquire = (keys: ReadonlyArray<StorageKey>): Effect.Effect<ReadonlyArray<string>, CatalogBusy> =>
    Effect.suspend(() => {
      const busy = keys.find((key) => held.has(nameOf(key)))
      return busy === undefined
        ? Effect.succeed(take(keys))
        : Effect.fail(new CatalogBusy({ key: encodeKey(busy), reason: "work" }))
    })

  const release = (names: ReadonlyArray<string>): Effect.Effect<void> =>
    Effect.sync(() => {
      for (const name of names) held.delete(name)
    })

  return {
    hold: (keys) => Effect.asVoid(Effect.acquireRelease(acquire(keys), release)),
    holdFree: (keys) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const free = keys.filter((key) => !held.has(nameOf(key)))
          return { free, names: take(free) }
        }),
        ({ names }) => release(names)
      ).pipe(Effect.map(({ free }) => free)),
    during: (keys) => (effect) => Effect.acquireUseRelease(acquire(keys), () => effect, release)
  }
}
