/**
 * Bytes that can be read at any position: what a packfile is read from. A local file today, an object store later.
 */
import { Effect, type Scope } from "effect"
import { Disk, type DiskError } from "./Disk.ts"

/** A fixed run of bytes. Reads may overlap; the size never changes while it is open. */
export interface ByteSource {
  /** How errors name it: a path or a URL. */
  readonly path: string
  readonly sizeBytes: number
  /** Exactly `lengthBytes` bytes from `offsetBytes`, in a buffer that is the caller's. */
  readonly read: (offsetBytes: number, lengthBytes: number) => Effect.Effect<Uint8Array, DiskError>
}

/** A file on the {@link Disk}, open for the scope. */
export const fromFile: (path: string) => Effect.Effect<ByteSource, DiskError, Disk | Scope.Scope> = Effect.fnUntraced(
  function* (path: string) {
    const disk = yield* Disk
    const file = yield* disk.open(path, "read")
    const sizeBytes = yield* file.size
    const read = (offsetBytes: number, lengthBytes: number): Effect.Effect<Uint8Array, DiskError> =>
      Effect.suspend(() => {
        const target = new Uint8Array(lengthBytes)
        return Effect.as(file.readAt(target, offsetBytes), target)
      })
    return { path, sizeBytes, read }
  }
)

/** A run of bytes of another source, which must hold them. */
export const slice = (source: ByteSource, offsetBytes: number, sizeBytes: number): ByteSource => ({
  path: source.path,
  sizeBytes,
  read: (from, lengthBytes) => source.read(offsetBytes + from, lengthBytes)
})

/** Bytes in memory. They are read where they are: the caller must not change them. */
export const fromBytes = (bytes: Uint8Array, path = "memory"): ByteSource => ({
  path,
  sizeBytes: bytes.length,
  read: (offsetBytes, lengthBytes) =>
    // A constructor, because the `slice` of a `Buffer` copies nothing.
    Effect.sync(() => new Uint8Array(bytes.subarray(offsetBytes, offsetBytes + lengthBytes)))
})
