/** What became of the rows of an older archive: how many were read, how many are records, and what no record field holds. */

/** The rows of one table. */
export interface TableReport {
  readonly rowCount: number
  /** Rows that are records. */
  readonly translatedCount: number
  /** Rows of a sync that has no run: they are in no sync, and not translated. */
  readonly withoutRunCount: number
  /** Rows whose record a later row of the same sync with the same key replaced: 0 unless the archive breaks its own keys. */
  readonly replacedCount: number
  /** Records that carry what their fields do not hold as an annotation of a reserved type. */
  readonly annotatedCount: number
}

/** Plain JSON. */
export interface C1zReport {
  /** By table: those that are translated. */
  readonly tables: Readonly<Record<string, TableReport>>
  /** What is kept in annotations of reserved types: how often, by message and field. A field of no known name is `#` and its number. */
  readonly kept: Readonly<Record<string, number>>
  /**
   * What is not in the records: how often, by table, or by table and column. Other tables count their rows; other columns
   * the rows that have something in them.
   */
  readonly dropped: Readonly<Record<string, number>>
}

/** Counts by name. Hostile archives have any number of names: those after the first thousand are counted as one. */
export interface NameCounts {
  readonly add: (name: string, count?: number) => void
  readonly toRecord: () => Readonly<Record<string, number>>
}

const maxNameCount = 1_000

export const makeNameCounts = (): NameCounts => {
  const counts = new Map<string, number>()
  return {
    add: (name, count = 1) => {
      const counted = counts.has(name) || counts.size < maxNameCount ? name : "…"
      counts.set(counted, (counts.get(counted) ?? 0) + count)
    },
    toRecord: () => Object.fromEntries([...counts].sort(([left], [right]) => (left < right ? -1 : 1)))
  }
}
