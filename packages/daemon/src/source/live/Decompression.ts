/**
 * Decompresses an input, strictly: what is truncated, damaged or followed by something else is an error, never an early end.
 *
 * gzip (RFC 1952) may have many members, zstd (RFC 8878) many frames, skippable ones among them; neither needs to say its size.
 * The runtimes' own streams take a truncated zstd frame for a whole one and pass over bytes behind the last gzip member or zstd frame, so ends
 * are found here: for zstd by walking the frames, for gzip by comparing what the decoder used with what there was.
 */
import { createGunzip, createZstdDecompress } from "node:zlib"
import { Effect, Option, type Scope } from "effect"
import { SourceDamaged, type SourceError } from "../../Source.ts"
import type { ByteInput } from "../ByteInput.ts"
import * as ZstdFrames from "../kernel/ZstdFrames.ts"

export type Compression = "none" | "gzip" | "zstd"

/** What the first bytes say. `undetermined`: they are the beginning of a magic number, but not all of it. */
export const detect = (prefix: Uint8Array): Compression | "undetermined" => {
  if (matches(prefix, [0x1f, 0x8b, 0x08])) return prefix.length < 3 ? "undetermined" : "gzip"
  const isFrame = matches(prefix, [0x28, 0xb5, 0x2f, 0xfd])
  const isSkippable = (prefix[0] ?? 0x50) >> 4 === 5 && matches(prefix.subarray(1), [0x2a, 0x4d, 0x18])
  if (isFrame || isSkippable) return prefix.length < 4 ? "undetermined" : "zstd"
  return "none"
}

/** What a name promises: `gzip` for `.gz`, `zstd` for `.zst`. */
export const promisedBy = (path: string): Compression =>
  path.endsWith(".gz") ? "gzip" : path.endsWith(".zst") ? "zstd" : "none"

/**
 * The decoded bytes of `input`, from its beginning. Holds one chunk of input and about 64 KiB of output, besides the decoder's
 * window (zstd: 128 MiB at most, beyond which a frame is refused).
 */
export const decode = (input: ByteInput, compression: "gzip" | "zstd"): Effect.Effect<ByteInput, never, Scope.Scope> =>
  compression === "gzip" ? decodeGzip(input) : decodeZstd(input)

/** `input` from its beginning, decoded if its first bytes say that it is compressed. */
export const decodeDetected: (input: ByteInput) => Effect.Effect<ByteInput, SourceError, Scope.Scope> =
  Effect.fnUntraced(function* (input) {
    let head: Uint8Array = new Uint8Array(0)
    let detected = detect(head)
    while (detected === "undetermined") {
      const more = yield* input.read
      if (Option.isNone(more)) break
      const longer = new Uint8Array(head.length + more.value.length)
      longer.set(head)
      longer.set(more.value, head.length)
      head = longer
      detected = detect(head)
    }
    const whole: ByteInput = {
      path: input.path,
      read: Effect.suspend(() => {
        if (head.length === 0) return input.read
        const first = Option.some(head)
        head = new Uint8Array(0)
        return Effect.succeed(first)
      })
    }
    return detected === "gzip" || detected === "zstd" ? yield* decode(whole, detected) : whole
  })

const matches = (prefix: Uint8Array, magic: ReadonlyArray<number>): boolean =>
  magic.every((byte, index) => index >= prefix.length || prefix[index] === byte)

const none: Option.Option<Uint8Array> = Option.none()

const decodeGzip: (input: ByteInput) => Effect.Effect<ByteInput, never, Scope.Scope> = Effect.fnUntraced(
  function* (input) {
    const decoder = makeDecoder("gzip")
    yield* Effect.addFinalizer(() => Effect.sync(decoder.release))
    let givenBytes = 0
    let isDone = false
    const read = Effect.gen(function* () {
      while (!isDone) {
        const step = yield* decoder.next(input.path)
        if (step === "needInput") {
          const chunk = yield* input.read
          if (Option.isSome(chunk)) givenBytes += chunk.value.length
          decoder.give(chunk)
        } else if (step === "end") {
          isDone = true
          const more = yield* input.read
          const extraBytes = givenBytes - decoder.usedBytes() + (Option.isSome(more) ? more.value.length : 0)
          if (extraBytes > 0) return yield* damaged(input, "gzip", "other bytes follow its last member")
        } else return Option.some(step)
      }
      return none
    })
    return { path: input.path, read }
  }
)

