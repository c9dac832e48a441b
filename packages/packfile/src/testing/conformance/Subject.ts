/**
 * What the cases of the disk's suite share: how they look at a disk, and how they say what they expected.
 */
import { Effect, type Scope } from "effect"
import { Disk, type DiskError, type DiskLocked, type File, type OpenMode } from "../../Disk.ts"

/** A case that works in `directory`, which is empty before and which it leaves behind. */
export type Case = (directory: string) => Effect.Effect<void, DiskError | DiskLocked, Disk | Scope.Scope>

/** Dies when the two are not the same as JSON. */
export const expectEqual = (actual: unknown, expected: unknown, what: string): Effect.Effect<void> => {
  const left = JSON.stringify(actual)
  const right = JSON.stringify(expected)
  return left === right ? Effect.void : Effect.die(new Error(`${what} is ${left}, expected ${right}`))
}

/** The effect has to fail with this tag and, where given, code. */
export const expectFailure = <A, R>(
  effect: Effect.Effect<A, DiskError | DiskLocked, R>,
  tag: (DiskError | DiskLocked)["_tag"],
  code?: string
): Effect.Effect<void, never, R> =>
  Effect.matchEffect(effect, {
    onSuccess: () => Effect.die(new Error(`it succeeds, expected ${tag}`)),
    onFailure: (error) =>
      Effect.andThen(
        expectEqual(error._tag, tag, `the tag of "${error.message}"`),
        code === undefined
          ? Effect.void
          : expectEqual("code" in error ? error.code : undefined, code, `the code of "${error.message}"`)
      )
  })

/** Bytes that tell their position and their seed. */
export const bytesOf = (length: number, seed = 1): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + seed * 17 + (index >> 8)) & 0xff
  return bytes
}

/** Reads into a buffer of its own. */
export const readBytes = (file: File, offsetBytes: number, length: number): Effect.Effect<Uint8Array, DiskError> => {
  const target = new Uint8Array(length)
  return Effect.as(file.readAt(target, offsetBytes), target)
}

/** Dies when the bytes differ, and says where. */
export const expectBytes = (actual: Uint8Array, expected: Uint8Array, what: string): Effect.Effect<void> => {
  const at = expected.findIndex((byte, index) => byte !== actual[index])
  return at < 0 && actual.length === expected.length
    ? Effect.void
    : Effect.die(new Error(`${what} differ: ${actual.length} bytes, expected ${expected.length}, first at ${at}`))
}

/** Opens a file for the scope. */
export const opened = (path: string, mode: OpenMode): Effect.Effect<File, DiskError, Disk | Scope.Scope> =>
  Effect.flatMap(Disk, (disk) => disk.open(path, mode))

/** Makes a file with these bytes and closes it. */
export const written = (path: string, bytes: Uint8Array): Effect.Effect<void, DiskError, Disk> =>
  Effect.scoped(Effect.flatMap(opened(path, "replace"), (file) => file.writeAt(bytes, 0)))

/** The bare names in a directory. */
export const namesIn = (directory: string): Effect.Effect<ReadonlyArray<string>, DiskError, Disk> =>
  Effect.flatMap(Disk, (disk) => Effect.map(disk.list(directory), (entries) => entries.map(({ name }) => name)))
