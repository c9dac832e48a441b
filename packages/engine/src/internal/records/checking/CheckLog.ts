/** What a check has found so far: some findings kept, all counted. */
import type { CheckOptions, CheckProgress, CheckReport, Finding } from "../../../RecordCheck.ts"

/** A report in progress, changed in place. */
export interface CheckLog {
  readonly findingLimit: number
  readonly onProgress: (progress: CheckProgress) => void
  readonly findings: Array<Finding>
  findingCount: number
  syncCount: number
  recordCount: number
  entryCount: number
}

/** Findings kept by default. */
const defaultFindingLimit = 1_000

export const make = ({ findingLimit = defaultFindingLimit, onProgress = () => {} }: CheckOptions): CheckLog => ({
  findingLimit,
  onProgress,
  findings: [],
  findingCount: 0,
  syncCount: 0,
  recordCount: 0,
  entryCount: 0
})

/** Adds a finding whose key, if it has one, stays as it is. */
export const add = (log: CheckLog, finding: Finding): void => {
  log.findingCount++
  if (log.findings.length < log.findingLimit) log.findings.push(finding)
}

export const reportOf = ({ entryCount, findingCount, findings, recordCount, syncCount }: CheckLog): CheckReport => ({
  findings,
  findingCount,
  syncCount,
  recordCount,
  entryCount
})
