/** Coalesces writes to the end of a file: one buffer is filled while another is written. */
import { Effect, type Exit, Fiber, type Scope } from "effect"
import type { DiskError, File } from "../Disk.ts"

/** Bytes that are written at once. */
const writeSizeBytes: number = 1024 * 1024

/** Buffers that grew past this for one huge record are not kept. */
const keptBufferSizeBytes: number = 4 * writeSizeBytes

/** Of one caller at a time. */
export interface Output {
  /** Whether {@link Output.push} may be called without {@link Output.reserve} first. */
  readonly hasRoom: () => boolean
  /** Starts writing what has gathered when it is enough, for which it waits until the write before is done. */
  readonly reserve: Effect.Effect<void, DiskError>
  /** Copies bytes to the end. Grows by what is pushed between two `reserve`. */
  readonly push: (bytes: Uint8Array) => void
  /** Bytes pushed so far: the offset of the next. */
  readonly sizeBytes: () => number
  /** Waits until everything is with the file. */
  readonly drain: Effect.Effect<void, DiskError>
}

/** Writes run in `scope`. After every `bytesPerSync` bytes their writeback starts; 0 for never. */
export const make = (file: File, bytesPerSync: number, scope: Scope.Scope): Output => {
  let filling = new Uint8Array(writeSizeBytes)
  let filledBytes = 0
  let spare: Uint8Array<ArrayBuffer> | undefined
  let startedBytes = 0
  let writebackFrom = 0
  let write: Fiber.Fiber<void, DiskError> | undefined

  const awaitWrite: Effect.Effect<void, DiskError> = Effect.suspend(() =>
    write === undefined ? Effect.void : Effect.flatMap(Fiber.await(write), (exit): Exit.Exit<void, DiskError> => exit)
  )

  const writeOut = (
    buffer: Uint8Array<ArrayBuffer>,
    sizeBytes: number,
    offset: number
  ): Effect.Effect<void, DiskError> =>
    Effect.flatMap(file.writeAt(buffer.subarray(0, sizeBytes), offset), () => {
      if (buffer.length <= keptBufferSizeBytes) spare = buffer
      const writtenBytes = offset + sizeBytes
      if (bytesPerSync === 0 || writtenBytes - writebackFrom < bytesPerSync) return Effect.void
      const from = writebackFrom
      writebackFrom = writtenBytes
      return file.startWriteback(from, writtenBytes - from)
    })

  const startWrite: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      const buffer = filling
      const sizeBytes = filledBytes
      const offset = startedBytes
      startedBytes += sizeBytes
      filling = spare ?? new Uint8Array(writeSizeBytes)
      filledBytes = 0
      spare = undefined
      return Effect.map(
        Effect.forkIn(writeOut(buffer, sizeBytes, offset), scope, { startImmediately: true, uninterruptible: true }),
        (fiber) => {
          write = fiber
        }
      )
    })
  )

  const hasRoom = (): boolean => filledBytes < writeSizeBytes

  const push = (bytes: Uint8Array): void => {
    const neededBytes = filledBytes + bytes.length
    if (neededBytes > filling.length) {
      const grown = new Uint8Array(Math.max(neededBytes, writeSizeBytes + writeSizeBytes / 4))
      grown.set(filling.subarray(0, filledBytes))
      filling = grown
    }
    filling.set(bytes, filledBytes)
    filledBytes = neededBytes
  }

  return {
    hasRoom,
    reserve: Effect.suspend(() => (hasRoom() ? Effect.void : Effect.andThen(awaitWrite, startWrite))),
    push,
    sizeBytes: () => startedBytes + filledBytes,
    drain: Effect.suspend(() =>
      filledBytes === 0 ? awaitWrite : Effect.andThen(Effect.andThen(awaitWrite, startWrite), awaitWrite)
    )
  }
}
