/**
 * Lines of files or of standard input as entries: line n of the log, from 0, is the entry `firstSeq + n`.
 *
 * - An entry is the bytes of a line without its line feed. A carriage return, a byte order mark, NUL and invalid UTF-8 are bytes like others; an
 *   empty line is an empty entry.
 * - `path` is a file, a directory (its files and links to files by name, without subdirectories and names that start with a dot), or
 *   `-` for standard input, which is read once, from its beginning.
 * - Compression is told from the first bytes: plain, gzip (any number of members) or zstd (any number of frames). A `.gz` or `.zst` file
 *   that is not what its name says is damaged.
 * - Bounded, the last line counts even without a line feed. When a later run finds that line longer, it fails with {@link SourceChanged}.
 * - Followed, a line counts once its line feed is there, or its file was left for a newer one.
 */
import { Disk } from "@icecore/packfile"
import { type Duration, Effect, Layer, Option, Pull, type Scope, Stdio, Stream } from "effect"
import { Source, type SourceError, SourceFailed, type SourceProgress } from "../Source.ts"
import * as BoundedFiles from "./BoundedFiles.ts"
import type { ByteInput } from "./ByteInput.ts"
import * as FollowedDirectory from "./FollowedDirectory.ts"
import * as FollowedFile from "./FollowedFile.ts"
import * as LineCursor from "./LineCursor.ts"
import { changed, type FilesContext, type LineFiles } from "./LineFiles.ts"
import * as LineStream from "./LineStream.ts"
import * as Decompression from "./live/Decompression.ts"

/** Longest line when none is set, inclusive: 16 MiB. */
export const defaultLineLimitBytes: number = 16 * 1024 * 1024

export interface NdjsonSourceOptions {
  /** A file, a directory, or `-` for standard input. */
  readonly path: string
  /** Seq of the first line. Default 0. */
  readonly firstSeq?: number
  /** Whether to wait at the end for more. Standard input ends when its writer closes it, either way. Default false. */
  readonly follow?: boolean
  /** Longest line in bytes without its line feed, inclusive. Default {@link defaultLineLimitBytes}. */
  readonly lineLimitBytes?: number
  /** How often a followed file is looked at. Default 200 milliseconds. */
  readonly pollInterval?: Duration.Input
  /**
   * Lines of a followed file may have been missed: it was truncated, or the file that holds the last ingested line is gone, and
   * no rotated copy holds what comes next. `fail` ends the stream with `SourceTruncated` or `SourceMissing`; `continue` warns
   * and takes the lines of the truncated file, or of the next one there is, for new entries, as `tail -F` does. Default `fail`.
   */
  readonly onGap?: "fail" | "continue"
}

export const make: (options: NdjsonSourceOptions) => Effect.Effect<Source, never, Disk | Stdio.Stdio> =
  Effect.fnUntraced(function* (options) {
    const disk = yield* Disk
    const stdio = yield* Stdio.Stdio
    const { path, firstSeq = 0, follow = false, lineLimitBytes = defaultLineLimitBytes } = options
    const policy = {
      pollInterval: options.pollInterval ?? "200 millis",
      onGap: options.onGap ?? "fail"
    }
    let highest: Option.Option<number> = Option.none()
    let done = 0
    let skipped = 0
    let total: Option.Option<number> = Option.none()
    let isInputTaken = false

    const context: FilesContext = {
      disk,
      lineLimitBytes,
      onRead: (sizeBytes) => {
        done += sizeBytes
      },
      onSkip: (sizeBytes) => {
        done += sizeBytes
        skipped += sizeBytes
      }
    }

    const files: Effect.Effect<LineFiles, SourceError, Scope.Scope> = Effect.gen(function* () {
      done = 0
      skipped = 0
      total = Option.none()
      if (path === "-") {
        if (isInputTaken)
          return yield* new SourceFailed({
            path: "standard input",
            detail: "it can be read only once",
            cause: undefined
          })
        isInputTaken = true
        return yield* standardInput(stdio, context)
      }
      if (!follow) {
        const list = yield* BoundedFiles.list(context, path)
        total = Option.some([...list.sizesBytes.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0))
        return BoundedFiles.make(list)
      }
      const info = yield* disk.stat(path)
      const isDirectory = Option.isSome(info) && info.value.kind === "directory"
      return (isDirectory ? FollowedDirectory : FollowedFile).make({ ...context, ...policy, path })
    })

    const onSeq = (seq: number): void => {
      highest = Option.some(
        Math.max(
          seq,
          Option.getOrElse(highest, () => seq)
        )
      )
    }

    return {
      name: "ndjson",
      isBounded: path === "-" || !follow,
      isRepeatable: path !== "-",
      tip: Effect.sync(() => highest),
      entries: (wanted) =>
        Stream.unwrap(Effect.map(files, (each) => LineStream.make(each, { path, firstSeq, onSeq }, wanted))),
      progress: Effect.sync((): SourceProgress => ({ unit: "bytes", done, skipped, total }))
    }
  })

export const layer = (options: NdjsonSourceOptions): Layer.Layer<Source, never, Disk | Stdio.Stdio> =>
  Layer.effect(Source, make(options))

/** Standard input as the only "file". A position passes over the lines up to it, and checks the last of them. */
const standardInput: (stdio: Stdio.Stdio, context: FilesContext) => Effect.Effect<LineFiles, SourceError, Scope.Scope> =
  Effect.fnUntraced(function* (stdio, context) {
    const cursor = LineCursor.fromInput(yield* Decompression.decodeDetected(yield* fromStdin(stdio, context)), context)
    return {
      begin: Effect.fnUntraced(function* (resume) {
        if (Option.isNone(resume)) return Option.some(cursor)
        const miss = yield* LineCursor.passOver(cursor, resume.value)
        return miss === undefined ? Option.some(cursor) : yield* changed(cursor.path, resume.value, miss)
      }),
      atEnd: () => Effect.succeed("finished"),
      after: () => Effect.succeed(Option.none())
    }
  })

const fromStdin: (stdio: Stdio.Stdio, context: FilesContext) => Effect.Effect<ByteInput, never, Scope.Scope> =
  Effect.fnUntraced(function* (stdio, context) {
    const pull = yield* Stream.toPull(Stream.filter(stdio.stdin, (chunk) => chunk.length > 0))
    let waiting: ReadonlyArray<Uint8Array> = []
    const read = Effect.gen(function* () {
      if (waiting.length === 0)
        waiting = yield* pull.pipe(
          Pull.catchDone(() => Effect.succeed([])),
          Effect.mapError((cause) => new SourceFailed({ path: "standard input", detail: cause.message, cause }))
        )
      const [chunk, ...rest] = waiting
      waiting = rest
      if (chunk === undefined) return Option.none()
      context.onRead(chunk.length)
      return Option.some(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length))
    })
    return { path: "standard input", read }
  })
