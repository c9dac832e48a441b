/**
 * Where entries come from.
 *
 * A source is deterministic: the same seq gives the same bytes every time it is asked. Sources that cannot promise this by
 * themselves (a file that others may edit) check what they can and fail with {@link SourceChanged} rather than go on with
 * other bytes.
 *
 * Resuming. Each batch can name the position behind each of its entries. A position is an opaque, durable token: the daemon
 * commits it atomically with the entry that it stands behind and hands the latest one back after a restart. With it, going on
 * costs no second read of what was ingested, and a log that was rotated meanwhile is found again.
 */
import type { DiskError } from "@icecore/packfile"
import { Context, Data, Effect, Option, Stream } from "effect"

/** Bytes that were ingested before are not there any more, or are others. Nothing was read past them. */
export class SourceChanged extends Data.Error<{
  readonly path: string
  /** Number of the line in its file, from 1. */
  readonly line: number
  readonly expected: string
  readonly actual: string
}> {
  readonly _tag = "SourceChanged"
  override readonly name = "SourceChanged"
  override get message(): string {
    return `Cannot go on reading ${this.path}: line ${this.line} changed since it was ingested: expected ${this.expected}, found ${this.actual}`
  }
}

/** A followed file became shorter than what was read of it, and the source is told not to start it again. */
export class SourceTruncated extends Data.Error<{
  readonly path: string
  readonly offsetBytes: number
  readonly sizeBytes: number
}> {
  readonly _tag = "SourceTruncated"
  override readonly name = "SourceTruncated"
  override get message(): string {
    return `Cannot go on reading ${this.path}: it was truncated to ${this.sizeBytes} bytes, ${this.offsetBytes} were read`
  }
}

/** A file that must be read next is gone. */
export class SourceMissing extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "SourceMissing"
  override readonly name = "SourceMissing"
  override get message(): string {
    return `Cannot read ${this.path}: ${this.detail}`
  }
}

/** A file of a followed directory came before one that has been read already, so its lines have no place in the order. */
export class SourceOutOfOrder extends Data.Error<{ readonly path: string; readonly current: string }> {
  readonly _tag = "SourceOutOfOrder"
  override readonly name = "SourceOutOfOrder"
  override get message(): string {
    return `Cannot read ${this.path}: it appeared after ${this.current} was begun, which its name sorts before`
  }
}

/** A bounded source ends before the entry that was asked for. */
export class SourceTooShort extends Data.Error<{
  readonly path: string
  /** First seq that was asked for. */
  readonly from: number
  /** Seq behind the last entry that the source has. */
  readonly end: number
}> {
  readonly _tag = "SourceTooShort"
  override readonly name = "SourceTooShort"
  override get message(): string {
    return `Cannot read ${this.path} from entry ${this.from}: it ends before entry ${this.end}`
  }
}

/** A compressed input is truncated, damaged or followed by something else. */
export class SourceDamaged extends Data.Error<{
  readonly path: string
  readonly format: "gzip" | "zstd"
  readonly detail: string
}> {
  readonly _tag = "SourceDamaged"
  override readonly name = "SourceDamaged"
  override get message(): string {
    return `Cannot read ${this.path}: its ${this.format} data is damaged: ${this.detail}`
  }
}

/** A line is longer than the limit. Lines before it were delivered. */
export class LineTooLong extends Data.Error<{
  readonly path: string
  /** Number of the line in its file, from 1. */
  readonly line: number
  readonly limitBytes: number
}> {
  readonly _tag = "LineTooLong"
  override readonly name = "LineTooLong"
  override get message(): string {
    return `Cannot read ${this.path}: line ${this.line} is longer than ${this.limitBytes} bytes`
  }
}

/** The position was not made by this kind of source, or by a version that is not known here. */
export class PositionInvalid extends Data.Error<{ readonly source: string; readonly detail: string }> {
  readonly _tag = "PositionInvalid"
  override readonly name = "PositionInvalid"
  override get message(): string {
    return `Cannot resume source ${this.source}: ${this.detail}`
  }
}

/** An input that is no file (standard input) failed, or the place of a file in the log cannot be told. */
export class SourceFailed extends Data.Error<{
  readonly path: string
  readonly detail: string
  readonly cause: unknown
}> {
  readonly _tag = "SourceFailed"
  override readonly name = "SourceFailed"
  override get message(): string {
    return `Cannot read ${this.path}: ${this.detail}`
  }
}

