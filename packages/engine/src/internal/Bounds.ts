/** Combines the bounds of a {@link Range} into one lower and one upper bound. */
import { Buffer } from "node:buffer"
import { maxKeySizeBytes, type Range } from "../Engine.ts"
import type { PageBounds } from "./Store.ts"

/** Bytewise unsigned; a prefix comes before what it begins. */
export const compareBytes: (left: Uint8Array, right: Uint8Array) => number = Buffer.compare

/** The bounds that a key must satisfy to be in the range, in buffers of their own; undefined when no key can. */
export const boundsOf = (range: Range): PageBounds | undefined => {
  let bounds: PageBounds = { lower: undefined, lowerInclusive: true, upper: undefined, upperInclusive: true }
  if (range.gte !== undefined) bounds = raise(bounds, range.gte, true)
  if (range.gt !== undefined) bounds = raise(bounds, range.gt, false)
  if (range.lte !== undefined) bounds = lower(bounds, range.lte, true)
  if (range.lt !== undefined) bounds = lower(bounds, range.lt, false)
  if (range.prefix !== undefined && range.prefix.length > 0) {
    if (range.prefix.length > maxKeySizeBytes) return undefined
    bounds = raise(bounds, range.prefix, true)
    const end = prefixEnd(range.prefix)
    if (end !== undefined) bounds = lower(bounds, end, false)
  }
  return isEmpty(bounds) ? undefined : bounds
}

/** The same bounds with the start, in the direction of the scan, moved behind a key. */
export const after = (bounds: PageBounds, key: Uint8Array, reverse: boolean): PageBounds =>
  reverse ? { ...bounds, upper: key, upperInclusive: false } : { ...bounds, lower: key, lowerInclusive: false }

export const contains = (bounds: PageBounds, key: Uint8Array): boolean => {
  if (bounds.lower !== undefined) {
    const order = compareBytes(key, bounds.lower)
    if (order < 0 || (order === 0 && !bounds.lowerInclusive)) return false
  }
  if (bounds.upper !== undefined) {
    const order = compareBytes(key, bounds.upper)
    if (order > 0 || (order === 0 && !bounds.upperInclusive)) return false
  }
  return true
}

/** A bound longer than any key lies between its longest possible prefix and the key after that. */
const raise = (bounds: PageBounds, key: Uint8Array, inclusive: boolean): PageBounds => {
  const long = key.length > maxKeySizeBytes
  const next = new Uint8Array(long ? key.subarray(0, maxKeySizeBytes) : key)
  const nextInclusive = long ? false : inclusive
  const order = bounds.lower === undefined ? 1 : compareBytes(next, bounds.lower)
  if (order > 0) return { ...bounds, lower: next, lowerInclusive: nextInclusive }
  return order === 0 ? { ...bounds, lowerInclusive: bounds.lowerInclusive && nextInclusive } : bounds
}

const lower = (bounds: PageBounds, key: Uint8Array, inclusive: boolean): PageBounds => {
  const long = key.length > maxKeySizeBytes
  const next = new Uint8Array(long ? key.subarray(0, maxKeySizeBytes) : key)
  const nextInclusive = long ? true : inclusive
  const order = bounds.upper === undefined ? -1 : compareBytes(next, bounds.upper)
  if (order < 0) return { ...bounds, upper: next, upperInclusive: nextInclusive }
  return order === 0 ? { ...bounds, upperInclusive: bounds.upperInclusive && nextInclusive } : bounds
}

/** The least bytes above everything with the prefix; undefined when it is all 0xff and nothing is above. */
const prefixEnd = (prefix: Uint8Array): Uint8Array | undefined => {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  if (length === 0) return undefined
  const end = prefix.slice(0, length)
  end[length - 1]!++
  return end
}

const isEmpty = (bounds: PageBounds): boolean => {
  if (bounds.upper === undefined) return false
  // The empty key does not exist.
  if (bounds.upper.length === 0) return true
  if (bounds.lower === undefined) return false
  const order = compareBytes(bounds.lower, bounds.upper)
  return order > 0 || (order === 0 && !(bounds.lowerInclusive && bounds.upperInclusive))
}
