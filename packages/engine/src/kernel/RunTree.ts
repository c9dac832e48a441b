/**
 * Runs of sorted rows in the order of their current keys: the least one first, of equal keys the newest run.
 *
 * A tournament, in which each run knows how many bytes its key shares with the key that beat it last: of two behind the same
 * key, the one that shares more with it comes first. Bytes are compared only where both share as many, from there on.
 */
import type { ChunkCursor } from "../format/EntryRun.ts"

/** One run that is being read. */
export interface OpenRun {
  /** Later runs are newer. */
  readonly run: number
  readonly cursor: ChunkCursor
  /** Bytes that the current key shares with the row before it in the order of all runs, when the run is the first. */
  shared: number
  /** There are no more rows. */
  isSpent: boolean
}

export interface RunTree {
  /** Runs by their number. */
  readonly runs: ReadonlyArray<OpenRun>
  /** The first run, and behind it the loser of each match. The match at `n` is between the winners of those at `2n` and `2n + 1`. */
  readonly places: Array<OpenRun>
}

/** A tree of runs by their current rows, `shared` being 0. The number of each is its place in the list. */
export const make = (runs: ReadonlyArray<OpenRun>): RunTree => {
  const tree: RunTree = { runs, places: [...runs] }
  if (runs.length > 0) tree.places[0] = play(tree, 1)
  return tree
}

/** The run with the least current key; none when all are spent. */
export const first = ({ places }: RunTree): OpenRun | undefined =>
  places.length === 0 || places[0]!.isSpent ? undefined : places[0]

/** Puts the first run where it belongs, with its next row, of which `shared` says what it has of the one before, or spent. */
export const next = ({ places, runs }: RunTree): void => {
  let winner = places[0]!
  for (let match = (runs.length + winner.run) >>> 1; match > 0; match >>>= 1) {
    const other = places[match]!
    if (isFirst(winner, other)) continue
    places[match] = winner
    winner = other
  }
  places[0] = winner
}

/** Plays a match, and those before it; returns the winner. */
const play = (tree: RunTree, match: number): OpenRun => {
  const { places, runs } = tree
  if (match >= runs.length) return runs[match - runs.length]!
  const left = play(tree, 2 * match)
  const right = play(tree, 2 * match + 1)
  const isLeft = isFirst(left, right)
  places[match] = isLeft ? right : left
  return isLeft ? left : right
}

/** Whether the left run comes first. The other one then knows what its key shares with that. */
const isFirst = (left: OpenRun, right: OpenRun): boolean => {
  if (left.isSpent || right.isSpent) return !left.isSpent
  if (left.shared !== right.shared) return left.shared > right.shared
  const { key, keySize } = left.cursor
  const { key: otherKey, keySize: otherSize } = right.cursor
  const size = Math.min(keySize, otherSize)
  let common = left.shared
  while (common < size && key[common] === otherKey[common]) common++
  const order = common < size ? key[common]! - otherKey[common]! : keySize - otherSize || right.run - left.run
  if (order < 0) right.shared = common
  else left.shared = common
  return order < 0
}
