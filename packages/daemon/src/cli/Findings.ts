/**
 * What an audit found, as the commands print it.
 */
import { Option } from "effect"
import type { AuditFinding } from "../StoreAudit.ts"

/** One line for people. */
export const describe = ({ invariant, fault, message, chunk, entries }: AuditFinding): string => {
  const where = [
    ...Option.toArray(Option.map(chunk, (id) => `chunk ${id}`)),
    ...Option.toArray(
      Option.map(entries, ({ from, to }) => (from === to ? `entry ${from}` : `entries ${from} to ${to}`))
    )
  ]
  return `${invariant} ${fault}${where.length === 0 ? "" : ` (${where.join(", ")})`}: ${message}`
}

/** For programs. */
export const encode = (finding: AuditFinding): unknown => ({
  ...finding,
  chunk: Option.getOrNull(finding.chunk),
  window: Option.getOrNull(finding.window),
  entries: Option.getOrNull(finding.entries),
  key: Option.getOrNull(finding.key)
})

export const describeCount = (count: number): string => (count === 1 ? "1 fault" : `${count} faults`)
