/**
 * Entries on their way to a worker: consecutive ones are copied into one buffer, which is then the worker's alone. Their own
 * buffers stay with whoever else has them.
 */
import type { Entry } from "../../Entry.ts"
import type { EntryBatch } from "./Protocol.ts"

const maxEntries = 4096

export interface EntryPacker {
  /** Bytes that a batch has at most, unless a single entry has more. */
  readonly batchSizeBytes: number
  firstSeq: number
  entryCount: number
  sizeBytes: number
  bytes: Uint8Array<ArrayBuffer>
  ends: Uint32Array<ArrayBuffer>
}

export const make = (batchSizeBytes: number): EntryPacker => ({
  batchSizeBytes,
  firstSeq: 0,
  entryCount: 0,
  sizeBytes: 0,
  bytes: new Uint8Array(0),
  ends: new Uint32Array(0)
})

/** Copies an entry. False, and nothing done, when it does not go into the same batch as what is there: {@link take} that first. */
export const add = (packer: EntryPacker, { seq, bytes }: Entry): boolean => {
  if (packer.entryCount === 0) {
    packer.firstSeq = seq
    packer.bytes = new Uint8Array(Math.max(packer.batchSizeBytes, bytes.length))
    packer.ends = new Uint32Array(maxEntries)
  } else if (
    seq !== packer.firstSeq + packer.entryCount ||
    packer.entryCount === maxEntries ||
    packer.sizeBytes + bytes.length > packer.bytes.length
  ) {
    return false
  }
  packer.bytes.set(bytes, packer.sizeBytes)
  packer.sizeBytes += bytes.length
  packer.ends[packer.entryCount++] = packer.sizeBytes
  return true
}

/** The batch; undefined when there is nothing in it. The packer is empty then. */
export const take = (packer: EntryPacker): EntryBatch | undefined => {
  const { firstSeq, entryCount, bytes, ends } = packer
  if (entryCount === 0) return undefined
  packer.entryCount = 0
  packer.sizeBytes = 0
  packer.bytes = new Uint8Array(0)
  packer.ends = new Uint32Array(0)
  return { firstSeq, entryCount, bytes: bytes.buffer, ends: ends.buffer }
}

/** What a batch takes in memory, as it counts among the bytes in flight. */
export const sizeBytesOf = ({ bytes, ends }: EntryBatch): number => bytes.byteLength + ends.byteLength

/** The entries, as views of the batch's buffer. */
export const unpack = (batch: EntryBatch): ReadonlyArray<Entry> => {
  const bytes = new Uint8Array(batch.bytes)
  const ends = new Uint32Array(batch.ends)
  const entries: Array<Entry> = new Array(batch.entryCount)
  let start = 0
  for (let index = 0; index < entries.length; index++) {
    const end = ends[index]!
    entries[index] = { seq: batch.firstSeq + index, bytes: bytes.subarray(start, end) }
    start = end
  }
  return entries
}
