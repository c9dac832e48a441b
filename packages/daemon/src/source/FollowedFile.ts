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
import { type SourceError, SourceFailed, SourceMissing } from "../Source.ts"
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
  readonly sizeBytes: number
}

/** Tells a finished file from a new one that got its inode: the latter has another size. */
const fingerprint = ({ identity, sizeBytes }: Generation): string => `${identity} ${sizeBytes}`

export const make = (options: FollowedFileOptions): LineFiles => {
  const { disk, path } = options
  const { directory, name: base } = splitPath(path)
  const wait = Effect.sleep(options.pollInterval)
  const at = (file: { readonly path: string; readonly name: string }) => openOptions(options, file, true)
  // Fingerprints of the files that were older than the current one when it was opened, whatever their names are now.
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
      if (Option.isSome(info))
        found.push({ name, path: filePath, identity: info.value.identity, sizeBytes: info.value.sizeBytes })
    }
    return found
  })

  const remember = (files: ReadonlyArray<Generation>, cursor: LineCursor.LineCursor): LineCursor.LineCursor => {
    const own = files.findIndex(({ identity }) => identity === cursor.identity)
    known = new Set(files.slice(0, own + 1).map(fingerprint))
    leaving = ""
    return cursor
  }

  /** Opens what `choose` picks at its beginning, waiting until there is something to pick. */
  const openNext = Effect.fnUntraced(function* (
    choose: (files: ReadonlyArray<Generation>) => Effect.Effect<Option.Option<Generation>, SourceError>
  ) {
    for (;;) {
      const files = yield* generations
      const choice = yield* choose(files)
      if (Option.isSome(choice)) {
        const chosen = choice.value
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

  const openBase = openNext((files) => Effect.succeed(Option.fromUndefinedOr(files.find(({ name }) => name === base))))

  /** The newest of the candidates that holds the line of `position` at its place, behind that line. */
  const findCopy: (
    candidates: ReadonlyArray<Generation>,
    position: LinePosition
  ) => Effect.Effect<Option.Option<LineCursor.LineCursor>, SourceError, Scope.Scope> = Effect.fnUntraced(
    function* (candidates, position) {
      for (const file of candidates.toReversed()) {
        const found = yield* LineCursor.openBehind(at(file), position).pipe(
          // Some other file beside the log may be damaged; that is no matter here.
          Effect.catchTag("SourceDamaged", () => Effect.succeed(undefined))
        )
        if (found !== undefined && !("_tag" in found)) return Option.some(found)
      }
      return Option.none()
    }
  )

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
      const others = files.filter((each) => each !== own)
      const copy = yield* findCopy(others, position)
      if (Option.isSome(copy)) return remember(files, copy.value)
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
    // Also where nothing seems to have come: what was truncated and written again may have the size that it had.
    if (sizeBytes < cursor.readBytes || !(yield* LineCursor.isIntact(cursor)))
      return yield* relocate(cursor, last, sizeBytes)
    if (sizeBytes > cursor.readBytes) return "more"
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

  /**
   * The file behind the one at `own`, none while there is none. Files that were older before stay so when rotation renames what they
   * are compared with, and a copy that somebody made is followed by the log itself.
   */
  const newerThan = (
    files: ReadonlyArray<Generation>,
    own: number
  ): Effect.Effect<Option.Option<Generation>, SourceError> => {
    const place = FileOrder.placeOf(base, files[own]!.name)
    for (const file of files.slice(own + 1)) {
      if (file.name === base) return Effect.succeedSome(file)
      const otherPlace = FileOrder.placeOf(base, file.name)
      if (place === "none" || otherPlace === "none" || known.has(fingerprint(file))) continue
      if (place === otherPlace) return Effect.succeedSome(file)
      const detail = `its name does not say whether it comes before or after ${files[own]!.name}; move it away if it was ingested`
      return Effect.fail(new SourceFailed({ path: file.path, detail, cause: undefined }))
    }
    return Effect.succeedNone
  }

  const after: LineFiles["after"] = Effect.fnUntraced(function* (cursor) {
    const files = yield* generations
    if (!files.some(({ identity }) => identity === cursor.identity)) {
      // Removed, compressed, or replaced by a file that begins with the same lines, as editors and copies do.
      const candidates = files.filter((file) => file.name === base || !known.has(fingerprint(file)))
      const copy = Option.isSome(cursor.last) ? yield* findCopy(candidates, cursor.last.value) : Option.none()
      if (Option.isSome(copy)) return Option.some(remember(files, copy.value))
    }
    return Option.some(
      yield* openNext((now) => {
        const own = now.findIndex(({ identity }) => identity === cursor.identity)
        return own < 0
          ? Effect.succeed(
              Option.fromUndefinedOr(now.find((file) => file.name === base || !known.has(fingerprint(file))))
            )
          : newerThan(now, own)
      })
    )
  })

  return {
    begin: (resume) => Effect.asSome(Option.match(resume, { onNone: () => openBase, onSome: resumeAt })),
    atEnd,
    after
  }
}
