/** A worker thread as `node:worker_threads` makes it on Bun, Deno and Node. */
import { Worker } from "node:worker_threads"

/** The calling thread's end. */
export interface WorkerThread<Out> {
  /** Sends a message. The buffers named in `transfer` are the worker's from here on. */
  readonly post: (message: Out, transfer?: ReadonlyArray<ArrayBuffer>) => void
  /** Whether the process waits for the thread before it ends. At first it does. */
  readonly hold: (isHeld: boolean) => void
}

export interface WorkerThreadOptions<In> {
  /** Absolute URL of the module that the thread runs. */
  readonly url: string
  readonly onMessage: (message: In) => void
  /** Called once, when the thread is gone, with what is known of why. */
  readonly onEnd: (detail: string) => void
}

/** Starts a thread. It is never terminated: it ends when it closes its end, or by itself. */
export const start = <In, Out>({ url, onMessage, onEnd }: WorkerThreadOptions<In>): WorkerThread<Out> => {
  const worker = new Worker(new URL(startable(url)))
  let failure: string | undefined
  worker.on("message", onMessage)
  worker.on("messageerror", (error) => {
    failure ??= `a message of it cannot be read: ${describe(error)}`
  })
  worker.on("error", (error) => {
    failure ??= describe(error)
  })
  worker.on("exit", (status) => onEnd(failure ?? `it exited with status ${status}`))
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    hold: (isHeld) => (isHeld ? worker.ref() : worker.unref())
  }
}

/** Deno, which runs modules from the network, starts threads only from files and from what the URL holds itself. */
const startable = (url: string): string =>
  url.startsWith("file:") ? url : `data:text/javascript,${encodeURIComponent(`import ${JSON.stringify(url)}`)}`

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error))
