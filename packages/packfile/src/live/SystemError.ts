/** Turns what `node:fs` throws or passes to a callback into the typed errors of the port. */
import { type DiskError, DiskExists, DiskFailed, DiskFull, DiskNotFound, type DiskOperation } from "../Disk.ts"

interface Coded {
  readonly code?: unknown
  readonly message?: unknown
}

/** What went wrong with `operation` on `path`, by the system's code; an error without one becomes `UNKNOWN`. */
export const diskError = (operation: DiskOperation, path: string, cause: unknown): DiskError => {
  const { code, message } = (typeof cause === "object" && cause !== null ? cause : {}) as Coded
  switch (code) {
    case "ENOENT":
      return new DiskNotFound({ operation, path })
    case "EEXIST":
      return new DiskExists({ operation, path })
    case "ENOSPC":
    case "EDQUOT":
      return new DiskFull({ operation, path, code })
    default:
      return new DiskFailed({
        operation,
        path,
        code: typeof code === "string" ? code : "UNKNOWN",
        detail: describe(message ?? cause)
      })
  }
}

/** `EACCES: permission denied, open '/x'` says the code and the path twice over; only the middle is kept. */
const describe = (message: unknown): string => {
  const text = String(message)
  const match = /^[A-Z0-9_]+: ([^,]+)/.exec(text)
  return match?.[1] ?? text
}
