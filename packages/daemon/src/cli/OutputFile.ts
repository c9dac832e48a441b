/**
 * A file that a command writes: it has its name only when it is whole and durable. Until then it is called `NAME.partial`, which a
 * failed or interrupted command removes, and which the next one to the same name writes anew after a killed one.
 */
import { Disk, type DiskError } from "@icecore/packfile"
import { Data, Effect, Option, Stream } from "effect"
import * as Path from "effect/Path"

/** Something is at the path that is not replaced. */
export class OutputFileExists extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "OutputFileExists"
  override readonly name = "OutputFileExists"
  override get message(): string {
    return `Cannot write ${this.path}: ${this.detail}`
  }
}

/** Writes all of the bytes under the name, durably on return. An existing file is refused unless it may be replaced. */
export const write: <E, R>(
  path: string,
  bytes: Stream.Stream<Uint8Array, E, R>,
  options: { readonly overwrite: boolean }
) => Effect.Effect<void, E | OutputFileExists | DiskError, R | Disk> = Effect.fnUntraced(function* (
  path,
  bytes,
  { overwrite }
) {
  const disk = yield* Disk
  const found = yield* disk.stat(path)
  if (Option.isSome(found)) {
    const isFile = found.value.kind === "file"
    if (!isFile) return yield* new OutputFileExists({ path, detail: "what is there is no plain file" })
    if (!overwrite) return yield* new OutputFileExists({ path, detail: "it exists; --overwrite replaces it" })
  }
  const partial = `${path}.partial`
  const fill = Effect.gen(function* () {
    const file = yield* disk.open(partial, "replace")
    let offsetBytes = 0
    yield* Stream.runForEach(bytes, (chunk) => {
      const at = offsetBytes
      offsetBytes += chunk.length
      return file.writeAt(chunk, at)
    })
    yield* file.sync
  })
  const directory = (yield* Effect.provide(Path.Path, Path.layer)).dirname(path)
  yield* Effect.scoped(fill).pipe(
    Effect.andThen(disk.rename({ source: partial, target: path })),
    Effect.onError(() => Effect.ignore(disk.unlink(partial)))
  )
  yield* disk.syncDirectory(directory)
})