export type SourceError =
  | SourceChanged
  | SourceTruncated
  | SourceMissing
  | SourceOutOfOrder
  | SourceTooShort
  | SourceDamaged
  | LineTooLong
  | PositionInvalid
  | SourceFailed
  | DiskError

/** Consecutive entries. Bounded in rows and bytes by the source. */
export interface SourceBatch {
  /** Seq of `entries[0]`. */
  readonly firstSeq: number
  /** One or more. They may share buffers, which are the reader's from now on. */
  readonly entries: ReadonlyArray<Uint8Array>
  /**
   * Position behind the first `count` entries, 1 to `entries.length`: what to commit together with `entries[count - 1]`. Costs
   * a checksum of that entry; ask for those that are committed only. The buffer is the caller's.
   */
  readonly positionAfter: (count: number) => Uint8Array
}

export interface EntriesOptions {
  /** First seq wanted, inclusive: the source's first seq or later. */
  readonly from: number
  /**
   * Position behind an entry before `from`, as committed with it; normally the entry `from − 1`. The source goes on from
   * there and passes over what lies between. Without it the source counts from its beginning.
   */
  readonly resume?: Uint8Array
}

/**
 * How much of the input was read, what lies before the position that the stream resumed at included. A hint for people, in the
 * unit that the source can tell cheaply.
 */
export interface SourceProgress {
  readonly unit: "bytes" | "entries"
  readonly done: number
  /** The part of `done` that lies before the position that the stream resumed at. Default 0. */
  readonly skipped?: number
  /** None when it has no known end. */
  readonly total: Option.Option<number>
}

export interface Source {
  /** `ndjson`, `demo`. */
  readonly name: string
  /** Whether {@link Source.entries} ends at the last entry there is. Otherwise it waits there for more. */
  readonly isBounded: boolean
  /** Whether {@link Source.entries} may be asked again, and gives the same again. Standard input can be read only once. */
  readonly isRepeatable: boolean
  /** Highest seq known to be available. None when there is no entry, or when it takes reading the input to know. */
  readonly tip: Effect.Effect<Option.Option<number>, SourceError>
  /**
   * Entries from `from` on, dense and ascending. Pulls its input only as batches are taken, and holds one batch at most.
   * Fails with {@link SourceTooShort} when a bounded source ends before `from`.
   */
  readonly entries: (options: EntriesOptions) => Stream.Stream<SourceBatch, SourceError>
  /** Of the latest stream that {@link Source.entries} started. */
  readonly progress: Effect.Effect<SourceProgress>
}

export const Source: Context.Service<Source, Source> = Context.Service("@icecore/daemon/Source")

/**
 * One behind the last seq that a source has now, which counts from `firstSeq`. Reads a bounded source to its end, if it can be read
 * again.
 */
export const endOf = (source: Source, firstSeq: number): Effect.Effect<number, SourceError> => {
  if (!source.isRepeatable)
    return Effect.fail(
      new SourceFailed({
        path: source.name,
        detail: "it can be read only once, so its end is not known",
        cause: undefined
      })
    )
  if (source.isBounded)
    return Stream.runFold(
      source.entries({ from: firstSeq }),
      () => firstSeq,
      (_, batch) => batch.firstSeq + batch.entries.length
    )
  return Effect.map(source.tip, Option.match({ onNone: () => firstSeq, onSome: (seq) => seq + 1 }))
}

/**
 * A bounded source without its last entry, which may still be written to: what may be taken of an input that is about to be
 * followed.
 */
export const withoutLast = (source: Source): Source => ({
  ...source,
  tip: Effect.map(source.tip, Option.flatMap(previousOf)),
  entries: (options) =>
    Stream.suspend(() => {
      let held: SourceBatch | undefined
      return Stream.flattenIterable(
        Stream.map(source.entries(options), (batch) => {
          const shifted = shift(held, batch)
          held = batch
          return shifted
        })
      )
    })
})

const previousOf = (seq: number): Option.Option<number> => (seq > 0 ? Option.some(seq - 1) : Option.none())

/** The last entry of the batch before, and all of this one but its last. */
const shift = (before: SourceBatch | undefined, batch: SourceBatch): ReadonlyArray<SourceBatch> => {
  const kept = batch.entries.slice(0, -1)
  if (before !== undefined)
    return [
      {
        firstSeq: batch.firstSeq - 1,
        entries: [before.entries.at(-1)!, ...kept],
        positionAfter: (count) =>
          count === 1 ? before.positionAfter(before.entries.length) : batch.positionAfter(count - 1)
      }
    ]
  return kept.length === 0 ? [] : [{ ...batch, entries: kept }]
}
