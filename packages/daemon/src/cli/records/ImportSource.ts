/**
 * What `icecore archive import` reads: lines of JSON, from a file or standard input, plain or compressed; an archive; a store.
 */
import { type Archive, RecordImport, type RecordReader } from "@icecore/engine"
import { Disk, type DiskError } from "@icecore/packfile"
import { Data, Effect, Option, type Scope, type Stdio, Stream } from "effect"
import type { SourceError } from "../../Source.ts"
import * as NdjsonSource from "../../source/NdjsonSource.ts"
import type { RecordServices } from "./RecordServices.ts"
import * as RecordSource from "./RecordSource.ts"

/** There is nothing to import: most likely what was to make the input has failed. */
export class ImportEmpty extends Data.Error<{ readonly source: string }> {
  readonly _tag = "ImportEmpty"
  override readonly name = "ImportEmpty"
  override get message(): string {
    return `Cannot import ${this.source}: it is empty`
  }
}

/** Longest line: a value of 16 MiB of control characters, each of which JSON writes as six, with room for the rest. */
const lineLimitBytes = 128 * 1024 * 1024

/** An input that is open for a scope. */
export type ImportSource =
  | {
      readonly kind: "lines"
      readonly path: string
      readonly input: RecordImport.ImportInput<SourceError>
      /** Bytes that were read, of how many. */
      readonly progress: Effect.Effect<{ readonly done: number; readonly total: Option.Option<number> }>
    }
  | { readonly kind: "records"; readonly path: string; readonly reader: RecordReader.RecordReader }

/** Opens an input, `-` for standard input, and reads the types that it declares. */
export const open: (
  path: string,
  limits: Archive.ArchiveLimits
) => Effect.Effect<
  ImportSource,
  RecordSource.RecordSourceError | SourceError | RecordImport.ImportLineInvalid | ImportEmpty,
  RecordServices | Stdio.Stdio | Scope.Scope
> = Effect.fnUntraced(function* (path, limits) {
  if (path === "-" || (yield* isText(path))) return yield* openLines(path)
  const { reader } = yield* RecordSource.open(path, limits)
  return { kind: "records", path, reader }
})

const openLines = Effect.fnUntraced(function* (path: string) {
  const source = yield* NdjsonSource.make({ path, firstSeq: 1, lineLimitBytes })
  const lines = Stream.flattenIterable(Stream.map(source.entries({ from: 1 }), ({ entries }) => entries))
  const name = path === "-" ? "standard input" : path
  const input = yield* RecordImport.openLines(name, lines)
  if (input.isEmpty) return yield* new ImportEmpty({ source: name })
  return { kind: "lines" as const, path, input, progress: source.progress }
})

/** First bytes of what may be lines: of compressed files, and of an object with or without space or a byte order mark before it. */
const textBegins: ReadonlyArray<ReadonlyArray<number>> = [
  [0x1f, 0x8b],
  [0x28, 0xb5, 0x2f, 0xfd],
  [0xef, 0xbb, 0xbf],
  ...[..."{ \t\r\n"].map((character) => [character.charCodeAt(0)])
]

/** Whether a file has lines. A file that is neither text nor an archive is refused by whoever opens archives. */
const isText: (path: string) => Effect.Effect<boolean, RecordSource.RecordSourceMissing | DiskError, Disk> =
  Effect.fnUntraced(function* (path: string) {
    const disk = yield* Disk
    const found = yield* disk.stat(path)
    if (Option.isNone(found)) return yield* new RecordSource.RecordSourceMissing({ path, detail: "it does not exist" })
    if (found.value.kind === "directory") return false
    if (found.value.kind === "other" || found.value.sizeBytes === 0) return true
    const head = new Uint8Array(Math.min(4, found.value.sizeBytes))
    yield* Effect.scoped(Effect.flatMap(disk.open(path, "read"), (file) => file.readAt(head, 0)))
    return textBegins.some((bytes) => bytes.every((byte, index) => head[index] === byte))
  })
