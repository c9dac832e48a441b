/**
 * A domain for tests of worker threads: lines whose text says what their thread shall do.
 *
 * `exit` ends the thread, `throw` throws, `wait` blocks until the first number of `shared` is not 0; the second number counts the threads that have
 * made the domain.
 */
import { Option } from "effect"
import type { Domain } from "../../src/Domain.ts"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"

export interface FaultyOptions {
  readonly shared: SharedArrayBuffer
  /** Whether `make` throws, and what name the domain has, in another thread than the first. */
  readonly fault?: "throws" | "other name"
  /** Left out in the thread of the test. */
  readonly isWorker?: true
}

const patienceMillis = 20_000

export const make = (options: FaultyOptions): Domain => {
  const { shared, fault, isWorker = false } = options
  const numbers = new Int32Array(shared)
  if (isWorker) Atomics.add(numbers, 1, 1)
  if (isWorker && fault === "throws") throw new Error("no domain today")
  const refusal = (entry: Uint8Array): Option.Option<string> => {
    const text = entry.length < 10 ? new TextDecoder().decode(entry) : ""
    if (text === "exit") process.exit(3)
    if (text === "throw") throw new Error("a domain that throws")
    if (text === "wait") Atomics.wait(numbers, 0, 0, patienceMillis)
    return text === "refuse" ? Option.some("it says so") : Option.none()
  }
  return {
    ...NdjsonDomain.make(),
    name: isWorker && fault === "other name" ? "other" : "faulty",
    refusal,
    module: Option.some({ url: import.meta.url, options: { ...options, isWorker: true } satisfies FaultyOptions })
  }
}
