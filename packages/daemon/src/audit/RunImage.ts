/**
 * The key run that a chunk must have, derived from its entries: `u64 count`, then rows of 20 bytes, the first 16 of a key and a
 * u32 little-endian offset from the window's first seq, ordered by key and then by seq.
 *
 * In memory it takes 28 bytes a key, for one chunk at a time.
 */

import { Crc32c } from "@icecore/codec"

/** Bytes of a row. */
export const rowBytes = 20

/** Bytes of a key that runs and indexes hold. */
export const prefixBytes = 16

const headBytes = 8

/** Collects the rows of a chunk. */
export interface RunImage {
  rows: Uint8Array
  count: number
}

export const make = (): RunImage => ({ rows: new Uint8Array(rowBytes * 1_024), count: 0 })

/** Adds the first bytes of a key of the entry with this offset. */
export const add = (image: RunImage, key: Uint8Array, offset: number): void => {
  if (image.rows.length < (image.count + 1) * rowBytes) {
    const grown = new Uint8Array(image.rows.length * 2)
    grown.set(image.rows)
    image.rows = grown
  }
  const at = image.count * rowBytes
  image.rows.set(key.subarray(0, prefixBytes), at)
  new DataView(image.rows.buffer).setUint32(at + prefixBytes, offset, true)
  image.count++
}

/** The whole file. Rows that stand twice count once: an entry may name a key again. */
export const toBytes = ({ rows, count }: RunImage): Uint8Array => {
  const view = new DataView(rows.buffer)
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  order.sort((left, right) => compareRows(view, left * rowBytes, right * rowBytes))
  const file = new Uint8Array(headBytes + rowBytes * count)
  let written = 0
  for (let index = 0; index < count; index++) {
    const at = order[index]! * rowBytes
    if (index > 0 && compareRows(view, order[index - 1]! * rowBytes, at) === 0) continue
    file.set(rows.subarray(at, at + rowBytes), headBytes + rowBytes * written)
    written++
  }
  new DataView(file.buffer).setBigUint64(0, BigInt(written), true)
  return file.subarray(0, headBytes + rowBytes * written)
}

const compareRows = (view: DataView, left: number, right: number): number => {
  for (let at = 0; at < prefixBytes; at += 4) {
    const difference = view.getUint32(left + at) - view.getUint32(right + at)
    if (difference !== 0) return difference
  }
  return view.getUint32(left + prefixBytes, true) - view.getUint32(right + prefixBytes, true)
}

/** Why a run is not the one that a pack says its chunk has; undefined when it is. */
export const faultOf = (
  stated: { readonly keyCount: number; readonly checksum: number },
  run: Uint8Array
): string | undefined => {
  const keyCount = (run.length - headBytes) / rowBytes
  if (keyCount !== stated.keyCount) return `it says that it has ${stated.keyCount} keys, its entries give ${keyCount}`
  const checksum = Crc32c.checksum(run)
  return checksum === stated.checksum
    ? undefined
    : `it says that its run has checksum 0x${stated.checksum.toString(16)}, its entries give 0x${checksum.toString(16)}`
}

/** What is wrong with a run by itself, when there is nothing to hold it against; undefined when nothing is. */
export const formFault = (run: Uint8Array): string | undefined => {
  const view = new DataView(run.buffer, run.byteOffset, run.byteLength)
  const stated = run.length < headBytes ? -1n : view.getBigUint64(0, true)
  if (stated !== BigInt(Math.floor((run.length - headBytes) / rowBytes)) || (run.length - headBytes) % rowBytes !== 0)
    return `it has ${run.length} bytes for ${stated} keys`
  for (let at = headBytes + rowBytes; at < run.length; at += rowBytes)
    if (compareRows(view, at - rowBytes, at) >= 0) return `its row at byte ${at} is not behind the one before it`
  return undefined
}

/** Where two files differ first, as words; undefined when they are the same. */
export const differenceOf = (expected: Uint8Array, actual: Uint8Array): string | undefined => {
  if (expected.length !== actual.length) return `it has ${actual.length} bytes, its entries give ${expected.length}`
  const at = expected.findIndex((byte, index) => byte !== actual[index])
  return at < 0 ? undefined : `byte ${at} is ${actual[at]}, its entries give ${expected[at]}`
}
