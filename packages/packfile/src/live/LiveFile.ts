/**
 * An open file on `node:fs`: full reads, full writes, poisoned by its first failed write or sync.
 *
 * PERF: a read or write of at most {@link synchronousLimitBytes} is made on the calling thread. Measured warm on two cores,
 * Bun 1.4, Node 24 and Deno 2.9 alike: 4 KiB synchronously 1 to 2 us, through the thread pool 37 to 42 us; 64 KiB 6 us and 46
 * to 60 us; from 256 KiB on (20 us and 43 to 65 us) the pool costs less than the event loop would lose.
 */
import * as fs from "node:fs"
import { Effect } from "effect"
import { type DiskError, DiskFailed, type DiskOperation, DiskShortRead, type File } from "../Disk.ts"
import { positionFault } from "../internal/Position.ts"
import { type SystemCallback, systemCall } from "./SystemCall.ts"
import { diskError } from "./SystemError.ts"
import * as Transfer from "./Transfer.ts"
import type { StartWriteback } from "./Writeback.ts"

/** Larger reads and writes go through the runtime's thread pool. */
const synchronousLimitBytes: number = 64 * 1024

/** A file and the way to give its descriptor back. */
export interface LiveFile {
  readonly file: File
  /** Refuses further calls, waits for those under way, and closes the descriptor. */
  readonly close: Effect.Effect<void, DiskError>
}

/** Takes over the descriptor. Without `startWriteback` the hint becomes a `datasync` in the background. */
export const make = (
  path: string,
  descriptor: number,
  startWriteback: StartWriteback | undefined,
  datasync: (descriptor: number, callback: SystemCallback<void>) => void = fs.fdatasync
): LiveFile => {
  let poison: DiskError | undefined
  let closed = false
  let callsUnderWay = 0
  let onIdle: (() => void) | undefined
  let datasyncUnderWay = false
  const afterDatasync: Array<() => void> = []

  const leave = (): void => {
    callsUnderWay--
    if (callsUnderWay === 0) onIdle?.()
  }

  const poisonWith = (error: DiskError): void => {
    poison ??= error
  }

  const whileOpen = <A>(
    operation: DiskOperation,
    run: () => Effect.Effect<A, DiskError>
  ): Effect.Effect<A, DiskError> => Effect.suspend(() => (closed ? Effect.fail(closedError(operation, path)) : run()))

  const whileSound = <A>(
    operation: DiskOperation,
    run: () => Effect.Effect<A, DiskError>
  ): Effect.Effect<A, DiskError> => whileOpen(operation, () => (poison === undefined ? run() : Effect.fail(poison)))

  const poisoning = <A>(effect: Effect.Effect<A, DiskError>): Effect.Effect<A, DiskError> =>
    Effect.tapError(effect, (error) => Effect.sync(() => poisonWith(error)))

  /** At a position that the system would not take for something else. */
  const at = <A>(
    operation: DiskOperation,
    positionBytes: number,
    run: () => Effect.Effect<A, DiskError>
  ): Effect.Effect<A, DiskError> => {
    const fault = positionFault(operation, path, positionBytes)
    return fault === undefined ? run() : Effect.fail(fault)
  }

  const now = <A>(operation: DiskOperation, call: () => A): Effect.Effect<A, DiskError> =>
    Effect.try({ try: call, catch: (cause) => diskError(operation, path, cause) })

  const later = <A = void>(
    operation: DiskOperation,
    start: (callback: SystemCallback<A>) => void
  ): Effect.Effect<A, DiskError> =>
    systemCall<A>(operation, path, (callback) => {
      callsUnderWay++
      start((cause, value) => {
        leave()
        callback(cause, value)
      })
    })

  const readAt: File["readAt"] = (target, offsetBytes) =>
    whileOpen("read", () =>
      Effect.flatMap(
        at("read", offsetBytes, () =>
          target.length <= synchronousLimitBytes
            ? now("read", () => Transfer.readSync(descriptor, target, offsetBytes))
            : later<number>("read", (callback) => Transfer.read(descriptor, target, offsetBytes, callback))
        ),
        (actual) =>
          actual === target.length
            ? Effect.void
            : Effect.fail(new DiskShortRead({ path, offsetBytes, expected: target.length, actual }))
      )
    )

  const writeAt: File["writeAt"] = (bytes, offsetBytes) =>
    whileSound("write", () =>
      poisoning(
        at("write", offsetBytes, () =>
          bytes.length <= synchronousLimitBytes
            ? now("write", () => Transfer.writeSync(descriptor, bytes, offsetBytes))
            : later("write", (callback) => Transfer.write(descriptor, bytes, offsetBytes, callback))
        )
      )
    )

  const size: File["size"] = whileOpen("stat", () => now("stat", () => fs.fstatSync(descriptor).size))

  const truncate: File["truncate"] = (sizeBytes) =>
    whileSound("truncate", () =>
      at("truncate", sizeBytes, () => later("truncate", (callback) => fs.ftruncate(descriptor, sizeBytes, callback)))
    )

  const datasyncDone: Effect.Effect<void> = Effect.suspend(() =>
    datasyncUnderWay
      ? Effect.callback<void>((resume) => {
          afterDatasync.push(() => resume(Effect.void))
        })
      : Effect.void
  )

  const sync: File["sync"] = whileSound("sync", () =>
    Effect.flatMap(
      poisoning(later("sync", (callback) => fs.fsync(descriptor, callback))),
      // The system reports a lost page once: a datasync in the background may have taken the report, and not told us yet.
      () => Effect.flatMap(datasyncDone, () => (poison === undefined ? Effect.void : Effect.fail(poison)))
    )
  )

  const datasyncInBackground = (): void => {
    if (datasyncUnderWay) return
    datasyncUnderWay = true
    callsUnderWay++
    datasync(descriptor, (cause) => {
      datasyncUnderWay = false
      if (cause !== null && cause !== undefined) poisonWith(diskError("sync", path, cause))
      for (const resume of afterDatasync.splice(0)) resume()
      leave()
    })
  }

  const writeback: File["startWriteback"] = (offsetBytes, lengthBytes) =>
    whileSound("writeback", () =>
      Effect.sync(() => {
        if (startWriteback?.(descriptor, offsetBytes, lengthBytes) !== true) datasyncInBackground()
      })
    )

  const idle: Effect.Effect<void> = Effect.suspend(() =>
    callsUnderWay === 0
      ? Effect.void
      : Effect.callback<void>((resume) => {
          onIdle = () => resume(Effect.void)
        })
  )

  const close: LiveFile["close"] = Effect.suspend(() => {
    closed = true
    return Effect.andThen(
      idle,
      systemCall("close", path, (callback) => fs.close(descriptor, callback))
    )
  })

  return { file: { path, readAt, writeAt, size, truncate, sync, startWriteback: writeback }, close }
}

/** The number of the descriptor may by now belong to another file. */
const closedError = (operation: DiskOperation, path: string): DiskFailed =>
  new DiskFailed({ operation, path, code: "EBADF", detail: "the file is closed" })
