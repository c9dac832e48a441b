/**
 * Decoded records beside each other: which of two comes first in a listing, and in which fields they differ.
 */
import { Tuple } from "@icecore/codec"
import { valueAt } from "../format/RecordLayout.ts"
import { compareBytes } from "../internal/Bounds.ts"

/** Dotted path of a key part, split. */
export type Path = ReadonlyArray<string>

/**
 * Negative, zero or positive as the first record is before, at or behind the second one in the order of their keys: text by its
 * UTF-8 bytes, which is not the order of its UTF-16 units, bytes as unsigned, false before true.
 */
export const compareAt = (left: unknown, right: unknown, paths: ReadonlyArray<Path>): number => {
  for (const path of paths) {
    const order = compareValues(valueAt(left, path), valueAt(right, path))
    if (order !== 0) return order
  }
  return 0
}

const compareValues = (left: unknown, right: unknown): number => {
  if (left === right) return 0
  if (typeof left === "string" && typeof right === "string") return Tuple.compareStrings(left, right)
  if (left instanceof Uint8Array && right instanceof Uint8Array) return compareBytes(left, right)
  const first = left as number | bigint | boolean | Date
  const second = right as number | bigint | boolean | Date
  return first < second ? -1 : first > second ? 1 : 0
}

/** Whether two values of a field are the same: bytes and dates by what they hold, objects by their members in any order. */
export const isSame = (left: unknown, right: unknown): boolean => {
  if (Object.is(left, right)) return true
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false
  if (left instanceof Uint8Array) return right instanceof Uint8Array && compareBytes(left, right) === 0
  if (left instanceof Date) return right instanceof Date && left.getTime() === right.getTime()
  if (Array.isArray(left)) {
    return (
      Array.isArray(right) && left.length === right.length && left.every((item, index) => isSame(item, right[index]))
    )
  }
  if (Array.isArray(right) || right instanceof Uint8Array || right instanceof Date) return false
  return differingFields(left, right).length === 0
}

/** The names of the members that differ, in the order of the first object and then the second. An absent member is undefined. */
export const differingFields = (left: object, right: object): ReadonlyArray<string> => {
  const first = left as Readonly<Record<string, unknown>>
  const second = right as Readonly<Record<string, unknown>>
  const names: Array<string> = []
  for (const name of Object.keys(first)) if (!isSame(first[name], second[name])) names.push(name)
  for (const name of Object.keys(second))
    if (!Object.hasOwn(first, name) && second[name] !== undefined) names.push(name)
  return names
}
