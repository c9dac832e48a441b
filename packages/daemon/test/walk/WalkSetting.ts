/** What a walk is opened with: chosen from its seed. */
import { SurvivorChoice } from "@icecore/packfile/testing"
import { Option } from "effect"
import type { DuplicatePolicy } from "../../src/Domain.ts"
import type * as LogModel from "./LogModel.ts"
import { type CrashPick, crashPick, type RetentionChange } from "./WalkSteps.ts"

export interface WalkSetting {
  readonly geometry: LogModel.ModelGeometry
  /** None: a domain without keys. */
  readonly duplicates: Option.Option<DuplicatePolicy>
  readonly entriesPerCommit: number
  readonly maxUnfrozenChunks: number
  /** Of the first start. */
  readonly retention: LogModel.ModelRetention
  /** Crashes of the first start. */
  readonly crashes: ReadonlyArray<CrashPick>
}

/** Small chunks and windows, so that a walk crosses many boundaries of both. */
export const settingOf = (seed: number): WalkSetting => {
  const next = SurvivorChoice.generator(SurvivorChoice.mix(seed, 0x5e77))
  const below = (bound: number): number => next() % bound
  const firstSeq = [0, 0, 2, 1_000][below(4)]!
  const policies = [...Array.from<DuplicatePolicy>({ length: 6 }).fill("error"), "first", "last", "none"] as const
  const policy = policies[seed % policies.length]!
  return {
    geometry: { firstSeq, entriesPerChunk: 2 + below(4), chunksPerWindow: 1 + below(4) },
    duplicates: policy === "none" ? Option.none() : Option.some(policy),
    entriesPerCommit: 1 + below(3),
    maxUnfrozenChunks: 1 + below(4),
    retention: { chunks: [0, 0, 2, 5][below(4)]!, earliest: firstSeq },
    crashes: Array.from({ length: below(3) }, () => crashPick(next))
  }
}

/** Nothing is acknowledged, and history begins where retention says. */
export const modelOf = ({ geometry, retention }: WalkSetting): LogModel.LogModel => ({
  geometry,
  retention,
  acknowledged: geometry.firstSeq,
  attempted: geometry.firstSeq,
  isWhole: true,
  highestFloor: retention.earliest,
  lowestFloor: retention.earliest
})

const chunkCounts: ReadonlyArray<number> = [1, 2, 3, 5, 8]

/** What is kept after a restart that changes it. */
export const retentionAfter = (change: RetentionChange, model: LogModel.LogModel): LogModel.ModelRetention => {
  const { retention, acknowledged, geometry } = model
  const { firstSeq } = geometry
  if (change.kind === "same") return retention
  const { number } = change
  const isWidening = change.kind === "widen"
  if (number % 2 === 0) {
    const other = chunkCounts.filter((count) =>
      retention.chunks === 0 ? !isWidening : isWidening ? count > retention.chunks : count < retention.chunks
    )
    const all = isWidening ? [...other, 0] : other
    return { ...retention, chunks: all[(number >>> 1) % Math.max(1, all.length)] ?? retention.chunks }
  }
  // Behind its latest entry nothing of a log can be kept, which is refused.
  const latest = Math.max(retention.earliest, acknowledged - 1)
  const [from, to] = isWidening ? [firstSeq, retention.earliest] : [retention.earliest, latest]
  return { ...retention, earliest: from + ((number >>> 1) % (to - from + 1)) }
}

export const describeRetention = ({ chunks, earliest }: LogModel.ModelRetention): string =>
  `${chunks === 0 ? "all" : chunks} chunks from ${earliest}`
