/**
 * What must hold of an open store at any moment: everything from the floor to the latest entry reads right, by seq, as a range in both
 * directions and by key; what lies outside is told from what is lost; strangers are not found.
 */
import { Effect, Exit, Option, Stream } from "effect"
import type { DuplicatePolicy } from "../../src/Domain.ts"
import type { Entry } from "../../src/Entry.ts"
import type { History, HistoryReadError } from "../../src/History.ts"
import { bytesOfKey, type LogContent } from "./LogContent.ts"
import { requireEntry } from "./WalkSession.ts"
import { require } from "./WalkViolation.ts"

export interface ReadCheck {
  readonly history: History
  readonly content: LogContent
  readonly floor: number
  /** Seq behind the latest entry. */
  readonly nextSeq: number
  readonly firstSeq: number
  /** None when the domain has no keys. */
  readonly duplicates: Option.Option<DuplicatePolicy>
  /** A number below the bound, another one each time. */
  readonly below: (bound: number) => number
  /** Entries and keys to look at: all, or this many. */
  readonly sampleCount: number | "all"
}

/** Reads, and fails the walk at the first wrong answer. */
export const check = (options: ReadCheck): Effect.Effect<void, HistoryReadError> =>
  Effect.gen(function* () {
    const { floor, nextSeq } = options
    yield* outside(options)
    if (nextSeq > floor) {
      yield* ranges(options)
      const count = nextSeq - floor
      const seqs =
        options.sampleCount === "all"
          ? Array.from({ length: count }, (_, index) => floor + index)
          : [floor, nextSeq - 1, ...Array.from({ length: options.sampleCount }, () => floor + options.below(count))]
      for (const seq of seqs) {
        requireEntry(options.content, { seq, bytes: yield* options.history.get(seq) }, seq, "a read by seq")
        if (Option.isSome(options.duplicates)) yield* keysOf(options, options.duplicates.value, seq)
      }
    }
    if (Option.isSome(options.duplicates)) yield* strangers(options)
  })

const failureOf = <A>(effect: Effect.Effect<A, HistoryReadError>): Effect.Effect<string> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return "an answer"
    return Option.match(Exit.findErrorOption(exit), { onNone: () => String(exit.cause), onSome: ({ _tag }) => _tag })
  })

const outside = ({ history, floor, nextSeq, firstSeq, below }: ReadCheck): Effect.Effect<void> =>
  Effect.gen(function* () {
    const behind = nextSeq + below(3)
    const tag = yield* failureOf(history.get(behind))
    const expected = behind < floor ? "EntryBelowFloor" : "EntryNotIngested"
    require(tag === expected, () => `reading entry ${behind}, which is behind the latest, gives ${tag}`)
    if (floor === firstSeq) return
    for (const seq of [floor - 1, firstSeq + below(floor - firstSeq)]) {
      const tag = yield* failureOf(history.get(seq))
      require(tag === "EntryBelowFloor", () => `reading entry ${seq}, which is below the floor, gives ${tag}`)
      const rangeTag = yield* failureOf(Stream.runDrain(history.range({ from: seq })))
      require(rangeTag === "EntryBelowFloor", () => `a range from ${seq}, below the floor, gives ${rangeTag}`)
    }
  })

const ranges = ({ history, content, floor, nextSeq, below, sampleCount }: ReadCheck) =>
  Effect.gen(function* () {
    const count = nextSeq - floor
    const from = sampleCount === "all" ? floor : floor + below(count)
    const to = sampleCount === "all" ? nextSeq - 1 : Math.min(nextSeq - 1, from + below(40))
    for (const order of ["ascending", "descending"] as const) {
      const entries = (yield* Stream.runCollect(history.range({ from, to, order }))).flat()
      requireRange(content, order === "ascending" ? entries : entries.reverse(), { from, to }, `a range ${order}`)
    }
  })

/** The entries are those of the range, ascending. */
const requireRange = (
  content: LogContent,
  entries: ReadonlyArray<Entry>,
  { from, to }: { readonly from: number; readonly to: number },
  what: string
): void => {
  require(entries.length === to - from + 1, () => `${what} from ${from} to ${to} gives ${entries.length} entries`)
  for (const [index, entry] of entries.entries()) requireEntry(content, entry, from + index, what)
}

/** Every key of the entry finds what it should. */
const keysOf = ({ history, content, floor, nextSeq }: ReadCheck, duplicates: DuplicatePolicy, seq: number) =>
  Effect.gen(function* () {
    for (const key of content.keysAt(seq)) {
      const holders = content.holders({ key, seq, from: floor, to: nextSeq - 1 })
      const found = yield* history.find(bytesOfKey(key))
      require(Option.isSome(found), () => `key ${key} of entry ${seq} is not found`)
      const expected = duplicates === "first" ? holders[0]! : holders.at(-1)!
      if (Option.isSome(found))
        requireEntry(content, found.value, expected, `key ${key}, which entries ${holders} have,`)
    }
  })

/** Keys that no entry has, or none that is served. */
const strangers = ({ history, content, floor, nextSeq, firstSeq, below }: ReadCheck) =>
  Effect.gen(function* () {
    const strange = [content.strangeKey(below(1_000_000))]
    const gone = (seq: number): void => {
      for (const key of content.keysAt(seq))
        if (content.holders({ key, seq, from: floor, to: nextSeq - 1 }).length === 0) strange.push(key)
    }
    if (floor > firstSeq) gone(firstSeq + below(floor - firstSeq))
    gone(nextSeq + below(4))
    if (nextSeq > floor) {
      const known = content.keysAt(floor + below(nextSeq - floor))[0]
      // The same first 16 bytes, which is all that runs and indexes hold.
      if (known !== undefined) strange.push(known.slice(0, 32) + content.strangeKey(below(1_000_000)).slice(32))
    }
    for (const key of strange) {
      const found = yield* history.find(bytesOfKey(key))
      require(Option.isNone(found), () =>
        `key ${key}, which no served entry has, finds ${JSON.stringify(Option.map(found, ({ seq }) => seq))}`)
    }
  })
