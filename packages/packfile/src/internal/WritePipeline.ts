/**
 * The way of items into a packfile.
 *
 * Items are copied into the pending record. A full record is encoded in a fiber of its own and hashed on the calling thread meanwhile;
 * records leave for the output in order. One caller at a time is past the copying (the permit), so the rest needs no locks.
 * Invariant: each step that waits changes nothing, each that changes something does not wait, so an interrupted call
 * leaves whole items behind.
 */
import { Cause, Effect, Exit, Fiber, Option, Result, type Scope, Semaphore } from "effect"
import * as ItemSizes from "../format/ItemSizes.ts"
import * as OffsetIndex from "../format/OffsetIndex.ts"
import * as Trailer from "../format/Trailer.ts"
import {
  PackEncodeFailed,
  PackExtractFailed,
  PackLimitExceeded,
  type PackLimitSubject,
  type PackWriteError,
  PackWriterClosed
} from "../PackError.ts"
import type { PackSummary, PackWriter } from "../PackWriter.ts"
import type { RecordEncoding } from "../RecordEncoding.ts"
import * as ContentHash from "./ContentHash.ts"
import * as Output from "./Output.ts"
import type { PackDestination } from "./PackDestination.ts"
import * as PendingRecord from "./PendingRecord.ts"

/** The options of a writer, all decided. */
export interface WriteSettings {
  readonly itemsPerRecord: number
  readonly format: number
  readonly encoding: RecordEncoding | undefined
  readonly contentHash: boolean
  readonly extract: ContentHash.Extract | undefined
  readonly concurrency: number
  readonly bytesPerSync: number
}

/** A record on its way through the encoding. */
interface RecordInFlight {
  readonly record: PendingRecord.PendingRecord
  readonly recordIndex: number
  readonly encoded: Fiber.Fiber<Uint8Array, PackEncodeFailed>
}

const noBytes = new Uint8Array(0)

