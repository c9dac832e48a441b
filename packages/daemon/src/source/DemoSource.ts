/**
 * A demonstration log that needs no file: transfers of an invented ledger, one JSON object an entry.
 *
 * Every entry is computed from its seq alone, so any part of the log can be asked for at any time and is the same each time:
 *
 * ```json
 * {"seq":7,"time":"2024-01-01T00:00:35.000Z","hash":"(64 hex digits)","from":"acct-0113","to":"acct-0458","amount":"81.07"}
 * ```
 */
import { Cause, Clock, Effect, Layer, Option, Schema, Stream } from "effect"
import { PositionInvalid, Source, type SourceBatch, type SourceError, SourceTooShort } from "../Source.ts"

/** Entries that a batch has at most. */
const maxBatchEntries = 1_024

const firstTimeMillis: number = Date.UTC(2024, 0, 1)
const intervalMillis = 5_000
const accountCount = 1_000

export interface DemoSourceOptions {
  /** Seq of the first entry. Default 0. */
  readonly firstSeq?: number
  /** Entries of the whole log. Default: no end. */
  readonly count?: number
  /** New entries a second. Entries that were delivered before come at once. Default: as fast as they are taken. */
  readonly ratePerSecond?: number
}

/** The bytes of one entry. */
export const entryAt = (seq: number): Uint8Array => {
  const words = new Uint32Array(11)
  fill(words, seq)
  let hash = ""
  for (let index = 0; index < 8; index++) hash += words[index]!.toString(16).padStart(8, "0")
  const from = words[8]! % accountCount
  const to = (from + 1 + (words[9]! % (accountCount - 1))) % accountCount
  const cents = 1 + (words[10]! % 100_000)
  return encoder.encode(
    JSON.stringify({
      seq,
      time: new Date(firstTimeMillis + (seq % maxTimedSeq) * intervalMillis).toISOString(),
      hash,
      from: accountName(from),
      to: accountName(to),
      amount: `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`
    })
  )
}

export const make = (options: DemoSourceOptions = {}): Source => {
  const { firstSeq = 0, ratePerSecond } = options
  const end = options.count === undefined ? Number.MAX_SAFE_INTEGER : firstSeq + options.count
  // Seq behind the last entry that was ever delivered: those before it are not new.
  let known = firstSeq
  let done = 0
  let skipped = 0

  const batchOf = (seq: number, size: number): readonly [SourceBatch] => {
    done += size
    known = Math.max(known, seq + size)
    return [
      {
        firstSeq: seq,
        entries: Array.from({ length: size }, (_, index) => entryAt(seq + index)),
        positionAfter: (count) => encodePosition(seq + count - 1)
      }
    ]
  }

  const entries: Source["entries"] = ({ from, resume }) =>
    Stream.unwrap(
      Effect.gen(function* () {
        if (resume !== undefined) yield* checkPosition(resume, from)
        if (from > end) return yield* new SourceTooShort({ path: "the demonstration log", from, end })
        skipped = from - firstSeq
        done = skipped
        let next = from
        // When the entry `next` is due, once it is a new one.
        let dueMillis = yield* Clock.currentTimeMillis
        const pull: Effect.Effect<readonly [SourceBatch], Cause.Done> = Effect.gen(function* () {
          if (next === end) return yield* Cause.done()
          const isNew = next >= known
          let size = Math.min(maxBatchEntries, end - next, isNew ? maxBatchEntries : known - next)
          if (isNew && ratePerSecond !== undefined) {
            const gapMillis = 1_000 / ratePerSecond
            const early = dueMillis - (yield* Clock.currentTimeMillis)
            if (early > 0) yield* Effect.sleep(Math.ceil(early))
            const late = (yield* Clock.currentTimeMillis) - dueMillis
            size = Math.min(size, 1 + Math.floor(late / gapMillis))
            dueMillis += size * gapMillis
          }
          const batch = batchOf(next, size)
          next += size
          return batch
        })
        return Stream.fromPull(Effect.succeed(pull))
      })
    )

  return {
    name: "demo",
    isBounded: options.count !== undefined,
    isRepeatable: true,
    tip: Effect.sync(() => {
      const highest = (options.count === undefined ? known : end) - 1
      return highest < firstSeq ? Option.none() : Option.some(highest)
    }),
    entries,
    progress: Effect.sync(() => ({ unit: "entries", done, skipped, total: Option.fromUndefinedOr(options.count) }))
  }
}

export const layer = (options: DemoSourceOptions = {}): Layer.Layer<Source> => Layer.succeed(Source, make(options))

const encoder = new TextEncoder()

/** The last seq whose time a date can show; the times begin again behind it. */
const maxTimedSeq: number = Math.floor((8.64e15 - firstTimeMillis) / intervalMillis)

const accountName = (account: number): string => `acct-${String(account).padStart(4, "0")}`

/** Fills `words` from both halves of the seq: a Weyl sequence through the 32-bit finalizer of MurmurHash3. */
const fill = (words: Uint32Array, seq: number): void => {
  let state = mix((seq >>> 0) ^ mix(Math.floor(seq / 2 ** 32) + 0x9e37_79b9))
  for (let index = 0; index < words.length; index++) {
    state = (state + 0x9e37_79b9) | 0
    words[index] = mix(state)
  }
}

const mix = (value: number): number => {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

const Position = Schema.fromJsonString(Schema.Struct({ v: Schema.Literal(1), seq: Schema.Int }))
const decodePosition = Schema.decodeUnknownOption(Position)

const encodePosition = (seq: number): Uint8Array => encoder.encode(JSON.stringify({ v: 1, seq }))

const checkPosition = (bytes: Uint8Array, from: number): Effect.Effect<void, SourceError> => {
  const position = decodePosition(new TextDecoder().decode(bytes))
  const detail = Option.match(position, {
    onNone: () => "its position is not one of version 1 of this source",
    onSome: ({ seq }) => (seq < from ? "" : `its position is behind entry ${seq}, which is not before entry ${from}`)
  })
  return detail === "" ? Effect.void : Effect.fail(new PositionInvalid({ source: "demo", detail }))
}
