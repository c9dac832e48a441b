/**
 * Which of several sources says what becomes of one record.
 *
 * - A record stands with the time of its recency field. A change of kind `added` or `changed` in the same source that is not older says
 *   so of this very record: it raises that time, and goes with the record.
 * - A removal stands with its own time. Beside a record in the same source it counts only when it is newer.
 * - The greatest time wins, of equal ones the newer source. Records of a type without recency have no times: the newer source wins.
 */
import type { SyncChange } from "@icecore/engine"

/** The claim that is ahead. Changed in place, one for all keys. */
export interface Contest {
  /** The field of the records' times; undefined where they have none. */
  readonly recency: string | undefined
  /** Of the claim that is ahead; -1 while there is none. */
  source: number
  time: number
  /** The record that wins; undefined where it is removed. */
  record: object | undefined
  /** The removal, or the change that goes with the record. */
  change: SyncChange.SyncChange | undefined
}

export const make = (recency: string | undefined): Contest => ({
  recency,
  source: -1,
  time: 0,
  record: undefined,
  change: undefined
})

/** Before the claims of the next key. */
export const begin = (contest: Contest): void => {
  contest.source = -1
  contest.record = undefined
  contest.change = undefined
}

/** Enters what a source has of the key; sources enter from the oldest to the newest. A change of no record is no claim. */
export const enter = (
  contest: Contest,
  source: number,
  record: object | undefined,
  change: SyncChange.SyncChange | undefined
): void => {
  const { recency } = contest
  const isRemoval = change?.kind === "removed"
  if (record === undefined) {
    if (isRemoval) claim(contest, source, change.discovered_at, undefined, change)
    return
  }
  if (recency === undefined) {
    claim(contest, source, 0, record, isRemoval ? undefined : change)
    return
  }
  const time = (record as Readonly<Record<string, number>>)[recency]!
  if (change === undefined || change.discovered_at < time) claim(contest, source, time, record, undefined)
  else if (!isRemoval) claim(contest, source, change.discovered_at, record, change)
  else if (change.discovered_at > time) claim(contest, source, change.discovered_at, undefined, change)
  else claim(contest, source, time, record, undefined)
}

const claim = (
  contest: Contest,
  source: number,
  time: number,
  record: object | undefined,
  change: SyncChange.SyncChange | undefined
): void => {
  if (contest.recency !== undefined && contest.source >= 0 && time < contest.time) return
  contest.source = source
  contest.time = time
  contest.record = record
  contest.change = change
}
