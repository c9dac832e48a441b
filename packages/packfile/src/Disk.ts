/**
 * The only door to a file system.
 *
 * Effect's `FileSystem` cannot sync a directory, write at a position or take a lock, so the port is ours. It is small and
 * says what each call promises after a power cut; the live layer is `@icecore/packfile/live`, the crashing twin is in
 * `@icecore/packfile/testing`.
 *
 * What is durable when:
 *
 * - file bytes: after {@link File.sync} returned, and only if every earlier write and sync of that file succeeded;
 * - the existence, name or absence of a file or directory: after {@link Disk.syncDirectory} of its parent;
 * - nothing else, in particular not the length of a file, nor its existence because its bytes were synced.
 *
 * After a failed sync the page cache may count the lost pages as clean. A {@link File} whose `sync` or `writeAt` failed is
 * therefore poisoned: later `writeAt`, `truncate` and `sync` fail with the first error, and the only way on is a new file.
 */
import { Context, Data, type Effect, type Option, type Scope } from "effect"

/** Operations that an error can name. */
export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "truncate"
  | "sync"
  | "writeback"
  | "stat"
  | "close"
  | "make directory"
  | "sync directory"
  | "rename"
  | "link"
  | "unlink"
  | "remove directory"
  | "list"
  | "free space"
  | "lock"

/** The path does not exist. */
export class DiskNotFound extends Data.Error<{ readonly operation: DiskOperation; readonly path: string }> {
  readonly _tag = "DiskNotFound"
  override readonly name = "DiskNotFound"
  override get message(): string {
    return `Cannot ${this.operation} ${this.path}: it does not exist`
  }
}

/** The path exists and must not. */
export class DiskExists extends Data.Error<{ readonly operation: DiskOperation; readonly path: string }> {
  readonly _tag = "DiskExists"
  override readonly name = "DiskExists"
  override get message(): string {
    return `Cannot ${this.operation} ${this.path}: it exists already`
  }
}

/** No space (ENOSPC) or no quota (EDQUOT) is left. */
export class DiskFull extends Data.Error<{
  readonly operation: DiskOperation
  readonly path: string
  readonly code: string
}> {
  readonly _tag = "DiskFull"
  override readonly name = "DiskFull"
  override get message(): string {
    return `Cannot ${this.operation} ${this.path}: no space left (${this.code})`
  }
}

/** The file ended before the bytes that were asked for. */
export class DiskShortRead extends Data.Error<{
  readonly path: string
  readonly offsetBytes: number
  readonly expected: number
  readonly actual: number
}> {
  readonly _tag = "DiskShortRead"
  override readonly name = "DiskShortRead"
  override get message(): string {
    return `Cannot read ${this.path}: ${this.actual} bytes at offset ${this.offsetBytes}, expected ${this.expected}`
  }
}

/** Any other I/O error, with the system's own code (`EIO`, `EACCES`, `EMFILE`, …). */
export class DiskFailed extends Data.Error<{
  readonly operation: DiskOperation
  readonly path: string
  readonly code: string
  readonly detail: string
}> {
  readonly _tag = "DiskFailed"
  override readonly name = "DiskFailed"
  override get message(): string {
    return `Cannot ${this.operation} ${this.path}: ${this.detail} (${this.code})`
  }
}

/** Another process, or another scope of this one, holds the lock. */
export class DiskLocked extends Data.Error<{ readonly path: string }> {
  readonly _tag = "DiskLocked"
  override readonly name = "DiskLocked"
  override get message(): string {
    return `Cannot lock ${this.path}: it is in use`
  }
}

/** What any operation but `lock` can fail with. */
export type DiskError = DiskNotFound | DiskExists | DiskFull | DiskShortRead | DiskFailed

/**
 * `read`: must exist. `readWrite`: must exist. `create`: must not exist ({@link DiskExists}). `replace`: created, or
 * emptied when it exists.
 */
export type OpenMode = "read" | "readWrite" | "create" | "replace"