/** The writer over an open file. Encoding and writing run in `scope`. */
export const make = (destination: PackDestination, settings: WriteSettings, scope: Scope.Scope): PackWriter => {
  const { path, file } = destination
  const { itemsPerRecord, encoding } = settings
  const output = Output.make(file, settings.bytesPerSync, scope)
  const permit = Semaphore.makeUnsafe(1)
  const index = OffsetIndex.makeBuilder()
  const hasher = settings.contentHash ? ContentHash.makeHasher(settings.extract) : undefined
  const contentHash = ContentHash.makeContentHash()
  const inFlight: Array<RecordInFlight> = []
  const spare: Array<PendingRecord.PendingRecord> = []
  let pending = PendingRecord.make(itemsPerRecord)
  let sizesBuffer = new Uint8Array(0)
  let itemCount = 0
  let recordCount = 0
  let isClosed = false
  let failure: Cause.Cause<PackWriteError> | undefined

  const limit = (subject: PackLimitSubject, actual: number): PackLimitExceeded =>
    new PackLimitExceeded({ path, subject, actual, maximum: Trailer.maxUint32 })

  /** Runs one caller at a time, until the first failure. */
  const guarded = <A>(effect: Effect.Effect<A, PackWriteError>): Effect.Effect<A, PackWriteError> =>
    permit.withPermit(
      Effect.suspend(() => {
        if (failure !== undefined) return Effect.failCause(failure)
        if (isClosed) return Effect.fail(new PackWriterClosed({ path }))
        return Effect.catchCause(effect, (cause) => {
          if (!Cause.hasInterruptsOnly(cause)) failure ??= cause
          return Effect.failCause(cause)
        })
      })
    )

  const refusal = (item: Uint8Array): PackLimitExceeded | undefined => {
    if (item.length > Trailer.maxUint32) return limit("item size", item.length)
    if (itemCount >= Trailer.maxUint32) return limit("item count", itemCount + 1)
    const payloadSizeBytes = pending.payloadSizeBytes + item.length
    return payloadSizeBytes > Trailer.maxUint32 ? limit("record size", payloadSizeBytes) : undefined
  }

  const add = (item: Uint8Array): void => {
    PendingRecord.add(pending, item)
    itemCount++
  }

  const foldDigest = (record: PendingRecord.PendingRecord): Result.Result<void, PackExtractFailed> => {
    if (hasher === undefined) return Result.void
    return Result.try({
      try: () => {
        contentHash.update(ContentHash.digest(hasher, record.payload, record.sizes, record.itemCount))
      },
      catch: (cause) =>
        new PackExtractFailed({ path, position: itemCount - record.itemCount + hasher.hashedItems, cause })
    })
  }

  /** Appends a record to the output and the index, and takes its buffers back. */
  const store = (record: PendingRecord.PendingRecord, encoded: Uint8Array): PackLimitExceeded | undefined => {
    const sizesBytes = itemsPerRecord === 1 ? 0 : encodeSizes(record)
    const sizeBytes = encoded.length + sizesBytes
    if (sizeBytes > Trailer.maxUint32) return limit("record size", sizeBytes)
    if (OffsetIndex.maxFinishedSizeBytes(index) > Trailer.maxUint32) {
      return limit("index size", OffsetIndex.maxFinishedSizeBytes(index))
    }
    output.push(encoded)
    if (sizesBytes > 0) output.push(sizesBuffer.subarray(0, sizesBytes))
    OffsetIndex.append(index, sizeBytes)
    PendingRecord.clear(record)
    spare.push(record)
    return undefined
  }

  const encodeSizes = (record: PendingRecord.PendingRecord): number => {
    const neededBytes = ItemSizes.maxSizeBytes(record.itemCount)
    if (sizesBuffer.length < neededBytes) sizesBuffer = new Uint8Array(neededBytes)
    return ItemSizes.encodeInto(record.sizes, record.itemCount, sizesBuffer, 0)
  }

  const takePending = (): PendingRecord.PendingRecord => {
    const record = pending
    pending = spare.pop() ?? PendingRecord.make(itemsPerRecord)
    recordCount++
    return record
  }

  const payloadOf = (record: PendingRecord.PendingRecord): Uint8Array =>
    record.payload.subarray(0, record.payloadSizeBytes)

  /** Moves the pending record to the output as it is. */
  const sealVerbatim = (): PackWriteError | undefined => {
    const record = takePending()
    const digested = foldDigest(record)
    return Result.isFailure(digested) ? digested.failure : store(record, payloadOf(record))
  }

  const failWith = (error: PackWriteError | undefined): Effect.Effect<void, PackWriteError> =>
    error === undefined ? Effect.void : Effect.fail(error)

  /**
   * Sends the pending record on its way. There is room for it.
   *
   * Invariant: the record is taken by the call itself, not by the effect: a fiber may yield before it runs the effect, and others
   * append meanwhile.
   */
  const seal = (): Effect.Effect<void, PackWriteError> => {
    if (encoding === undefined) return failWith(sealVerbatim())
    const recordIndex = recordCount
    const record = takePending()
    const encode = Effect.mapError(
      Effect.suspend(() => encoding.encode(payloadOf(record))),
      (cause) => new PackEncodeFailed({ path, recordIndex, detail: cause.detail, cause })
    )
    return Effect.flatMap(
      Effect.forkIn(encode, scope, { startImmediately: true }),
      (encoded): Effect.Effect<void, PackWriteError> => {
        inFlight.push({ record, recordIndex, encoded })
        return Effect.fromResult(foldDigest(record))
      }
    )
  }

  const settleOldest: Effect.Effect<void, PackWriteError> = Effect.suspend(() => {
    const oldest = inFlight[0]!
    return Effect.flatMap(
      Fiber.await(oldest.encoded),
      (exit): Effect.Effect<void, PackWriteError> =>
        Exit.isFailure(exit)
          ? Effect.failCause(exit.cause)
          : Effect.flatMap(output.reserve, () => {
              inFlight.shift()
              return failWith(store(oldest.record, exit.value))
            })
    )
  })

  const settleUntil = (remaining: number): Effect.Effect<void, PackWriteError> =>
    Effect.whileLoop({
      while: () => inFlight.length > remaining,
      body: () => settleOldest,
      step: () => undefined
    })

  const makeRoom: Effect.Effect<void, PackWriteError> =
    encoding === undefined ? output.reserve : settleUntil(2 * settings.concurrency - 1)

  const appendGuarded = (item: Uint8Array): Effect.Effect<void, PackWriteError> =>
    guarded(
      Effect.flatMap(makeRoom, () =>
        Effect.uninterruptible(
          Effect.suspend(() => {
            add(item)
            return pending.itemCount < itemsPerRecord ? Effect.void : seal()
          })
        )
      )
    )

  const append = (item: Uint8Array): Effect.Effect<void, PackWriteError> =>
    Effect.suspend(() => {
      const refused = refusal(item)
      if (refused !== undefined && failure === undefined && !isClosed) return Effect.fail(refused)
      if (refused === undefined && tryAppend(item)) return Effect.void
      return appendGuarded(item)
    })

  /** PERF: what needs no waiting is done without an effect. False when nothing was done. */
  const tryAppend = (item: Uint8Array): boolean => {
    if (failure !== undefined || isClosed) return false
    const fillsRecord = pending.itemCount + 1 === itemsPerRecord
    if (fillsRecord && (encoding !== undefined || !output.hasRoom())) return false
    add(item)
    const error = fillsRecord ? sealVerbatim() : undefined
    if (error !== undefined) failure = Cause.fail(error)
    return error === undefined
  }

  const appendAll = Effect.fnUntraced(function* (items: Iterable<Uint8Array>) {
    for (const item of items) {
      if (refusal(item) !== undefined || !tryAppend(item)) yield* append(item)
    }
  })

  const finishGuarded = (given: Uint8Array | (() => Uint8Array)): Effect.Effect<PackSummary, PackWriteError> =>
    Effect.gen(function* () {
      yield* makeRoom
      isClosed = true
      if (pending.itemCount > 0) yield* seal()
      yield* settleUntil(0)
      const appData = typeof given === "function" ? given() : given
      if (appData.length > Trailer.maxUint32) return yield* limit("app data size", appData.length)
      const indexBytes = OffsetIndex.finish(index)
      const hash = hasher === undefined ? undefined : new Uint8Array(contentHash.digest())
      output.push(indexBytes)
      output.push(appData)
      output.push(
        Trailer.encode({
          format: settings.format,
          recordCount,
          totalItems: itemCount,
          itemsPerRecord,
          indexSizeBytes: indexBytes.length,
          appDataSizeBytes: appData.length,
          contentHash: hash
        })
      )
      yield* output.drain
      yield* file.sync
      yield* destination.publish
      return { itemCount, recordCount, byteLength: output.sizeBytes(), contentHash: Option.fromUndefinedOr(hash) }
    })

  const finish = Effect.fn("PackWriter.finish")((appData: Uint8Array | (() => Uint8Array) = noBytes) =>
    appData.length > Trailer.maxUint32
      ? Effect.fail(limit("app data size", appData.length))
      : guarded(finishGuarded(appData))
  )

  return { path, append, appendAll, finish }
}
