/** Streams over many records: neighbours are read together, ahead of what is decoded. */
import { Cause, Effect, type Pull, Result, Stream } from "effect"
import * as OffsetIndex from "../format/OffsetIndex.ts"
import * as ReadSelection from "../kernel/ReadSelection.ts"
import type { OpenPack } from "./PackOpening.ts"
import * as StoredRecord from "./StoredRecord.ts"

/** The stored bytes of neighbouring records. */
export interface StoredBatch {
  readonly batch: ReadSelection.ReadBatch
  readonly bytes: Uint8Array
}

/** The records that a selection needs, in order, `concurrency` reads at a time. */
export const batches = (
  pack: OpenPack,
  selection: ReadSelection.ReadSelection,
  concurrency: number
): Stream.Stream<StoredBatch, StoredRecord.RecordError> => {
  const plan = Stream.unfold(0, (from) =>
    Effect.sync(() => {
      if (from >= selection.count) return undefined
      const batch = ReadSelection.batchFrom(pack.index, pack.trailer.itemsPerRecord, selection, from)
      return [batch, batch.to] as const
    })
  )
  return Stream.mapEffect(
    plan,
    (batch): Effect.Effect<StoredBatch, StoredRecord.RecordError> => {
      const refused = refusal(pack, batch)
      if (refused !== undefined) return Effect.fail(refused)
      return Effect.map(pack.source.read(batch.offsetBytes, batch.sizeBytes), (bytes) => ({ batch, bytes }))
    },
    { concurrency }
  )
}

const refusal = (pack: OpenPack, batch: ReadSelection.ReadBatch): ReturnType<typeof StoredRecord.refusal> => {
  for (let record = batch.firstRecord; record <= batch.lastRecord; record++) {
    const refused = StoredRecord.refusal(pack, record)
    if (refused !== undefined) return refused
  }
  return undefined
}

/**
 * Payload bytes that are decoded together, so that a batch of bombs is never in memory as a whole; one record always is. A pull gathers as
 * much, and may overshoot by a window.
 *
 * PERF: the largest resident set of a scan of 4 GB was 172 to 184 MB, 183 to 199 with 1 MiB, 161 to 171 with 256 KiB, which is slower.
 */
const windowSizeBytes: number = 512 * 1024
const windowItems = 16_384

/** Walks over the records of a batch. Its fields belong to the functions of this module. */
export interface BatchCursor {
  recordIndex: number
  /** Where the record begins in the bytes of the batch. */
  start: number
}

/** Before the first record of a batch. */
export const cursorOf = ({ batch }: StoredBatch): BatchCursor => ({ recordIndex: batch.firstRecord, start: 0 })

type Parsed = ReturnType<typeof StoredRecord.parse>

/** The next records up to a window. A failure is the last of them, and a record that does not say its size the only one: it may have any. */
const parseWindow = (pack: OpenPack, { batch, bytes }: StoredBatch, cursor: BatchCursor): ReadonlyArray<Parsed> => {
  const window: Array<Parsed> = []
  const isSized = pack.trailer.itemsPerRecord > 1 || pack.encoding === undefined
  let sizeBytes = 0
  let itemCount = 0
  while (cursor.recordIndex <= batch.lastRecord && sizeBytes < windowSizeBytes && itemCount < windowItems) {
    const { recordIndex, start } = cursor
    const end = start + OffsetIndex.sizeOf(pack.index, recordIndex)
    const record = StoredRecord.parse(pack, recordIndex, bytes.subarray(start, end))
    window.push(record)
    cursor.recordIndex = recordIndex + 1
    cursor.start = end
    if (!isSized || Result.isFailure(record)) break
    sizeBytes += record.success.payloadSizeBytes ?? 0
    itemCount += record.success.itemCount
  }
  return window
}

