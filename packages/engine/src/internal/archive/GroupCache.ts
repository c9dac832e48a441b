/** Decoded groups of rows, the most recently used ones up to a number of bytes. */
import type { Group } from "../../format/PackRowsFormat.ts"

export interface GroupCache {
  readonly get: (keyspace: string, group: number) => Group | undefined
  readonly put: (keyspace: string, group: number, decoded: Group) => void
}

/** A cache of `sizeBytes`; 0 keeps nothing. */
export const make = (sizeBytes: number): GroupCache => {
  // A map gives its entries in the order in which they were put: the first is the one that was used longest ago.
  const groups = new Map<string, Group>()
  let usedBytes = 0
  const nameOf = (keyspace: string, group: number): string => `${keyspace}/${group}`
  const weightOf = ({ bytes, offsets }: Group): number => bytes.length + offsets.byteLength

  return {
    get: (keyspace, group) => {
      const name = nameOf(keyspace, group)
      const found = groups.get(name)
      if (found === undefined) return undefined
      groups.delete(name)
      groups.set(name, found)
      return found
    },
    put: (keyspace, group, decoded) => {
      const name = nameOf(keyspace, group)
      const weight = weightOf(decoded)
      if (weight > sizeBytes || groups.has(name)) return
      groups.set(name, decoded)
      usedBytes += weight
      for (const [oldest, group] of groups) {
        if (usedBytes <= sizeBytes) return
        groups.delete(oldest)
        usedBytes -= weightOf(group)
      }
    }
  }
}
