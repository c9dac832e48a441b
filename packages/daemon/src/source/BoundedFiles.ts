/**
 * A file, or the files of a directory in order, as they are at the start: read once, to the end.
 */
import { Effect, Option, type Scope } from "effect"
import { type SourceError, SourceMissing } from "../Source.ts"
import * as FileOrder from "./FileOrder.ts"
import * as LineCursor from "./LineCursor.ts"
import { changed, type FilesContext, joinPath, type LineFiles, listFiles, openOptions, splitPath } from "./LineFiles.ts"

/** Files that are read one after the other. Their names decide where a position resumes. */
export interface BoundedOptions extends FilesContext {
  readonly directory: string
  readonly names: ReadonlyArray<string>
  /** Of each file, as far as they are known. */
  readonly sizesBytes: ReadonlyMap<string, number>
}

/** The files that `path` stands for: itself, or what a directory holds, in order, without its subdirectories. */
export const list: (context: FilesContext, path: string) => Effect.Effect<BoundedOptions, SourceError> =
  Effect.fnUntraced(function* (context, path) {
    const info = yield* context.disk.stat(path)
    if (Option.isNone(info)) return yield* new SourceMissing({ path, detail: "it does not exist" })
    if (info.value.kind !== "directory") {
      const { directory, name } = splitPath(path)
      return { ...context, directory, names: [name], sizesBytes: new Map([[name, info.value.sizeBytes]]) }
    }
    const names = FileOrder.inDirectory(yield* listFiles(context, path))
    const sizesBytes = new Map<string, number>()
    for (const name of names) {
      const file = yield* context.disk.stat(joinPath(path, name))
      if (Option.isSome(file)) sizesBytes.set(name, file.value.sizeBytes)
    }
    return { ...context, directory: path, names, sizesBytes }
  })

export const make = (options: BoundedOptions): LineFiles => {
  const { directory, names } = options
  const at = (name: string) => openOptions(options, { path: joinPath(directory, name), name }, false)

  const openAt = (index: number): Effect.Effect<Option.Option<LineCursor.LineCursor>, SourceError, Scope.Scope> =>
    Effect.gen(function* () {
      const name = names[index]
      if (name === undefined) return Option.none()
      const opened = yield* LineCursor.open(at(name))
      if (Option.isNone(opened)) return yield* missing(name, "it was removed while the files before it were read")
      return opened
    })

  const missing = (name: string, detail: string): SourceMissing =>
    new SourceMissing({ path: joinPath(directory, name), detail })

  return {
    begin: Effect.fnUntraced(function* (resume) {
      if (Option.isNone(resume)) return yield* openAt(0)
      const position = resume.value
      // A single file may have been given another name, or a path that is a link to the next one; its content decides.
      const name =
        names.find((each) => FileOrder.logicalName(each) === FileOrder.logicalName(position.name)) ??
        (names.length === 1 ? names[0] : undefined)
      if (name === undefined) return yield* missing(position.name, "it held the last ingested line and is gone")
      // What lies before the position counts as read: how far this is, is told of the whole input.
      for (const before of names.slice(0, names.indexOf(name))) options.onSkip(options.sizesBytes.get(before) ?? 0)
      const found = yield* LineCursor.openBehind(at(name), position)
      if ("_tag" in found) return yield* changed(joinPath(directory, name), position, found)
      return Option.some(found)
    }),
    atEnd: () => Effect.succeed("finished"),
    after: (cursor) => openAt(names.indexOf(cursor.name) + 1)
  }
}
