/** A map for what can be had again: it forgets all when it has come to many bytes. */

/** Bytes that are kept; over it all are forgotten. */
const maxSizeBytes = 16 * 1024 * 1024

/** Bytes that an entry costs besides its own, roughly. */
const entryOverheadBytes = 200

export interface BoundedMap<A> {
  readonly get: (key: string) => A | undefined
  readonly has: (key: string) => boolean
  /** `sizeBytes` is what the value takes. What was under the key before goes on counting. */
  readonly set: (key: string, value: A, sizeBytes: number) => void
}

export const make = <A>(): BoundedMap<A> => {
  const entries = new Map<string, A>()
  let keptBytes = 0
  return {
    get: (key) => entries.get(key),
    has: (key) => entries.has(key),
    set: (key, value, sizeBytes) => {
      const entryBytes = entryOverheadBytes + key.length + sizeBytes
      if (keptBytes + entryBytes > maxSizeBytes) {
        entries.clear()
        keptBytes = 0
      }
      entries.set(key, value)
      keptBytes += entryBytes
    }
  }
}
