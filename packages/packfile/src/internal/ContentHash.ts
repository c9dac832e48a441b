/**
 * The content hash: SHA-256 over the digests of all records in order, where the digest of a record is SHA-256 over
 * `u32 length little-endian ‖ item` for each of its items. Independent of encoding and concurrency.
 *
 * PERF: lengths and items are gathered into one buffer, because a call of the hash costs as much as 1 KiB of hashing.
 */
import { createHash, type Hash } from "node:crypto"

const gatherSizeBytes = 64 * 1024
const lengthSizeBytes = 4

/** Gives the bytes that stand for an item in the content hash. Must not change the item nor keep it. */
export type Extract = (item: Uint8Array) => Uint8Array

/** Hashes one record after another. Its fields belong to the functions of this module. */
export interface RecordHasher {
  readonly gathered: Uint8Array
  readonly extract: Extract | undefined
  /** Items of the present record that were hashed, so that an extract that throws can be placed. */
  hashedItems: number
}

/** A hasher with its buffer of 64 KiB. */
export const makeHasher = (extract: Extract | undefined): RecordHasher => ({
  gathered: new Uint8Array(gatherSizeBytes),
  extract,
  hashedItems: 0
})

/** The digest of the record whose items lie one after the other in `payload`. Throws what `extract` throws. */
export const digest = (
  hasher: RecordHasher,
  payload: Uint8Array,
  sizes: Uint32Array,
  itemCount: number
): Uint8Array => {
  const { gathered, extract } = hasher
  const hash = createHash("sha256")
  let filled = 0
  let itemAt = 0
  for (hasher.hashedItems = 0; hasher.hashedItems < itemCount; hasher.hashedItems++) {
    const itemEnd = itemAt + sizes[hasher.hashedItems]!
    const stored = payload.subarray(itemAt, itemEnd)
    const item = extract === undefined ? stored : extract(stored)
    itemAt = itemEnd
    if (filled + lengthSizeBytes + item.length > gatherSizeBytes) {
      hash.update(gathered.subarray(0, filled))
      filled = 0
    }
    gathered[filled] = item.length & 0xff
    gathered[filled + 1] = (item.length >>> 8) & 0xff
    gathered[filled + 2] = (item.length >>> 16) & 0xff
    gathered[filled + 3] = item.length >>> 24
    filled += lengthSizeBytes
    if (filled + item.length > gatherSizeBytes) {
      hash.update(gathered.subarray(0, filled)).update(item)
      filled = 0
    } else {
      gathered.set(item, filled)
      filled += item.length
    }
  }
  return hash.update(gathered.subarray(0, filled)).digest()
}

/** The hash over record digests, in constant memory. */
export const makeContentHash = (): Hash => createHash("sha256")
