/** The indexes of a store: which there are, and that each answers for every key of every entry it covers. */
import { type Disk, type DiskError, KeyIndex, type KeyIndexCorrupt } from "@icecore/packfile"
import { Effect, Option, type Scope } from "effect"
import { Hex } from "effect/encoding"
import type { DuplicatePolicy } from "../Domain.ts"
import type * as Names from "./Names.ts"
import { ImageWrong } from "./PackImage.ts"
import { prefixBytes, rowBytes } from "./RunImage.ts"

/** An open index of one window, with what was asked of it so far. */
export interface IndexUnderAudit {
  readonly row: Names.IndexRow
  readonly index: KeyIndex.KeyIndex
  /** Keys that it answered with the entry they came from. */
  answeredCount: number
  /** Chunks of its coverage whose keys were all asked for. */
  askedChunks: number
}

const wrong = (path: string, detail: string): ImageWrong => new ImageWrong({ path, detail, items: Option.none() })

/** Held in memory up to this size, so that millions of keys are asked for without a read each. */
const residentLimitBytes = 64 * 1024 * 1024

/** Opens an index for the scope, and checks that it is the one that its name says. */
export const open: (
  path: string,
  row: Names.IndexRow,
  seqs: { readonly first: number; readonly last: number },
  duplicates: Option.Option<DuplicatePolicy>
) => Effect.Effect<IndexUnderAudit, ImageWrong | KeyIndexCorrupt | DiskError, Disk | Scope.Scope> = Effect.fnUntraced(
  function* (path, row, seqs, duplicates) {
    const index = yield* KeyIndex.open(path, { residentLimitBytes })
    const { coverage, coverageFirstSeq, coverageLastSeq } = index.header
    if (coverage.window !== row.window || coverage.lo !== row.lo || coverage.hi !== row.hi)
      return yield* wrong(path, `it covers chunks ${coverage.lo} to ${coverage.hi} of window ${coverage.window}`)
    if (coverageFirstSeq !== seqs.first || coverageLastSeq !== seqs.last)
      return yield* wrong(path, `it covers entries ${coverageFirstSeq} to ${coverageLastSeq}`)
    if (!Option.contains(duplicates, index.header.duplicates))
      return yield* wrong(
        path,
        `it was built for duplicates "${index.header.duplicates}", which the domain does not say`
      )
    return { row, index, answeredCount: 0, askedChunks: 0 }
  }
)

/** Asks for every key of a run of a chunk that the index covers. */
export const askAll: (
  audited: IndexUnderAudit,
  run: Uint8Array,
  windowFirstSeq: number,
  duplicates: DuplicatePolicy
) => Effect.Effect<void, ImageWrong | KeyIndexCorrupt | DiskError> = Effect.fnUntraced(function* (
  audited: IndexUnderAudit,
  run: Uint8Array,
  windowFirstSeq: number,
  duplicates: DuplicatePolicy
) {
  const { index } = audited
  const view = new DataView(run.buffer, run.byteOffset, run.byteLength)
  for (let at = 8; at < run.length; at += rowBytes) {
    const prefix = run.subarray(at, at + prefixBytes)
    const seq = windowFirstSeq + view.getUint32(at + prefixBytes, true)
    const found = index.lookupResident?.(prefix) ?? (yield* index.lookup(prefix))
    if (found === seq) audited.answeredCount++
    else if (found < 0 || duplicates === "error" || (duplicates === "first" ? found > seq : found < seq)) {
      const answer = found < 0 ? "nothing" : `entry ${found}`
      return yield* wrong(index.path, `it answers key 0x${Hex.encode(prefix)} of entry ${seq} with ${answer}`)
    }
  }
  audited.askedChunks++
})

/** Once all chunks of the coverage were asked for, it must hold as many keys as it answered, and no stranger. */
export const settle = (audited: IndexUnderAudit): Effect.Effect<void, ImageWrong> => {
  const { row, index, askedChunks, answeredCount } = audited
  if (askedChunks !== row.hi - row.lo + 1 || index.header.keyCount === answeredCount) return Effect.void
  return Effect.fail(
    wrong(index.path, `it has ${index.header.keyCount} keys, the entries that it covers have ${answeredCount}`)
  )
}