const decodeZstd: (input: ByteInput) => Effect.Effect<ByteInput, never, Scope.Scope> = Effect.fnUntraced(
  function* (input) {
    const frames = ZstdFrames.make()
    // A decoder a frame, because some runtimes' decoders stop at the end of the first.
    let decoder: Decoder | undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => decoder?.release()))
    let chunk: Uint8Array = new Uint8Array(0)
    const at = { index: 0 }
    let isFrameWhole = false
    const read = Effect.gen(function* () {
      for (;;) {
        if (decoder !== undefined) {
          const step = yield* decoder.next(input.path)
          if (step instanceof Uint8Array) return Option.some(step)
          if (step === "end") {
            decoder.release()
            decoder = undefined
            if (!isFrameWhole)
              return yield* damaged(input, "zstd", `a frame ended early, before offset ${frames.offsetBytes}`)
            continue
          }
          if (isFrameWhole) {
            decoder.give(none)
            continue
          }
        }
        if (at.index === chunk.length) {
          const next = yield* input.read
          if (Option.isNone(next)) {
            if (ZstdFrames.isBetweenFrames(frames)) return none
            return yield* damaged(input, "zstd", `it ends inside a frame, at offset ${frames.offsetBytes}`)
          }
          chunk = next.value
          at.index = 0
        }
        const start = at.index
        const result = ZstdFrames.advance(frames, chunk, at)
        if (result === "badMagic" || result === "badBlock") {
          const what = result === "badMagic" ? "other bytes than a frame" : "an impossible block"
          return yield* damaged(input, "zstd", `${what} before offset ${frames.offsetBytes}`)
        }
        decoder ??= makeDecoder("zstd")
        isFrameWhole = result === "frame"
        decoder.give(Option.some(chunk.subarray(start, at.index)))
      }
    })
    return { path: input.path, read }
  }
)

const damaged = (input: ByteInput, format: "gzip" | "zstd", detail: string): SourceDamaged =>
  new SourceDamaged({ path: input.path, format, detail })

interface Decoder {
  /** Output, or what the decoder waits for: `needInput` asks for {@link Decoder.give}, `end` came after its last output. */
  readonly next: (path: string) => Effect.Effect<Uint8Array | "needInput" | "end", SourceError>
  /** The next input; none says that there is no more. */
  readonly give: (input: Option.Option<Uint8Array>) => void
  /** Bytes of input that the decoder used. */
  readonly usedBytes: () => number
  readonly release: () => void
}

/** A decoder stream of the runtime, pulled: it is given one chunk, and read until it has used that up. */
const makeDecoder = (format: "gzip" | "zstd"): Decoder => {
  const stream = format === "gzip" ? createGunzip() : createZstdDecompress()
  let failure: Error | undefined
  let hasEnded = false
  let isBusy = false
  let wake: () => void = () => {}
  stream.on("error", (error) => {
    failure = error
    wake()
  })
  stream.on("end", () => {
    hasEnded = true
    wake()
  })
  stream.on("readable", () => wake())
  const next = (path: string) =>
    Effect.callback<Uint8Array | "needInput" | "end", SourceError>((resume) => {
      wake = () => {
        const bytes = failure === undefined ? (stream.read() as Uint8Array<ArrayBuffer> | null) : null
        const result =
          failure !== undefined
            ? Effect.fail(new SourceDamaged({ path, format, detail: failure.message }))
            : bytes !== null
              ? Effect.succeed(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
              : hasEnded
                ? Effect.succeed("end" as const)
                : isBusy
                  ? undefined
                  : Effect.succeed("needInput" as const)
        if (result === undefined) return
        wake = () => {}
        resume(result)
      }
      wake()
    })
  const give = (input: Option.Option<Uint8Array>) => {
    isBusy = true
    if (Option.isNone(input)) stream.end()
    else
      stream.write(input.value, (error) => {
        isBusy = false
        failure ??= error ?? undefined
        wake()
      })
  }
  return { next, give, usedBytes: () => stream.bytesWritten, release: () => stream.destroy() }
}
