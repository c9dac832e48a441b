/**
 * `sync_file_range(2)`, which starts the writeback of a part of a file and does not wait for it.
 *
 * No runtime has it in its standard library; Bun can call it through `bun:ffi`. It is a hint: where it is absent the caller
 * uses an asynchronous `fdatasync`.
 */
import { Effect } from "effect"

/** True when the system took the hint. */
export type StartWriteback = (descriptor: number, offsetBytes: number, lengthBytes: number) => boolean

interface ForeignFunctions {
  readonly dlopen: (
    library: string,
    symbols: Record<string, { readonly args: ReadonlyArray<string>; readonly returns: string }>
  ) => { readonly symbols: { readonly sync_file_range: (...args: ReadonlyArray<number>) => number } }
}

/** SYNC_FILE_RANGE_WRITE: start, wait for nothing. */
const startWrite = 2

/** The system's call on Linux under Bun; nothing elsewhere. Never fails. */
export const load: Effect.Effect<StartWriteback | undefined> = Effect.suspend(() => {
  if (process.versions.bun === undefined || process.platform !== "linux") return Effect.undefined
  return Effect.tryPromise(() => import("bun:ffi") as Promise<unknown> as Promise<ForeignFunctions>).pipe(
    Effect.flatMap((ffi) => Effect.try(() => link(ffi))),
    Effect.orElseSucceed(() => undefined)
  )
})

const link = (ffi: ForeignFunctions): StartWriteback => {
  const { symbols } = ffi.dlopen("libc.so.6", {
    sync_file_range: { args: ["i32", "i64", "i64", "u32"], returns: "i32" }
  })
  return (descriptor, offsetBytes, lengthBytes) =>
    symbols.sync_file_range(descriptor, offsetBytes, lengthBytes, startWrite) === 0
}
