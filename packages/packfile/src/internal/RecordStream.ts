/** Streams over many records: neighbours are read together, ahead of what is decoded. */
import { Cause, Effect, type Pull, Stream } from "effect"
import * as OffsetIndex from "../format/OffsetIndex.ts"
import * as ReadSelection from "../kernel/ReadSelection.ts"
import type { OpenPack } from "./PackOpening.ts"
import * as StoredRecord from "./StoredRecord.ts"

/** The stored bytes of neighbouring records. */
export interface StoredBatch {
  readonly batch: ReadSelection.ReadBatch
  readonly bytes: Uint8Array
}

/** A pull decodes until it has this much, so that a batch of bombs is never in memory as a whole. */
const pullSizeBytes: number = 1024 * 1024
const pullItems = 16_384

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

/** Walks over the records of a batch. Its fields belong to the functions of this module. */
export interface BatchCursor {
  recordIndex: number
  /** Where the record begins in the bytes of the batch. */
  start: number
}

/** Before the first record of a batch. */
export const cursorOf = ({ batch }: StoredBatch): BatchCursor => ({ recordIndex: batch.firstRecord, start: 0 })

/** Decodes the record at the cursor and moves it to the next. */
export const decodeNext = (
  pack: OpenPack,
  { bytes }: StoredBatch,
  cursor: BatchCursor
): ReturnType<typeof StoredRecord.decode> => {
  const { recordIndex, start } = cursor
  const end = start + OffsetIndex.sizeOf(pack.index, recordIndex)
  cursor.recordIndex = recordIndex + 1
  cursor.start = end
  return StoredRecord.decode(pack, recordIndex, bytes.subarray(start, end))
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
    itemsOfBatch(pack, selection, stored, options.copy)
  )

type NonEmptyItems = readonly [Uint8Array, ...ReadonlyArray<Uint8Array>]

const itemsOfBatch = (
  pack: OpenPack,
  selection: ReadSelection.ReadSelection,
  stored: StoredBatch,
  copy: boolean
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

      const select = ({ payload, sizes, itemCount }: StoredRecord.DecodedRecord): void => {
        const firstPosition = (cursor.recordIndex - 1) * itemsPerRecord
        let start = 0
        for (let item = 0; item < itemCount && next < batch.to; item++) {
          const end = start + sizes[item]!
          if (selection.positionAt(next) === firstPosition + item) {
            gathered.push(copy ? payload.slice(start, end) : payload.subarray(start, end))
            next++
          }
          start = end
        }
        gatheredBytes += payload.length
      }

      const gather = Effect.whileLoop({
        while: () => next < batch.to && gatheredBytes < pullSizeBytes && gathered.length < pullItems,
        body: () => decodeNext(pack, stored, cursor),
        step: select
      })

      // What was decoded before a damaged record is given before the error is.
      const gatherSound = Effect.catch(gather, (error) => {
        failure = error
        return gathered.length > 0 ? Effect.void : Effect.fail(error)
      })

      return Effect.suspend((): Pull.Pull<NonEmptyItems, StoredRecord.RecordError> => {
        if (failure !== undefined) return Effect.fail(failure)
        if (next >= batch.to) return Cause.done()
        gathered = []
        gatheredBytes = 0
        return Effect.map(gatherSound, () => gathered as unknown as NonEmptyItems)
      })
    })
  )
