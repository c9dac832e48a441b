/** What a failure of LMDB was, told by its code, its text and the space that is left. */
import { statfsSync } from "node:fs"
import * as path from "node:path"
import { EngineCorrupt, EngineFailed, EngineFull } from "../Engine.ts"
import type { StoreFault } from "../internal/Store.ts"

/** A sound LMDB file that is not ours to use. */
export class ForeignFile extends Error {}

/** Less free space than this makes an I/O error a full disk. */
const fullBytes = 1024 * 1024

/** `MDB_INVALID`, `MDB_PAGE_NOTFOUND`, `MDB_CORRUPTED`, `MDB_VERSION_MISMATCH`. */
const corruptCodes: ReadonlySet<number> = new Set([-30_793, -30_797, -30_796, -30_794])
const ioError = 5
const noSpace = 28

/** The failure of an operation on a database in a directory. */
export const fault = (directory: string, operation: string, cause: unknown): StoreFault => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  if (cause instanceof ForeignFile) return new EngineCorrupt({ path: directory, detail })
  const { code } = (cause ?? {}) as { readonly code?: unknown }
  if (typeof code === "number" && corruptCodes.has(code)) return new EngineCorrupt({ path: directory, detail })
  const full =
    code === noSpace ||
    detail.includes("No space left") ||
    ((code === ioError || code === undefined) && isFull(directory))
  return full ? new EngineFull({ path: directory, detail }) : new EngineFailed({ path: directory, operation, detail })
}

/** LMDB says EIO for a short write, which is what the first write on a full disk is. */
const isFull = (directory: string): boolean => {
  try {
    const { bavail, bsize } = statfsSync(path.resolve(directory))
    return bavail * bsize < fullBytes
  } catch {
    return false
  }
}
