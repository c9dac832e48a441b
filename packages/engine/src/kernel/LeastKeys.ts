/**
 * The least of many keys, each with something that belongs to it, in memory that does not grow with their number: at most twice
 * as many are kept as are asked for, sorted and halved whenever they are that many.
 */
import { compareBytes } from "../internal/Bounds.ts"

/** One that was kept. */
export interface Kept<A> {
  readonly key: Uint8Array
  readonly item: A
}

/** A collection in progress, changed in place. */
export interface LeastKeys<A> {
  readonly limit: number
  kept: Array<Kept<A>>
  /** At least `limit` kept keys are at or below it. */
  ceiling: Uint8Array | undefined
  /** Whether any was given up because `limit` others are less. */
  wasCut: boolean
}

/** For at most `limit` keys, from 1. */
export const make = <A>(limit: number): LeastKeys<A> => ({ limit, kept: [], ceiling: undefined, wasCut: false })

/** Whether the key may be among the least; if not, that is noted and there is no need to {@link add} it. */
export const admits = <A>(least: LeastKeys<A>, key: Uint8Array): boolean => {
  if (least.ceiling === undefined || compareBytes(key, least.ceiling) < 0) return true
  least.wasCut = true
  return false
}

/** Adds a key, in a buffer that stays as it is. No key is added twice. */
export const add = <A>(least: LeastKeys<A>, key: Uint8Array, item: A): void => {
  least.kept.push({ key, item })
  if (least.kept.length >= 2 * least.limit) cut(least)
}

/** The least, in order. */
export const finish = <A>(least: LeastKeys<A>): ReadonlyArray<Kept<A>> => {
  cut(least)
  return least.kept
}

const cut = <A>(least: LeastKeys<A>): void => {
  least.kept.sort(byKey)
  if (least.kept.length < least.limit) return
  if (least.kept.length > least.limit) least.wasCut = true
  least.kept.length = least.limit
  least.ceiling = least.kept[least.limit - 1]!.key
}

const byKey = (left: Kept<unknown>, right: Kept<unknown>): number => compareBytes(left.key, right.key)
