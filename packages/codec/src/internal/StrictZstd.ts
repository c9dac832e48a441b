/** What makes any zstd library strict: checks before it, completion and checks after it. */
import { Effect, Result } from "effect"
import * as ZstdFrame from "../format/ZstdFrame.ts"
import {
  type CompressOptions,
  type DecompressOptions,
  defaultLevel,
  defaultMaxSizeBytes,
  type Zstd,
  ZstdCompressFailed,
  ZstdFrameInvalid
} from "../Zstd.ts"

/** A zstd library, believed only in that what it compresses it can decompress. All may throw, none keeps its arguments. */
export interface ZstdLibrary {
  readonly implementation: Zstd["implementation"]
  readonly compressSync: (bytes: Uint8Array, level: number) => Uint8Array
  /** Undefined when all work is done on the calling thread. */
  readonly compress: ((bytes: Uint8Array, level: number) => Effect.Effect<Uint8Array, unknown>) | undefined
  /** `sizeBytes` is what the header declares and has been checked against the caller's bound. */
  readonly decompressSync: (frame: Uint8Array, sizeBytes: number) => Uint8Array
  readonly decompress: ((frame: Uint8Array, sizeBytes: number) => Effect.Effect<Uint8Array, unknown>) | undefined
  /** XXH64 with seed 0, low half. */
  readonly checksum: (bytes: Uint8Array) => number
}

const minLevel = 1
const maxLevel = 22

/** The strict service over a library. */
export const make = (library: ZstdLibrary): Zstd => {
  const compressSync: Zstd["compressSync"] = (bytes, options) =>
    Result.flatMap(checkedLevel(options), (level) =>
      Result.flatMap(Result.try({ try: () => library.compressSync(bytes, level), catch: compressFailed }), (frame) =>
        completed(library, frame, bytes)
      )
    )

  const decompressSync: Zstd["decompressSync"] = (frame, options) =>
    Result.flatMap(declaredSize(frame, options), (sizeBytes) =>
      Result.flatMap(
        Result.try({ try: () => library.decompressSync(frame, sizeBytes), catch: contentDamaged }),
        (bytes) => ofSize(bytes, sizeBytes)
      )
    )

  const compress: Zstd["compress"] = (bytes, options) =>
    Effect.suspend(() => {
      const start = library.compress
      if (start === undefined) return Effect.fromResult(compressSync(bytes, options))
      const level = checkedLevel(options)
      if (Result.isFailure(level)) return Effect.fail(level.failure)
      return start(bytes, level.success).pipe(
        Effect.mapError(compressFailed),
        Effect.flatMap((frame) => Effect.fromResult(completed(library, frame, bytes)))
      )
    })

  const decompress: Zstd["decompress"] = (frame, options) =>
    Effect.suspend(() => {
      const start = library.decompress
      if (start === undefined) return Effect.fromResult(decompressSync(frame, options))
      const size = declaredSize(frame, options)
      if (Result.isFailure(size)) return Effect.fail(size.failure)
      return start(frame, size.success).pipe(
        Effect.mapError(contentDamaged),
        Effect.flatMap((bytes) => Effect.fromResult(ofSize(bytes, size.success)))
      )
    })

  return { implementation: library.implementation, compress, compressSync, decompress, decompressSync }
}

/** The level of the options, when zstd has it. */
export const checkedLevel = (options: CompressOptions | undefined): Result.Result<number, ZstdCompressFailed> => {
  const level = options?.level ?? defaultLevel
  return Number.isInteger(level) && level >= minLevel && level <= maxLevel
    ? Result.succeed(level)
    : Result.fail(new ZstdCompressFailed({ detail: `level is ${level}, expected ${minLevel} to ${maxLevel}` }))
}

/** A library that ran out of memory may return bytes that are no frame: what it returns is checked as if it were read. */
const completed = (
  library: ZstdLibrary,
  frame: Uint8Array,
  content: Uint8Array
): Result.Result<Uint8Array, ZstdCompressFailed> => {
  const header = ZstdFrame.parseHeader(frame)
  if (header.kind === "fault") return Result.fail(madeWrong(header.detail))
  const declared = header.contentSizeBytes
  if (declared !== undefined && declared !== content.length) {
    return Result.fail(madeWrong(`it declares ${declared} bytes for ${content.length}`))
  }
  const end = ZstdFrame.findEnd(frame, header)
  if (end.kind === "fault") return Result.fail(madeWrong(end.detail))
  if (end.sizeBytes !== frame.length) return Result.fail(madeWrong(`${frame.length - end.sizeBytes} bytes follow it`))
  return Result.succeed(ZstdFrame.complete(frame, header, content.length, () => library.checksum(content)))
}

/** The size that one whole frame with checksum declares, when it is the expected one or within the cap. */
const declaredSize = (
  frame: Uint8Array,
  options: DecompressOptions | undefined
): Result.Result<number, ZstdFrameInvalid> => {
  const header = ZstdFrame.parseHeader(frame)
  if (header.kind === "fault") return Result.fail(new ZstdFrameInvalid(header))
  const refusal = sizeRefusal(header.contentSizeBytes, options)
  if (refusal !== undefined) return Result.fail(refusal)
  const end = ZstdFrame.findEnd(frame, header)
  if (end.kind === "fault") return Result.fail(new ZstdFrameInvalid(end))
  if (end.sizeBytes !== frame.length) {
    const detail = `${frame.length - end.sizeBytes} bytes follow it`
    return Result.fail(
      new ZstdFrameInvalid({ fault: "trailing", detail, expected: end.sizeBytes, actual: frame.length })
    )
  }
  if (!header.hasChecksum && options?.checksum !== "optional") {
    return Result.fail(new ZstdFrameInvalid({ fault: "checksum", detail: "it has no content checksum" }))
  }
  return Result.succeed(header.contentSizeBytes!)
}

const sizeRefusal = (
  declared: number | undefined,
  options: DecompressOptions | undefined
): ZstdFrameInvalid | undefined => {
  if (declared === undefined) return new ZstdFrameInvalid({ fault: "size", detail: "it declares no content size" })
  const cap = options?.maxSizeBytes ?? defaultMaxSizeBytes
  // So that NaN is no way around the cap.
  if (!(declared <= cap)) {
    const detail = `it declares ${declared} bytes, the limit is ${cap}`
    return new ZstdFrameInvalid({ fault: "cap", detail, expected: cap, actual: declared })
  }
  const expected = options?.expectedSizeBytes
  return expected === undefined || declared === expected ? undefined : wrongSize("declares", expected, declared)
}

const ofSize = (bytes: Uint8Array, expected: number): Result.Result<Uint8Array, ZstdFrameInvalid> =>
  bytes.length === expected ? Result.succeed(bytes) : Result.fail(wrongSize("decodes to", expected, bytes.length))

const wrongSize = (verb: string, expected: number, actual: number): ZstdFrameInvalid =>
  new ZstdFrameInvalid({ fault: "size", detail: `it ${verb} ${actual} bytes, expected ${expected}`, expected, actual })

export const compressFailed = (cause: unknown): ZstdCompressFailed =>
  new ZstdCompressFailed({ detail: messageOf(cause), cause })

export const madeWrong = (detail: string): ZstdCompressFailed =>
  new ZstdCompressFailed({ detail: `the library made a wrong frame: ${detail}` })

export const contentDamaged = (cause: unknown): ZstdFrameInvalid =>
  new ZstdFrameInvalid({ fault: "content", detail: `its content is damaged: ${messageOf(cause)}` })

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
