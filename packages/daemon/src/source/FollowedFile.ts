/**
 * Follows one file as `tail -F` does, and more strictly: nothing that a rotation leaves beside the file is passed over.
 *
 * - Renamed away (`log` to `log.1`): the old file is read to its end, over one more poll, then the next newer one, up to `log`.
 * - Rotated while nobody followed: the file with the position's identity is looked for beside `log`; when it was copied or
 *   compressed since, the one that holds the last ingested line at its place.
 * - Truncated: a copy that a rotation made (`copytruncate`) is finished first. Without one, {@link FollowPolicy} decides.
 * - Not there yet, or gone for a moment: waited for.
 */
import { Effect, Option, type Scope } from "effect"
import { type SourceError, SourceMissing } from "../Source.ts"
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
  openOptions,
  splitPath
} from "./LineFiles.ts"
import type { LinePosition } from "./LinePosition.ts"

export interface FollowedFileOptions extends FilesContext, FollowPolicy {
  readonly path: string
}

interface Generation {
  readonly name: string
  readonly path: string
  readonly identity: string
}

export const make = (options: FollowedFileOptions): LineFiles => {
  const { disk, path } = options
  const { directory, name: base } = splitPath(path)
  const wait = Effect.sleep(options.pollInterval)
  const at = (file: { readonly path: string; readonly name: string }) => openOptions(options, file, true)
  // Files that were beside the current one, or older than it, when it was opened: never newer than it.
  let known: ReadonlySet<string> = new Set()
  // Identity of the cursor's file once its name was seen to stand for another one.
  let leaving = ""

  const generations: Effect.Effect<ReadonlyArray<Generation>, SourceError> = Effect.gen(function* () {
    const entries = yield* disk.list(directory).pipe(Effect.catchTag("DiskNotFound", () => Effect.succeed([])))
    const names = FileOrder.rotated(
      base,
      entries.filter(({ kind }) => kind === "file").map(({ name }) => name)
    )
    const found: Array<Generation> = []
    for (const name of [...names, base]) {
      const filePath = name === base ? path : joinPath(directory, name)
      const info = yield* disk.stat(filePath)
      if (Option.isSome(info)) found.push({ name, path: filePath, identity: info.value.identity })
    }
    return found
  })

  const remember = (files: ReadonlyArray<Generation>, cursor: LineCursor.LineCursor): LineCursor.LineCursor => {
    const own = files.findIndex(({ identity }) => identity === cursor.identity)
    known = new Set(files.slice(0, own + 1).map(({ identity }) => identity))
    leaving = ""
    return cursor
  }

  /** Opens what `choose` picks at its beginning, waiting until there is something to pick. */
  const openNext = Effect.fnUntraced(function* (choose: (files: ReadonlyArray<Generation>) => Generation | undefined) {
    for (;;) {
      const files = yield* generations
      const chosen = choose(files)
      if (chosen !== undefined) {
        // A rotated file gets no first bytes any more, an empty one must not be waited for.
        const opened = yield* LineCursor.open({ ...at(chosen), awaitsBytes: chosen.name === base })
        if (Option.isSome(opened)) {
          if (opened.value.identity === chosen.identity) return remember(files, opened.value)
          yield* opened.value.close
        }
      }
      yield* wait
    }
  })

  const openBase = openNext((files) => files.find(({ name }) => name === base))

  const resumeAt: (position: LinePosition) => Effect.Effect<LineCursor.LineCursor, SourceError, Scope.Scope> =
    Effect.fnUntraced(function* (position) {
      const files = yield* generations
      const own = files.find(({ identity }) => identity === position.identity)
      let ownFound: LineCursor.Displaced | undefined
      if (own !== undefined) {
        const found = yield* LineCursor.openBehind(at(own), position)
        if (!("_tag" in found)) return remember(files, found)
        ownFound = found
      }
      for (const file of files.filter((each) => each !== own).reverse()) {
        const found = yield* LineCursor.openBehind(at(file), position).pipe(
          // Some other file beside the log may be damaged; that is no matter here.
          Effect.catchTag("SourceDamaged", () => Effect.succeed(undefined))
        )
        if (found !== undefined && !("_tag" in found)) return remember(files, found)
      }
      if (own !== undefined && ownFound !== undefined) {
        if (Option.isSome(ownFound.actual)) return yield* changed(own.path, position, ownFound)
        const info = yield* disk.stat(own.path)
        const sizeBytes = Option.match(info, { onNone: () => 0, onSome: (each) => each.sizeBytes })
        yield* acceptTruncation(options, { path: own.path, offsetBytes: position.offsetBytes, sizeBytes })
        return yield* openBase
      }
      const error = new SourceMissing({
        path: joinPath(directory, position.name),
        detail: `it held line ${position.line}, the last one ingested, and neither it nor a copy is there`
      })
      if (options.onGap === "fail") return yield* error
      yield* Effect.logWarning(`${error.message}; going on with ${path}`)
      return yield* openBase
    })

  /** The open file became shorter, or holds other bytes before the place that was reached. */
  const relocate = Effect.fnUntraced(function* (
    cursor: LineCursor.LineCursor,
    last: LinePosition | undefined,
    sizeBytes: number
  ) {
    if (last !== undefined) return yield* resumeAt(last)
    yield* acceptTruncation(options, { path: cursor.path, offsetBytes: cursor.readBytes, sizeBytes })
    return yield* openBase
  })

  const atEnd: LineFiles["atEnd"] = Effect.fnUntraced(function* (cursor): Effect.fn.Return<
    AtEnd,
    SourceError,
    Scope.Scope
  > {
    if (Option.isNone(cursor.growing)) return "finished"
    const file = cursor.growing.value
    yield* wait
    const last = Option.getOrUndefined(cursor.last)
    const sizeBytes = yield* file.file.size
    if (sizeBytes < cursor.readBytes) return yield* relocate(cursor, last, sizeBytes)
    if (sizeBytes > cursor.readBytes) {
      if (!(yield* LineCursor.isIntact(cursor))) return yield* relocate(cursor, last, sizeBytes)
      return "more"
    }
    const info = yield* disk.stat(path)
    if (Option.isNone(info) || info.value.identity === cursor.identity) {
      leaving = ""
      return "more"
    }
    // Its writer may still have it open: one more look, a poll later, before it is left for good.
    if (leaving === cursor.identity) return "finished"
    leaving = cursor.identity
    return "more"
  })

  const after: LineFiles["after"] = Effect.fnUntraced(function* (cursor) {
    const files = yield* generations
    if (!files.some(({ identity }) => identity === cursor.identity)) {
      // Removed, or replaced by a file that begins with the same lines, as editors and copies do.
      const last = Option.getOrUndefined(cursor.last)
      const current = files.find(({ name }) => name === base)
      if (last !== undefined && current !== undefined) {
        const found = yield* LineCursor.openBehind(at(current), last)
        if (!("_tag" in found)) return Option.some(remember(files, found))
      }
    }
    return Option.some(
      yield* openNext((now) => {
        const own = now.findIndex(({ identity }) => identity === cursor.identity)
        return own < 0 ? now.find(({ name, identity }) => name === base || !known.has(identity)) : now[own + 1]
      })
    )
  })

  return {
    begin: (resume) => Effect.asSome(Option.match(resume, { onNone: () => openBase, onSome: resumeAt })),
    atEnd,
    after
  }
}
