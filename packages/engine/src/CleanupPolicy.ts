/** Which syncs a record store keeps: a pure plan over the list of its runs. */
import { isFinished, type SyncId, type SyncRun } from "./SyncRun.ts"

/** What is kept. Everything else goes; the current sync, and the parents of kept syncs that have not ended, always stay. */
export interface CleanupPolicy {
  /** Finished syncs kept of each type, the latest ones, from 0. Default 2. */
  readonly keepFinishedPerType?: number
  /** Unfinished syncs are kept when they started at most this many milliseconds ago. Default: one week. */
  readonly keepUnfinishedMillis?: number
  /** Only runs of these types are looked at. Default: all. */
  readonly types?: ReadonlyArray<string>
}

/** What a cleanup removes, and what it leaves. Both in the order of the ids. */
export interface CleanupPlan {
  readonly remove: ReadonlyArray<SyncRun>
  readonly keep: ReadonlyArray<SyncRun>
}

export interface CleanupState {
  readonly runs: ReadonlyArray<SyncRun>
  readonly current: SyncId | undefined
  /** Milliseconds since 1970 UTC. */
  readonly nowMillis: number
}

const weekMillis: number = 7 * 24 * 60 * 60 * 1000

/** Which runs go. The same state and policy always give the same plan. */
export const plan = (policy: CleanupPolicy, { current, nowMillis, runs }: CleanupState): CleanupPlan => {
  const keepCount = policy.keepFinishedPerType ?? 2
  const oldestStart = (nowMillis - (policy.keepUnfinishedMillis ?? weekMillis)) * 1_000
  const kept = new Set<string>()
  const finishedByType = new Map<string, Array<SyncRun>>()
  for (const run of runs) {
    const isAsked = policy.types === undefined || policy.types.includes(run.type)
    if (!isAsked || run.sync_id === current || (!isFinished(run) && run.started_at >= oldestStart)) {
      kept.add(run.sync_id)
    } else if (isFinished(run)) {
      const ofType = finishedByType.get(run.type)
      if (ofType === undefined) finishedByType.set(run.type, [run])
      else ofType.push(run)
    }
  }
  for (const ofType of finishedByType.values()) {
    ofType.sort(latestFirst)
    for (const run of ofType.slice(0, keepCount)) kept.add(run.sync_id)
  }
  for (const run of runs) if (kept.has(run.sync_id)) keepParents(run, runs, kept)
  const sorted = [...runs].sort((left, right) => order(left.sync_id, right.sync_id))
  return {
    remove: sorted.filter((run) => !kept.has(run.sync_id)),
    keep: sorted.filter((run) => kept.has(run.sync_id))
  }
}

/** A run that is still being filled may read the one that it continues, and so on. */
const keepParents = (run: SyncRun, runs: ReadonlyArray<SyncRun>, kept: Set<string>): void => {
  for (let at: SyncRun | undefined = run; at !== undefined && !isFinished(at); ) {
    const parent: SyncId | undefined = at.parent_sync_id
    if (parent === undefined || kept.has(parent)) return
    kept.add(parent)
    at = runs.find(({ sync_id }) => sync_id === parent)
  }
}

const order = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

const latestFirst = (left: SyncRun, right: SyncRun): number =>
  (right.ended_at ?? 0) - (left.ended_at ?? 0) || order(right.sync_id, left.sync_id)
