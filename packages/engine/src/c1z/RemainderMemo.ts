/**
 * Remainders by the bytes that they are of. Grants repeat their entitlement: of the same bytes nothing else can be left.
 *
 * PERF: without it a grant costs the parse of its entitlement, its resource and its resource types, some 40 fields.
 */

import { isSame } from "./Remainder.ts"

/** What is left of one message, and what was told to `keep`. */
export interface Remembered {
  readonly message: Uint8Array
  readonly remainder: Uint8Array
  readonly paths: ReadonlyArray<string>
}

/** Bytes of messages and remainders that are kept; over it all are forgotten. */
const maxSizeBytes = 16 * 1024 * 1024

/** Bytes that an entry costs besides its own, roughly. */
const entryOverheadBytes = 200

export interface RemainderMemo {
  /** `name` says in what the message is embedded and as what. Its last message is the one that is remembered. */
  readonly get: (name: string, message: Uint8Array) => Remembered | undefined
  /** The buffers are copied. */
  readonly set: (name: string, remembered: Remembered) => void
  readonly clear: () => void
}

export const make = (): RemainderMemo => {
  const entries = new Map<string, Remembered>()
  let sizeBytes = 0
  const clear = () => {
    entries.clear()
    sizeBytes = 0
  }
  return {
    get: (name, message) => {
      const found = entries.get(name)
      return found !== undefined && isSame(found.message, message) ? found : undefined
    },
    set: (name, { message, remainder, paths }) => {
      sizeBytes += entryOverheadBytes + name.length + message.length + remainder.length
      if (sizeBytes > maxSizeBytes) clear()
      entries.set(name, { message: message.slice(), remainder: remainder.slice(), paths })
    },
    clear
  }
}
