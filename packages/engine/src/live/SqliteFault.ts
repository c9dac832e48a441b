/** What a failure of SQLite was, told by its result code. */
import { EngineCorrupt, EngineFailed, EngineFull } from "../Engine.ts"
import type { StoreFault } from "../internal/Store.ts"
import { resultCode } from "./SqliteDriver.ts"

/** The failure of an operation on a database. */
export const fault = (path: string, operation: string, cause: unknown): StoreFault => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  const code = resultCode(cause)
  // SQLITE_IOERR_SHMSIZE: the index of the log could not grow to its 32 KiB, as happens when a full disk is opened on.
  if (code === 4874) return new EngineFull({ path, detail: `${detail}, SQLite code ${code}` })
  switch (code === undefined ? undefined : code & 0xff) {
    case 11:
    case 26:
      return new EngineCorrupt({ path, detail })
    case 13:
      return new EngineFull({ path, detail })
    default:
      return new EngineFailed({
        path,
        operation,
        detail: code === undefined ? detail : `${detail} (SQLite code ${code})`
      })
  }
}
