/**
 * Entries on the wire as lines: each entry's bytes and a line feed. Only for domains whose entries hold no line feed.
 */
import type { Entry } from "../Entry.ts"

export const mediaType = "application/x-ndjson"

const lineFeed = 0x0a

/** One body: a line an entry. */
export const encode = (entries: ReadonlyArray<Entry>): Uint8Array => {
  const body = new Uint8Array(entries.reduce((sum, entry) => sum + entry.bytes.length + 1, 0))
  let offset = 0
  for (const { bytes } of entries) {
    body.set(bytes, offset)
    offset += bytes.length
    body[offset++] = lineFeed
  }
  return body
}
