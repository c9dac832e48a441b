/**
 * What moving a sync comes to, before and after: as tables for people, and as JSON.
 */
import type { Compactor } from "@icecore/compactor"
import type { SyncRun, SyncTransfer } from "@icecore/engine"
import * as Output from "../Output.ts"
import * as Table from "../Table.ts"
import { formatMicros } from "./RecordTable.ts"

const right = (name: string): Table.Column => ({ name, align: "right" })

/** A run as JSON: without what its source keeps in it. */
export const runOf = ({ token: _, ...run }: SyncRun.SyncRun): Omit<SyncRun.SyncRun, "token"> => run

/** A run for people: `full, ended 2024-05-01T12:00:00Z`. */
export const describeRun = ({ ended_at: ended, type }: SyncRun.SyncRun): string =>
  `${type}, ${ended === undefined ? "without an end" : `ended ${formatMicros(ended)}`}`

/** A line a step, and the sum. */
export const planTable = ({ bytes, rows, steps }: SyncTransfer.TransferPlan): string =>
  Table.render(
    [{ name: "rows" }, { name: "action" }, right("now"), right("then"), right("bytes (estimate)")],
    [
      ...steps.map((step) => [
        nameOf(step),
        step.action,
        Output.formatCount(step.baseRows),
        Output.formatCount(step.sourceRows),
        Output.formatBytes(Math.round(step.bytes))
      ]),
      [
        "all",
        "",
        Output.formatCount(steps.reduce((sum, { baseRows }) => sum + baseRows, 0)),
        Output.formatCount(rows),
        Output.formatBytes(Math.round(bytes))
      ]
    ]
  )

const stepNames = { records: "records", indexes: "index entries", syncs: "run", meta: "bookkeeping" } as const

const nameOf = ({ index, keyspace, type }: SyncTransfer.TransferStep): string =>
  type === undefined ? stepNames[keyspace] : index === undefined ? type : `${type} ${index}`

/** What became of the records, by type. */
export const changesTable = (types: Compactor.CompactReport["types"]): string =>
  Table.render(
    [{ name: "type" }, ...["added", "replaced", "removed", "unchanged", "bytes"].map(right)],
    types.map(({ addedCount, bytes, removedCount, replacedCount, type, unchangedCount }) => [
      type,
      ...[addedCount, replacedCount, removedCount, unchangedCount].map(Output.formatCount),
      Output.formatBytes(bytes)
    ])
  )

/** A report without what every other part of it says again. */
export const reportOf = (report: Compactor.CompactReport): object => {
  const { before, bytes, entryCount, run, types } = report
  return {
    result: report._tag,
    before: before === undefined ? null : runOf(before),
    run: runOf(run),
    types,
    ...(report._tag === "SyncEmpty" ? { removedCount: report.removedCount } : {}),
    entryCount,
    bytes
  }
}
