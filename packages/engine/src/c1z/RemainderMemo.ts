/**
 * Remainders by the bytes that they are of. Grants repeat their entitlement: of the same bytes nothing else can be left.
 *
 * PERF: without it a grant costs the parse of its entitlement, its resource and its resource types, some 40 fields.
 */
import * as BoundedMap from "./BoundedMap.ts"
import { isSame } from "./Remainder.ts"

/** What is left of one message, and what was told to `keep`. */
export interface Remembered {
  readonly message: Uint8Array
  readonly remainder: Uint8Array
  readonly paths: ReadonlyArray<string>
}

export interface RemainderMemo {
  /** `name` says in what the message is embedded and as what. Its last message is the one that is remembered. */
  readonly get: (name: string, message: Uint8Array) => Remembered | undefined
  /** The buffers are copied. */
  readonly set: (name: string, remembered: Remembered) => void
}

export const make = (): RemainderMemo => {
  const entries = BoundedMap.make<Remembered>()
  return {
    get: (name, message) => {
      const found = entries.get(name)
      return found !== undefined && isSame(found.message, message) ? found : undefined
    },
    set: (name, { message, remainder, paths }) => {
      const sizeBytes = message.length + remainder.length
      entries.set(name, { message: message.slice(), remainder: remainder.slice(), paths }, sizeBytes)
    }
  }
}
