/** Many sources of grants that overlap: each knows every second of all there are, and each saw them at times of its own. */
import type { Grant } from "@icecore/engine/access"

export interface Sources {
  readonly sourceCount: number
  /** Of each source. */
  readonly recordCount: number
}

const mixed = (value: number): number => {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Of each pair of grants every source knows one. */
const numberOf = (source: number, place: number): number => 2 * place + (mixed(place * 131 + source) & 1)

/** Few times, so that many are equal. */
const timeOf = (source: number, number: number): number => 1_700_000_000_000_000 + (mixed(number * 67 + source) % 40)

const idOf = (number: number): string => `grant-${String(number).padStart(7, "0")}-${mixed(number).toString(36)}`

/** The grants of one source, in the order of their ids. */
export function* knownTo({ recordCount }: Sources, source: number): Generator<Grant> {
  for (let place = 0; place < recordCount; place++) {
    const number = numberOf(source, place)
    const group = mixed(number) % 400
    yield {
      external_id: idOf(number),
      entitlement_id: `group:${group}:member`,
      entitlement_resource_type_id: "group",
      entitlement_resource_id: `${group}`,
      principal_resource_type_id: "user",
      principal_resource_id: `user-${mixed(number + 7) % 9_000}`,
      sources: {},
      needs_expansion: number % 50 === 0,
      annotations: [{ type: "source", value: Uint8Array.of(source) }],
      discovered_at: timeOf(source, number)
    }
  }
}

/** Id and time of what wins, in the order of the ids. */
export function* winnersOf({
  recordCount,
  sourceCount
}: Sources): Generator<Pick<Grant, "external_id" | "discovered_at"> & { readonly source: number }> {
  const best = new Map<number, { readonly discovered_at: number; readonly source: number }>()
  for (let source = 0; source < sourceCount; source++) {
    for (let place = 0; place < recordCount; place++) {
      const number = numberOf(source, place)
      const discovered_at = timeOf(source, number)
      const before = best.get(number)
      if (before === undefined || discovered_at >= before.discovered_at) best.set(number, { discovered_at, source })
    }
  }
  for (const [number, { discovered_at, source }] of [...best].toSorted(([left], [right]) => left - right)) {
    yield { external_id: idOf(number), discovered_at, source }
  }
}
