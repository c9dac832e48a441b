/**
 * Which file comes next: the decision that differs between a bounded source, a followed file and a followed directory, apart
 * from the reading, which is the same for all ({@link "./LineStream.ts"}).
 */
import type { Disk } from "@icecore/packfile"
import { type Duration, Effect, Option, type Scope } from "effect"
import { SourceChanged, type SourceError, SourceTruncated } from "../Source.ts"
import type { Displaced, LineCursor, OpenOptions } from "./LineCursor.ts"
import { describe, type LinePosition } from "./LinePosition.ts"

/**
 * `more`: try again, the input may have grown. `finished`: it gets no more, its last line is complete even without a line
 * feed. A cursor: go on there, and forget a part of a line that was read here.
 */
export type AtEnd = "more" | "finished" | LineCursor

export interface LineFiles {
  /** The first input, or the one that holds the line of `resume`, behind it; none when there is nothing to read. */
  readonly begin: (
    resume: Option.Option<LinePosition>
  ) => Effect.Effect<Option.Option<LineCursor>, SourceError, Scope.Scope>
  /** Asked when the cursor is at the end of what there was; waits as it sees fit. */
  readonly atEnd: (cursor: LineCursor) => Effect.Effect<AtEnd, SourceError, Scope.Scope>
  /** The input behind a finished one; none when that was the last. */
  readonly after: (cursor: LineCursor) => Effect.Effect<Option.Option<LineCursor>, SourceError, Scope.Scope>
}

/** What followers do about files that do not behave. */
export interface FollowPolicy {
  /** How long to wait before looking again for what is new. */
  readonly pollInterval: Duration.Input
  /**
   * Lines may have been missed: the file that holds the last ingested line is gone, or it was truncated, and no copy of it is
   * there. `fail`, or `continue` with the next file there is, or at the beginning of the truncated one.
   */
  readonly onGap: "fail" | "continue"
}

/** What all of them need to open files. */
export interface FilesContext {
  readonly disk: Disk
  readonly lineLimitBytes: number
  readonly onRead: (sizeBytes: number) => void
  readonly onSkip: (sizeBytes: number) => void
}

/** The way to open one file of a context. */
export const openOptions = (
  context: FilesContext,
  file: { readonly path: string; readonly name: string },
  isFollowed: boolean
): OpenOptions => ({ ...context, ...file, isFollowed, awaitsBytes: isFollowed })

/**
 * Names of the files in a directory. A link stands for the file that it leads to, unless the directory has that file itself, as with
 * `current` beside the dated file that it leads to. A link to a directory or to nothing is passed over.
 */
export const listFiles: (
  context: FilesContext,
  directory: string
) => Effect.Effect<ReadonlyArray<string>, SourceError> = Effect.fnUntraced(function* ({ disk }, directory) {
  const entries = yield* disk.list(directory)
  const files = entries.filter(({ kind }) => kind === "file").map(({ name }) => name)
  const links = entries.filter(({ name, kind }) => kind === "other" && !name.startsWith(".")).map(({ name }) => name)
  if (links.length === 0) return files
  const stat = (name: string) => disk.stat(joinPath(directory, name))
  const own = new Set<string>()
  for (const name of files) for (const { identity } of Option.toArray(yield* stat(name))) own.add(identity)
  for (const name of links) {
    const info = yield* stat(name)
    if (Option.isNone(info) || info.value.kind !== "file" || own.has(info.value.identity)) continue
    own.add(info.value.identity)
    files.push(name)
  }
  return files
})

/** A directory and a bare name as one path. */
export const joinPath = (directory: string, name: string): string =>
  directory.endsWith("/") ? `${directory}${name}` : `${directory}/${name}`

/** A path as a directory and a bare name. */
export const splitPath = (path: string): { readonly directory: string; readonly name: string } => {
  const at = path.lastIndexOf("/")
  return at < 0
    ? { directory: ".", name: path }
    : { directory: at === 0 ? "/" : path.slice(0, at), name: path.slice(at + 1) }
}

/** The error for a line that is not where it was ingested from. */
export const changed = (path: string, position: LinePosition, found: Displaced): SourceChanged =>
  new SourceChanged({
    path,
    line: position.line,
    expected: describe(position.lineBytes, position.lineCrc),
    actual: Option.getOrElse(found.actual, () => "the end of the file")
  })

/** Fails for a truncated file, or warns that it starts again, as `policy` says. */
export const acceptTruncation: (
  policy: FollowPolicy,
  file: { readonly path: string; readonly offsetBytes: number; readonly sizeBytes: number }
) => Effect.Effect<void, SourceTruncated> = Effect.fnUntraced(function* (policy, file) {
  const error = new SourceTruncated(file)
  if (policy.onGap === "fail") return yield* error
  yield* Effect.logWarning(`${error.message}; its lines from the beginning are new entries`)
})
