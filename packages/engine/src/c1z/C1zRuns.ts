/** The sync runs of an older archive. */
import { Ksuid } from "@icecore/codec"
import { Result } from "effect"
import type { SqliteConnection } from "../live/SqliteDriver.ts"
import type { SyncId } from "../SyncRun.ts"
import { C1zLimitExceeded } from "./C1zError.ts"
import type { NameCounts } from "./C1zReport.ts"
import { type C1zRow, makePages } from "./C1zRows.ts"
import { type CheckedSchema, syncRuns } from "./C1zSchema.ts"
import { parseTime } from "./C1zTime.ts"

/** Runs of one archive at most: the tables are read once for each. */
const maxRunCount = 1_000

/** Characters of the type of a run at most, as record stores have it. */
const maxTypeLength = 256

/** The type of a run that says none. */
const noType = "unspecified"

/** One run as it is in the archive. */
export interface C1zRun {
  readonly row: C1zRow
  readonly syncId: SyncId
  readonly startedAt: number
  /** Undefined: it never ended. */
  readonly endedAt: number | undefined
  readonly token: string
  readonly type: string
  readonly parent: SyncId | undefined
}

/** Reads the runs in the order of their rows. Throws the errors of `C1zError.ts`, and what SQLite throws. */
export const readRuns = (
  connection: SqliteConnection,
  path: string,
  schema: CheckedSchema,
  dropped: NameCounts
): ReadonlyArray<C1zRun> => {
  const table = schema.tables.get(syncRuns.name)!
  if (table.rowCount > maxRunCount) {
    const actual = table.rowCount
    throw new C1zLimitExceeded({ path, table: syncRuns.name, subject: "run count", actual, maximum: maxRunCount })
  }
  const pages = makePages(connection, path, table)
  const runs: Array<C1zRun> = []
  for (let from: number | undefined = table.firstRow; from !== undefined; ) {
    const page = pages(undefined, from)
    for (const row of page.rows) runs.push(runOf(row, dropped))
    from = page.next
  }
  return runs
}

const runOf = (row: C1zRow, dropped: NameCounts): C1zRun => {
  const endedAt = row.optionalText("ended_at")
  const type = row.optionalText("sync_type") ?? ""
  if (type.length > maxTypeLength) {
    throw row.invalid("sync_type", `it has ${type.length} characters, expected at most ${maxTypeLength}`)
  }
  const parent = row.text("parent_sync_id")
  return {
    row,
    syncId: syncIdOf(row, "sync_id", row.text("sync_id")),
    startedAt: timeOf(row, "started_at", row.text("started_at"), dropped),
    endedAt: endedAt === undefined ? undefined : timeOf(row, "ended_at", endedAt, dropped),
    token: row.text("sync_token"),
    type: type === "" ? noType : type,
    parent: parent === "" ? undefined : syncIdOf(row, "parent_sync_id", parent)
  }
}

const syncIdOf = (row: C1zRow, column: string, text: string): SyncId => {
  const parsed = Ksuid.parse(text)
  if (Result.isFailure(parsed)) throw row.invalid(column, `it is no KSUID: ${parsed.failure.message}`)
  return parsed.success
}

/** Characters of a wrong value that an error repeats. */
const shownLength = 64

/** The time in a column, in microseconds since 1970 UTC. What is finer is counted as dropped. Throws `C1zRowInvalid`. */
export const timeOf = (row: C1zRow, column: string, text: string, dropped: NameCounts): number => {
  const time = parseTime(text)
  if (time === undefined) {
    const expected = "a time like 2025-12-17 16:31:25.057185 from 1685 to 2255"
    throw row.invalid(column, `it is ${JSON.stringify(text.slice(0, shownLength))}, expected ${expected}`)
  }
  if (time.isCut) dropped.add(`${row.table}.${column} below a microsecond`)
  return time.micros
}