/** An open file. Positions and sizes are bytes, up to 2^53 − 1; nothing here has a cursor, so calls may overlap. */
export interface File {
  readonly path: string
  /** Fills `target` whole from `offsetBytes`, or fails with {@link DiskShortRead}. The buffer is the caller's. */
  readonly readAt: (target: Uint8Array, offsetBytes: number) => Effect.Effect<void, DiskError>
  /** Writes all of `bytes` at `offsetBytes`, growing the file when needed. `bytes` may be reused on completion. */
  readonly writeAt: (bytes: Uint8Array, offsetBytes: number) => Effect.Effect<void, DiskError>
  readonly size: Effect.Effect<number, DiskError>
  readonly truncate: (sizeBytes: number) => Effect.Effect<void, DiskError>
  /** Makes the bytes of the file durable (fsync). Runs off the event loop. */
  readonly sync: Effect.Effect<void, DiskError>
  /**
   * Asks the system to start writing these bytes back, so that a later {@link File.sync} is short. A hint: it promises
   * nothing, and does nothing where the system has no such call.
   */
  readonly startWriteback: (offsetBytes: number, lengthBytes: number) => Effect.Effect<void, DiskError>
}

export type FileKind = "file" | "directory" | "other"

export interface FileInfo {
  readonly kind: FileKind
  readonly sizeBytes: number
  /** Identity that survives a rename: device and inode. */
  readonly identity: string
}

export interface DirectoryEntry {
  /** The bare name, without its directory. */
  readonly name: string
  readonly kind: FileKind
}

export interface MakeDirectoryOptions {
  /** Only its owner may read, write or enter what is made, whatever the process would allow otherwise. Default false. */
  readonly isPrivate?: boolean
}

export interface Disk {
  /** Opens a file and closes it with the scope. Does not sync the directory of a created one. */
  readonly open: (path: string, mode: OpenMode) => Effect.Effect<File, DiskError, Scope.Scope>
  /**
   * Makes the directory and its missing ancestors. Returns, outermost first, the directories that were absent before:
   * to make all of them durable, sync the parent of each.
   */
  readonly makeDirectory: (
    path: string,
    options?: MakeDirectoryOptions
  ) => Effect.Effect<ReadonlyArray<string>, DiskError>
  /** Makes the names in a directory durable: what was created, renamed or unlinked in it. */
  readonly syncDirectory: (path: string) => Effect.Effect<void, DiskError>
  /** Replaces `target` atomically. Both directories need a sync afterwards. */
  readonly rename: (options: { readonly source: string; readonly target: string }) => Effect.Effect<void, DiskError>
  /**
   * Gives a file a second name, `target`; {@link DiskExists} when anything is there, whoever put it there and whenever. Fails with
   * {@link DiskFailed} on file systems whose files have one name only. The directory of `target` needs a sync afterwards.
   */
  readonly link: (options: { readonly source: string; readonly target: string }) => Effect.Effect<void, DiskError>
  /** Removes a file; {@link DiskNotFound} when there is none. */
  readonly unlink: (path: string) => Effect.Effect<void, DiskError>
  /** Removes an empty directory. */
  readonly removeDirectory: (path: string) => Effect.Effect<void, DiskError>
  /** The names in a directory, sorted by UTF-16 code unit. */
  readonly list: (path: string) => Effect.Effect<ReadonlyArray<DirectoryEntry>, DiskError>
  /** What is at the path; none when nothing is. */
  readonly stat: (path: string) => Effect.Effect<Option.Option<FileInfo>, DiskError>
  /** Bytes that this process may still write on the file system that holds the path. */
  readonly freeSpaceBytes: (path: string) => Effect.Effect<number, DiskError>
  /**
   * Takes an exclusive lock on `path` (a file made when missing), at once or not at all, and holds it for the scope. The
   * kernel frees it when the process dies. Exclusive between all runtimes that Icecore runs on, and within one process.
   */
  readonly lock: (path: string) => Effect.Effect<void, DiskLocked | DiskError, Scope.Scope>
}

export const Disk: Context.Service<Disk, Disk> = Context.Service("@icecore/packfile/Disk")