/**
 * Decodes the next records of a batch and moves the cursor behind them. The encoding is called in their order, and so are the results; after
 * one that is damaged there may be more. Of `concurrency` records all but one are said to be decoded along with others: the
 * thread pool does these while the calling thread does the rest.
 *
 * PERF: a read of 320 MB took 0.29 s with one record at a time and 0.21 to 0.25 so on two idle cores (0.32 and 0.36 on one). Those for the pool come first,
 * because waking its thread for each of them in turn took 26 us a record; decoding the next window ahead as well gained nothing.
 */
export const decodeWindow = (
  pack: OpenPack,
  stored: StoredBatch,
  cursor: BatchCursor,
  concurrency: number
): Effect.Effect<ReadonlyArray<StoredRecord.Decoded>> => {
  const window = parseWindow(pack, stored, cursor)
  const concurrentCount = Math.floor((window.length * (concurrency - 1)) / concurrency)
  return Effect.forEach(
    window,
    (record, index) =>
      Result.isSuccess(record)
        ? StoredRecord.decode(pack, record.success, index < concurrentCount)
        : Effect.succeed(Result.fail(record.failure)),
    { concurrency: concurrentCount === 0 ? 1 : "unbounded" }
  )
}

export interface ItemOptions {
  readonly concurrency: number
  /** Whether each item gets a buffer of its own. */
  readonly copy: boolean
}

/** The selected items, in order. */
export const items = (
  pack: OpenPack,
  selection: ReadSelection.ReadSelection,
  options: ItemOptions
): Stream.Stream<Uint8Array, StoredRecord.RecordError> =>
  Stream.flatMap(batches(pack, selection, options.concurrency), (stored) =>
    itemsOfBatch(pack, selection, stored, options)
  )

type NonEmptyItems = readonly [Uint8Array, ...ReadonlyArray<Uint8Array>]

const itemsOfBatch = (
  pack: OpenPack,
  selection: ReadSelection.ReadSelection,
  stored: StoredBatch,
  { concurrency, copy }: ItemOptions
): Stream.Stream<Uint8Array, StoredRecord.RecordError> =>
  Stream.fromPull(
    Effect.sync(() => {
      const { batch } = stored
      const { itemsPerRecord } = pack.trailer
      const cursor = cursorOf(stored)
      let next = batch.from
      let gathered: Array<Uint8Array> = []
      let gatheredBytes = 0
      let failure: StoredRecord.RecordError | undefined

      const select = ({ recordIndex, payload, sizes, itemCount }: StoredRecord.DecodedRecord): void => {
        const { buffer, byteOffset } = payload
        const firstPosition = recordIndex * itemsPerRecord
        let start = byteOffset
        for (let item = 0; item < itemCount && next < batch.to; item++) {
          const end = start + sizes[item]!
          if (selection.positionAt(next) === firstPosition + item) {
            // Neither `subarray`, which is slow on a `Buffer`, nor its `slice`, which copies nothing.
            const view = new Uint8Array(buffer, start, end - start)
            gathered.push(copy ? view.slice() : view)
            next++
          }
          start = end
        }
        gatheredBytes += payload.length
      }

      const gather = Effect.whileLoop({
        while: () =>
          failure === undefined && next < batch.to && gatheredBytes < windowSizeBytes && gathered.length < windowItems,
        body: () => decodeWindow(pack, stored, cursor, concurrency),
        step: (window) => {
          for (const decoded of window) {
            if (Result.isSuccess(decoded)) select(decoded.success)
            else failure ??= decoded.failure
            if (failure !== undefined) return
          }
        }
      })

      return Effect.suspend((): Pull.Pull<NonEmptyItems, StoredRecord.RecordError> => {
        if (failure !== undefined) return Effect.fail(failure)
        if (next >= batch.to) return Cause.done()
        gathered = []
        gatheredBytes = 0
        return Effect.flatMap(gather, () =>
          // What was decoded before a damaged record is given before the error is.
          gathered.length > 0 || failure === undefined
            ? Effect.succeed(gathered as unknown as NonEmptyItems)
            : Effect.fail(failure)
        )
      })
    })
  )
