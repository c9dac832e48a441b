/** One asynchronous call of `node:fs` as an Effect. */
import { Effect } from "effect"
import { type DiskError, DiskFailed, type DiskOperation } from "../Disk.ts"
import { diskError } from "./SystemError.ts"

/** The callback that `node:fs` takes. Void calls pass no value. */
export type SystemCallback<A> = (cause: unknown, value?: A) => void

/**
 * Runs `start` and waits for its callback.
 *
 * Invariant: uninterruptible. The system goes on with a call whose fiber is gone: it would fill a buffer that the caller has
 * taken back, or write to a descriptor number that by then belongs to another file.
 */
export const systemCall = <A = void>(
  operation: DiskOperation,
  path: string,
  start: (callback: SystemCallback<A>) => void
): Effect.Effect<A, DiskError> =>
  Effect.uninterruptible(
    Effect.callback<A, DiskError>((resume) => {
      start((cause, value) => {
        resume(
          cause === null || cause === undefined
            ? Effect.succeed(value as A)
            : Effect.fail(diskError(operation, path, cause))
        )
      })
    })
  )

/** As {@link systemCall}, for calls that take `path` itself: one with a zero byte is refused, as the system would. */
export const pathCall = <A = void>(
  operation: DiskOperation,
  path: string,
  start: (callback: SystemCallback<A>) => void
): Effect.Effect<A, DiskError> =>
  path.includes("\0") || path === ""
    ? Effect.fail(new DiskFailed({ operation, path, code: "EINVAL", detail: "the path is empty or has a zero byte" }))
    : systemCall(operation, path, start)
