/**
 * What this process left between two states: what it demoted, and what it began to make or to remove. A sweep of what is known
 * looks at nothing else.
 *
 * A key is noted before the batch that unsettles it and forgotten after what settles it, so no failure and no interruption in between
 * loses it; one that turns out to be settled is forgotten by the sweep. At most {@link maxNoted} keys are noted. Beyond that it is
 * only known that there are more, and when the last of them was demoted: the next sweep walks all keys.
 *
 * The time of a demotion is that after its batch: who opens a snapshot later than it does not find the artifact frozen.
 */
import { Effect } from "effect"
import { type ArtifactKey, type ArtifactState, encodeKey, type StorageKey } from "../format/CatalogKey.ts"
import * as SteadyClock from "../SteadyClock.ts"

/** Keys noted at most, about 20 MB of them. */
export const maxNoted = 65_536

/** Before any demotion: nobody reaches the files. */
const never: number = Number.NEGATIVE_INFINITY

/** An artifact that is to be demoted, and what it was. */
export interface Demoted {
  readonly key: ArtifactKey
  readonly state: ArtifactState
}

export interface Pending {
  /** Work on the keys begins that may leave them unsettled; nobody reaches what they name. */
  readonly note: (keys: ReadonlyArray<StorageKey>) => void
  /** {@link note} for keys that a sweep found: needless while there are more than were noted, because then the next sweep finds them. */
  readonly noteFound: (keys: ReadonlyArray<StorageKey>) => void
  /** The keys are settled. */
  readonly forget: (keys: ReadonlyArray<StorageKey>) => void
  /** Runs the batch that demotes artifacts. Readers may reach those that were frozen, from before it as long as they like. */
  readonly demoting: <A, E, R>(demoted: ReadonlyArray<Demoted>, batch: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** When the key was demoted, in milliseconds of `SteadyClock`: infinite while it is, −infinite when nobody reaches it. */
  readonly demotedAt: (key: StorageKey) => number
  /** Every key noted; undefined when there are more than were noted. */
  readonly known: () => ReadonlyArray<StorageKey> | undefined
  readonly isNoted: (key: StorageKey) => boolean
  /** Call before a walk over all keys; call what it returns when the walk has removed all that was not noted. */
  readonly walk: () => () => void
}

interface Noted {
  readonly key: StorageKey
  readonly demotedAt: number
}

export const make = (limit: number = maxNoted): Pending => {
  const noted = new Map<string, Noted>()
  let isOverflowing = false
  /** Of keys that were not noted. */
  let overflowCount = 0
  let overflowAt = never
  let isDemotingMore = false

  const put = (key: StorageKey, demotedAt: number): void => {
    const text = encodeKey(key)
    if (noted.has(text) || noted.size < limit) {
      noted.set(text, { key, demotedAt })
      return
    }
    isOverflowing = true
    overflowCount++
    if (demotedAt === Number.POSITIVE_INFINITY) isDemotingMore = true
    else overflowAt = Math.max(overflowAt, demotedAt)
  }

  const putAll = (demoted: ReadonlyArray<Demoted>, demotedAt: number): void => {
    for (const { key, state } of demoted) put(key, state === "frozen" ? demotedAt : never)
  }

  return {
    note: (keys) => {
      for (const key of keys) put(key, never)
    },
    noteFound: (keys) => {
      if (!isOverflowing) for (const key of keys) put(key, never)
    },
    forget: (keys) => {
      for (const key of keys) noted.delete(encodeKey(key))
    },
    demoting: (demoted, batch) =>
      Effect.suspend(() => {
        putAll(demoted, Number.POSITIVE_INFINITY)
        return Effect.onExit(batch, () =>
          Effect.map(SteadyClock.currentMillis, (now) => {
            isDemotingMore = false
            putAll(demoted, now)
          })
        )
      }).pipe(Effect.uninterruptible),
    demotedAt: (key) => {
      const found = noted.get(encodeKey(key))
      if (found !== undefined) return found.demotedAt
      return isDemotingMore ? Number.POSITIVE_INFINITY : overflowAt
    },
    known: () => (isOverflowing ? undefined : [...noted.values()].map(({ key }) => key)),
    isNoted: (key) => noted.has(encodeKey(key)),
    walk: () => {
      const before = overflowCount
      return () => {
        if (overflowCount !== before) return
        isOverflowing = false
        overflowAt = never
      }
    }
  }
}
