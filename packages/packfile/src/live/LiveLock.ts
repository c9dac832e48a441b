/**
 * An exclusive lock between processes: an exclusive transaction on an SQLite database that is never written to.
 *
 * `node:fs` has no `flock`, and `node:sqlite` is in Bun, Node and Deno alike, so all three exclude one another. SQLite takes
 * POSIX record locks, which the kernel frees when the process dies, and keeps a table of inodes so that two connections
 * of one process exclude each other too. The file stays empty, stays where it is, and has no journal.
 *
 * IMPORTANT: a POSIX lock is lost when its process closes any descriptor of that file. Nobody may open a lock file.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Effect, type Scope } from "effect"
import { type DiskError, DiskFailed, DiskLocked, DiskNotFound } from "../Disk.ts"

/** IMPORTANT: a connection that nothing references is collected, and its lock goes with it. */
const held = new Set<DatabaseSync>()

/** Takes the lock at once or fails. Freed with the scope. */
export const lock = (file: string): Effect.Effect<void, DiskLocked | DiskError, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.suspend(() =>
        file === "" || file.includes("\0")
          ? Effect.fail(
              new DiskFailed({
                operation: "lock",
                path: file,
                code: "EINVAL",
                detail: "the path is empty or has a zero byte"
              })
            )
          : Effect.try({ try: () => acquire(file), catch: (cause) => lockError(file, cause) })
      ),
      (database) => Effect.sync(() => release(database))
    )
  )

const acquire = (file: string): DatabaseSync => {
  // Absolute: SQLite gives ":memory:", "file:" and the empty name a meaning of their own.
  const database = new DatabaseSync(path.resolve(file), { timeout: 0 })
  try {
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE")
  } catch (cause) {
    database.close()
    throw cause
  }
  held.add(database)
  return database
}

const release = (database: DatabaseSync): void => {
  held.delete(database)
  database.close()
}

const busy = 5
const notADatabase = 26

const lockError = (file: string, cause: unknown): DiskLocked | DiskError => {
  const { errcode, message } = cause as { readonly errcode?: number; readonly message?: string }
  const text = String(message)
  // Deno gives no number, only SQLite's text.
  if ((errcode !== undefined && (errcode & 0xff) === busy) || text.includes("database is locked")) {
    return new DiskLocked({ path: file })
  }
  if (errcode === notADatabase || text.includes("not a database")) {
    return new DiskFailed({ operation: "lock", path: file, code: "EINVAL", detail: "the file is not a lock file" })
  }
  return inaccessible(file) ?? new DiskFailed({ operation: "lock", path: file, code: "SQLITE", detail: text })
}

/** SQLite says only that it cannot open; the system says why. Looks without opening, see the module's warning. */
const inaccessible = (file: string): DiskError | undefined => {
  try {
    const info = fs.statSync(file, { throwIfNoEntry: false })
    if (info?.isDirectory()) {
      return new DiskFailed({ operation: "lock", path: file, code: "EISDIR", detail: "it is a directory" })
    }
    fs.accessSync(info === undefined ? path.dirname(path.resolve(file)) : file, fs.constants.R_OK | fs.constants.W_OK)
    return undefined
  } catch (cause) {
    const { code } = cause as { readonly code?: string }
    if (code === "ENOENT") return new DiskNotFound({ operation: "lock", path: file })
    return new DiskFailed({
      operation: "lock",
      path: file,
      code: code ?? "UNKNOWN",
      detail: "the file cannot be made or written"
    })
  }
}
