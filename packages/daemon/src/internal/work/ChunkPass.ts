/**
 * What one pass over the entries of a chunk checks and collects, a batch at a time.
 */
import type { KeyRun } from "@icecore/packfile"
import { Option, Result } from "effect"
import type { Domain } from "../../Domain.ts"
import type { Entry } from "../../Entry.ts"
import { EntryRefused } from "../../History.ts"
import * as RecordSizer from "../../kernel/RecordSizer.ts"
import { ChunkUncovered } from "../../StorageError.ts"

/** The place of the entries. */
export interface ChunkPlace {
  readonly chunk: number
  readonly firstSeq: number
  readonly entryCount: number
  readonly windowFirstSeq: number
}

/** Why the entries are not those of the chunk. */
export type PassError = ChunkUncovered | EntryRefused

export interface ChunkPass {
  readonly place: ChunkPlace
  readonly domain: Domain
  /** Takes the keys of every entry; undefined when none are wanted. */
  readonly builder: KeyRun.RunBuilder | undefined
  readonly sizer: RecordSizer.RecordSizer
  nextSeq: number
  contentSizeBytes: number
}

export const make = (place: ChunkPlace, domain: Domain, builder: KeyRun.RunBuilder | undefined): ChunkPass => ({
  place,
  domain,
  builder,
  sizer: RecordSizer.make(),
  nextSeq: place.firstSeq,
  contentSizeBytes: 0
})

/** Takes in a batch; the first fault, if there is one. */
export const take = (pass: ChunkPass, batch: ReadonlyArray<Entry>): PassError | undefined => {
  const { place, domain, builder, sizer } = pass
  const endSeq = place.firstSeq + place.entryCount
  const keysOf = Option.getOrUndefined(domain.keys)?.of
  for (const { seq, bytes } of batch) {
    if (seq !== pass.nextSeq || seq >= endSeq) return misplaced(pass, seq)
    const refusal = domain.refusal(bytes)
    if (Option.isSome(refusal)) return new EntryRefused({ seq, reason: refusal.value })
    if (builder !== undefined && keysOf !== undefined) {
      const keys = keysOf(bytes)
      if (Result.isFailure(keys)) return new EntryRefused({ seq, reason: keys.failure })
      for (const key of keys.success) builder.add(key, seq - place.windowFirstSeq)
    }
    RecordSizer.add(sizer, bytes.length)
    pass.contentSizeBytes += bytes.length
    pass.nextSeq = seq + 1
  }
  return undefined
}

const misplaced = ({ place, nextSeq }: ChunkPass, seq: number): ChunkUncovered => {
  const isOver = nextSeq >= place.firstSeq + place.entryCount
  const detail = isOver ? `entry ${seq} follows the last one` : `entry ${seq} came in its place`
  return new ChunkUncovered({ chunk: place.chunk, seq: nextSeq, detail })
}

/** What is missing at the end, if anything is. */
export const finish = ({ place, nextSeq }: ChunkPass): ChunkUncovered | undefined =>
  nextSeq === place.firstSeq + place.entryCount
    ? undefined
    : new ChunkUncovered({ chunk: place.chunk, seq: nextSeq, detail: "the entries end before it" })
