/** Readers that hold every answer of a store that changes under them against a log that they know. */
import { Effect, Exit, Option, Stream } from "effect"
import type { Entry } from "../../src/Entry.ts"
import type { History, HistoryReadError, ServedRange } from "../../src/History.ts"
import * as KeyedLog from "./KeyedLog.ts"

export const readKinds = ["seq", "key", "stranger", "ascending", "descending"] as const

export type ReadKind = (typeof readKinds)[number]

/** What readers saw. */
export interface Tally {
  /** Times of the reads that were answered, in milliseconds. */
  readonly millis: Record<ReadKind, Array<number>>
  /** Reads that met the floor on its way up. */
  belowFloorCount: number
  /** Wrong answers, in words; at most {@link maxViolations}. */
  readonly violations: Array<string>
}

const maxViolations = 20

export const makeTally = (): Tally => ({
  millis: { seq: [], key: [], stranger: [], ascending: [], descending: [] },
  belowFloorCount: 0,
  violations: []
})

export interface HammerOptions {
  readonly history: History
  readonly entriesPerChunk: number
  /** Readers end with the read in which this becomes true. */
  readonly isOver: () => boolean
  /** 0 to 1, exclusive. */
  readonly random: () => number
}

/** Keys of entries that are never written. */
const strangersFrom = 2 ** 31

/** Reads again and again, one read at a time. The log must serve something already. */
export const reader = (options: HammerOptions, tally: Tally): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { history, random } = options
    while (!options.isOver() && tally.violations.length < maxViolations) {
      const kind = readKinds[Math.floor(random() * readKinds.length)]!
      const before = Option.getOrThrow(yield* history.served)
      const [from, to] = aim(options, before)
      const startedAt = performance.now()
      const exit = yield* Effect.exit(readOf(history, kind, from, to))
      const tookMillis = performance.now() - startedAt
      const after = Option.getOrThrow(yield* history.served)
      const last = kind === "ascending" || kind === "descending" ? to : from
      const wrong = judge({ kind, from, to: last, before, after }, exit)
      if (wrong === undefined) tally.millis[kind].push(tookMillis)
      else if (wrong === belowFloor) tally.belowFloorCount++
      else tally.violations.push(`${kind} ${from} to ${last} (${show(before)}, then ${show(after)}): ${wrong}`)
    }
  })

const show = ({ floor, latest }: ServedRange): string => `${floor} to ${latest} served`

/** Where things happen: about the floor, about the end, anywhere; not behind what is served. */
const aim = ({ entriesPerChunk, random }: HammerOptions, served: ServedRange): readonly [number, number] => {
  const place = random()
  const offset = Math.floor(random() * entriesPerChunk * 2)
  const wanted =
    place < 1 / 3
      ? served.floor - entriesPerChunk + offset
      : place < 2 / 3
        ? served.latest - offset
        : served.floor + Math.floor(random() * (served.latest - served.floor + 1))
  const from = Math.min(Math.max(0, wanted), served.latest)
  return [from, Math.min(from + Math.floor((random() * entriesPerChunk) / 2), served.latest)]
}

const readOf = (
  history: History,
  kind: ReadKind,
  from: number,
  to: number
): Effect.Effect<ReadonlyArray<Entry>, HistoryReadError> => {
  if (kind === "seq") return Effect.map(history.get(from), (bytes) => [{ seq: from, bytes }])
  if (kind === "key") return Effect.map(history.find(KeyedLog.keyAt(from)), Option.toArray)
  if (kind === "stranger") return Effect.map(history.find(KeyedLog.keyAt(strangersFrom + from)), Option.toArray)
  const range =
    kind === "ascending" ? history.range({ from, to }) : history.range({ from, to, order: "descending" as const })
  return Effect.map(Stream.runCollect(range), (batches) => batches.flat())
}

/** A read and what was served just before and just after it. */
interface Read {
  readonly kind: ReadKind
  readonly from: number
  readonly to: number
  readonly before: ServedRange
  readonly after: ServedRange
}

const belowFloor = "below the floor"

/** What is wrong with an answer; {@link belowFloor} when it is right to give none. */
const judge = (
  { kind, from, to, before, after }: Read,
  exit: Exit.Exit<ReadonlyArray<Entry>, HistoryReadError>
): string | undefined => {
  if (Exit.isFailure(exit)) {
    const error = Exit.findErrorOption(exit)
    if (Option.isNone(error)) return `it died: ${exit.cause}`
    return error.value._tag === "EntryBelowFloor" && from < after.floor ? belowFloor : error.value.message
  }
  const entries = exit.value
  if (kind === "stranger") return entries.length === 0 ? undefined : `entry ${entries[0]!.seq} has a key of none`
  if (kind === "key" && entries.length === 0) return from < after.floor ? belowFloor : "not found"
  if (from < before.floor) return `it was answered, and is below floor ${before.floor}`
  if (entries.length !== to - from + 1) return `${entries.length} entries`
  for (const [index, { seq, bytes }] of entries.entries()) {
    const expected = kind === "descending" ? to - index : from + index
    if (seq !== expected) return `entry ${seq} in place of ${expected}`
    if (Buffer.compare(bytes, KeyedLog.entryAt(seq)) !== 0) return `entry ${seq} has other bytes`
  }
  return undefined
}

/** The time that `share` of the reads stay below; NaN without reads. */
export const quantile = (millis: ReadonlyArray<number>, share: number): number => {
  const sorted = Float64Array.from(millis).sort()
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}
