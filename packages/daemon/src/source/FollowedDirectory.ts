/**
 * Follows a directory: its files in name order, the last one as it grows, and those that appear after it.
 *
 * A file is finished when one with a later name is there and it did not grow for one more poll. Compressed files must be
 * moved in whole. A file that appears with a name before the current one is an error, because its lines would have come first.
 */
import { Effect, Option, type Scope } from "effect"
import { type SourceError, SourceMissing, SourceOutOfOrder } from "../Source.ts"
import * as FileOrder from "./FileOrder.ts"
import * as LineCursor from "./LineCursor.ts"
import {
  type AtEnd,
  acceptTruncation,
  changed,
  type FilesContext,
  type FollowPolicy,
  joinPath,
  type LineFiles,
  listFiles,
  openOptions
} from "./LineFiles.ts"

export interface FollowedDirectoryOptions extends FilesContext, FollowPolicy {
  readonly path: string
}

export const make = (options: FollowedDirectoryOptions): LineFiles => {
  const { disk, path: directory } = options
  const wait = Effect.sleep(options.pollInterval)
  const at = (name: string) => openOptions(options, { path: joinPath(directory, name), name }, true)
  const seen = new Set<string>()
  // Name of the current file once a later one was there while it did not grow.
  let leaving = ""

  /** The files now. Those before `current` must have been there when it was begun. */
  const listed = Effect.fnUntraced(function* (current: Option.Option<string>) {
    const names = FileOrder.inDirectory(yield* listFiles(options, directory))
    for (const name of names) {
      const logical = FileOrder.logicalName(name)
      if (Option.isSome(current) && logical < FileOrder.logicalName(current.value) && !seen.has(logical))
        return yield* new SourceOutOfOrder({ path: joinPath(directory, name), current: current.value })
    }
    return names
  })

  const later = (names: ReadonlyArray<string>, current: Option.Option<string>): string | undefined =>
    names.find((name) => Option.isNone(current) || FileOrder.logicalName(name) > FileOrder.logicalName(current.value))

  const remember = (names: ReadonlyArray<string>): void => {
    for (const name of names) seen.add(FileOrder.logicalName(name))
    leaving = ""
  }

  const openLater = Effect.fnUntraced(function* (current: Option.Option<string>) {
    for (;;) {
      const names = yield* listed(current)
      const name = later(names, current)
      const opened =
        name === undefined
          ? Option.none()
          : // An empty file is waited for only while it is the last.
            yield* LineCursor.open({ ...at(name), awaitsBytes: name === names.at(-1) })
      if (Option.isSome(opened)) {
        remember(names)
        return opened
      }
      yield* wait
    }
  })

  const begin: LineFiles["begin"] = Effect.fnUntraced(function* (resume) {
    if (Option.isNone(resume)) return yield* openLater(Option.none())
    const position = resume.value
    remember(yield* listed(Option.none()))
    const logical = FileOrder.logicalName(position.name)
    const name = (yield* listed(Option.none())).find((each) => FileOrder.logicalName(each) === logical)
    if (name === undefined) {
      const error = new SourceMissing({
        path: joinPath(directory, position.name),
        detail: `it held line ${position.line}, the last one ingested, and is gone`
      })
      if (options.onGap === "fail") return yield* error
      yield* Effect.logWarning(`${error.message}; going on with the next file`)
      return yield* openLater(Option.some(position.name))
    }
    const path = joinPath(directory, name)
    const found = yield* LineCursor.openBehind(at(name), position)
    if (!("_tag" in found)) return Option.some(found)
    if (Option.isSome(found.actual)) return yield* changed(path, position, found)
    return Option.some(yield* restart(path, name, position.offsetBytes))
  })

  /** Opens a truncated file at its beginning, if the policy lets it. */
  const restart = Effect.fnUntraced(function* (path: string, name: string, offsetBytes: number) {
    const info = yield* disk.stat(path)
    const sizeBytes = Option.match(info, { onNone: () => 0, onSome: (each) => each.sizeBytes })
    yield* acceptTruncation(options, { path, offsetBytes, sizeBytes })
    return yield* openAgain(name)
  })

  const openAgain = Effect.fnUntraced(function* (name: string) {
    for (;;) {
      const opened = yield* LineCursor.open(at(name))
      if (Option.isSome(opened)) return opened.value
      yield* wait
    }
  })

  const atEnd: LineFiles["atEnd"] = Effect.fnUntraced(function* (cursor): Effect.fn.Return<
    AtEnd,
    SourceError,
    Scope.Scope
  > {
    if (Option.isNone(cursor.growing)) return "finished"
    const file = cursor.growing.value
    yield* wait
    const position = Option.getOrUndefined(cursor.last)
    const sizeBytes = yield* file.file.size
    if (sizeBytes < cursor.readBytes) return yield* restart(cursor.path, cursor.name, cursor.readBytes)
    if (position !== undefined && !(yield* LineCursor.isIntact(cursor)))
      return yield* changed(cursor.path, position, { _tag: "Displaced", actual: Option.some("other bytes") })
    if (sizeBytes > cursor.readBytes) return "more"
    const info = yield* disk.stat(cursor.path)
    if (Option.isSome(info) && info.value.identity !== cursor.identity) {
      if (position === undefined) return yield* openAgain(cursor.name)
      const found = yield* LineCursor.openBehind(at(cursor.name), position)
      return "_tag" in found ? yield* changed(cursor.path, position, found) : found
    }
    const names = yield* listed(Option.some(cursor.name))
    if (later(names, Option.some(cursor.name)) === undefined) {
      leaving = ""
      return "more"
    }
    if (leaving === cursor.name) return "finished"
    leaving = cursor.name
    return "more"
  })

  return { begin, atEnd, after: (cursor) => openLater(Option.some(cursor.name)) }
}
