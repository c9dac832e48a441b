/**
 * Loops around the positioned reads and writes of `node:fs`, which may move fewer bytes than asked (a signal, a full disk, the
 * length limit of one call).
 */
import * as fs from "node:fs"
import type { SystemCallback } from "./SystemCall.ts"

/** The most that one system call is asked for: below 2^31 − 1, where lengths stop fitting everywhere. */
const callLimitBytes = 1024 * 1024 * 1024

/** Fills `target` from `offsetBytes` or up to the end of the file; returns the bytes read. Throws the system's error. */
export const readSync = (descriptor: number, target: Uint8Array, offsetBytes: number): number => {
  let done = 0
  while (done < target.length) {
    const step = retried(() => fs.readSync(descriptor, target, done, callLength(target, done), offsetBytes + done))
    if (step === 0) return done
    done += step
  }
  return done
}

/** As {@link readSync}, on the runtime's thread pool. */
export const read = (
  descriptor: number,
  target: Uint8Array,
  offsetBytes: number,
  callback: SystemCallback<number>
): void => {
  const from = (done: number): void => {
    if (done === target.length) {
      callback(null, done)
      return
    }
    fs.read(descriptor, target, done, callLength(target, done), offsetBytes + done, (cause, step) => {
      if (isSignal(cause)) from(done)
      else if (cause !== null && cause !== undefined) callback(cause)
      else if (step === 0) callback(null, done)
      else from(done + step)
    })
  }
  from(0)
}

/** Writes all of `bytes`. Throws the system's error, or one with code EIO when the system takes nothing and gives none. */
export const writeSync = (descriptor: number, bytes: Uint8Array, offsetBytes: number): void => {
  let done = 0
  while (done < bytes.length) {
    const step = retried(() => fs.writeSync(descriptor, bytes, done, callLength(bytes, done), offsetBytes + done))
    if (step === 0) throw noProgress()
    done += step
  }
}

/** As {@link writeSync}, on the runtime's thread pool. */
export const write = (
  descriptor: number,
  bytes: Uint8Array,
  offsetBytes: number,
  callback: SystemCallback<void>
): void => {
  const from = (done: number): void => {
    if (done === bytes.length) {
      callback(null)
      return
    }
    fs.write(descriptor, bytes, done, callLength(bytes, done), offsetBytes + done, (cause, step) => {
      if (isSignal(cause)) from(done)
      else if (cause !== null && cause !== undefined) callback(cause)
      else if (step === 0) callback(noProgress())
      else from(done + step)
    })
  }
  from(0)
}

const callLength = (bytes: Uint8Array, done: number): number => Math.min(bytes.length - done, callLimitBytes)

const retried = (call: () => number): number => {
  for (;;) {
    try {
      return call()
    } catch (cause) {
      if (!isSignal(cause)) throw cause
    }
  }
}

const isSignal = (cause: unknown): boolean =>
  typeof cause === "object" && cause !== null && (cause as { readonly code?: unknown }).code === "EINTR"

const noProgress = (): Error & { readonly code: string } =>
  Object.assign(new Error("the system wrote none of the bytes and gave no error"), { code: "EIO" })
