/** The end of a worker thread that the worker itself holds, of `node:worker_threads`. */
import { parentPort } from "node:worker_threads"

export interface WorkerParent<In, Out> {
  readonly post: (message: Out) => void
  readonly listen: (onMessage: (message: In) => void) => void
  /** Takes no more messages, so that the thread ends when nothing is left to do in it. */
  readonly close: () => void
}

/** Undefined on a thread that is no worker. */
export const open = <In, Out>(): WorkerParent<In, Out> | undefined => {
  const port = parentPort
  if (port === null) return undefined
  return {
    post: (message) => port.postMessage(message),
    listen: (onMessage) => {
      port.on("message", onMessage)
    },
    // The port of Deno cannot be closed, and lets the thread end when it is unreferenced.
    close: () => (typeof port.close === "function" ? port.close() : port.unref())
  }
}
