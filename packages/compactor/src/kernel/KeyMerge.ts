/**
 * A merge of many lanes, each sorted by its keys: gives all rows of the least key at once, from the lowest lane to the highest.
 *
 * A lane holds some rows ahead. One that runs out stands aside until it is given more; nothing may be taken meanwhile, since its next
 * key may be the least.
 */
import { Buffer } from "node:buffer"

/** One input. Changed in place. */
export interface Lane<A> {
  /** Its place among all lanes: of equal keys those of lower lanes come first. */
  readonly order: number
  readonly keyOf: (row: A) => Uint8Array
  rows: ReadonlyArray<A>
  /** The row whose turn it is. */
  at: number
  /** The key of that row. */
  key: Uint8Array
}

/** The lanes that have rows: a binary heap, the least of them first. */
export interface KeyMerge<A> {
  readonly heap: Array<Lane<A>>
  /** The lanes of the least key, of which {@link takeLeast} has given the rows. */
  readonly least: Array<Lane<A>>
}

export const make = <A>(): KeyMerge<A> => ({ heap: [], least: [] })

export const makeLane = <A>(order: number, keyOf: (row: A) => Uint8Array): Lane<A> => ({
  order,
  keyOf,
  rows: [],
  at: 0,
  key: noKey
})

const noKey = new Uint8Array()

/** Gives a lane its next rows, at least one. */
export const supply = <A>(merge: KeyMerge<A>, lane: Lane<A>, rows: ReadonlyArray<A>): void => {
  lane.rows = rows
  lane.at = 0
  enter(merge.heap, lane)
}

/** The row whose turn it is in a lane. */
export const rowOf = <A>(lane: Lane<A>): A => lane.rows[lane.at]!

/** Takes the lanes of the least key out of the heap, into `least`, in their order. How many they are: 0 at the end. */
export const takeLeast = <A>({ heap, least }: KeyMerge<A>): number => {
  least.length = 0
  while (heap.length > 0 && (least.length === 0 || Buffer.compare(heap[0]!.key, least[0]!.key) === 0)) {
    least.push(leave(heap))
  }
  return least.length
}

/** Puts the lanes of the least key back with their next rows. Those that have none go into `dry` instead. */
export const advance = <A>({ heap, least }: KeyMerge<A>, dry: Array<Lane<A>>): void => {
  for (let place = 0; place < least.length; place++) {
    const lane = least[place]!
    lane.at++
    if (lane.at < lane.rows.length) enter(heap, lane)
    else dry.push(lane)
  }
}

const isBefore = <A>(left: Lane<A>, right: Lane<A>): boolean => {
  const order = Buffer.compare(left.key, right.key)
  return order < 0 || (order === 0 && left.order < right.order)
}

const enter = <A>(heap: Array<Lane<A>>, lane: Lane<A>): void => {
  lane.key = lane.keyOf(lane.rows[lane.at]!)
  let at = heap.length
  heap.push(lane)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(lane, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = lane
}

const leave = <A>(heap: Array<Lane<A>>): Lane<A> => {
  const first = heap[0]!
  const last = heap.pop()!
  const size = heap.length
  if (size === 0) return first
  let at = 0
  for (let child = 1; child < size; child = 2 * at + 1) {
    if (child + 1 < size && isBefore(heap[child + 1]!, heap[child]!)) child++
    if (!isBefore(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}
