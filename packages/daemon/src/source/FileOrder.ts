/**
 * In which order the files of a log are read: decided from names alone, without a disk.
 */

/** The name without `.gz` or `.zst`: what stays when a finished file is compressed. */
export const logicalName = (name: string): string => name.replace(/\.(gz|zst)$/, "")

/**
 * The files of a directory in reading order: by logical name, in UTF-16 code units. Names that start with a dot are left out. While a
 * file exists both plain and compressed, the plain one stands for both.
 */
export const inDirectory = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  plainFirst(names.filter((name) => !name.startsWith(".")))

/**
 * The rotated files of the log `base` in a directory, oldest first, without `base` itself: names that go on after `base` with
 * `.`, `-` or `_`. A number of one to four digits is a generation, and higher is older (`log.2`, `log.1`). Anything else is
 * taken for a date, and sorts by name, before the generations (`log-20260131`, `log-20260201.gz`).
 */
export const rotated = (base: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  plainFirst(names.filter((name) => name.startsWith(base) && /^[._-]/.test(name.slice(base.length))))
    .filter((name) => logicalName(name) !== base)
    .sort((left, right) => {
      const leftGeneration = generationOf(base, left)
      const rightGeneration = generationOf(base, right)
      if (leftGeneration === undefined && rightGeneration === undefined)
        return byCodeUnit(logicalName(left), logicalName(right))
      return (rightGeneration ?? Number.POSITIVE_INFINITY) - (leftGeneration ?? Number.POSITIVE_INFINITY)
    })

/**
 * What the name of a file beside the log `base` says of its place: a generation, a date, or nothing (`log.bak`), as a copy that
 * somebody made. Generations and dates are each in order among themselves; which of the two comes first, names do not say.
 */
export const placeOf = (base: string, name: string): "generation" | "date" | "none" =>
  generationOf(base, name) !== undefined ? "generation" : /^[._-]\d/.test(name.slice(base.length)) ? "date" : "none"

const plainFirst = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const chosen = new Map<string, string>()
  for (const name of [...names].sort(byCodeUnit)) {
    const logical = logicalName(name)
    // A plain name is a prefix of its compressed ones, so it comes first.
    if (!chosen.has(logical)) chosen.set(logical, name)
  }
  return [...chosen.keys()].sort(byCodeUnit).map((logical) => chosen.get(logical)!)
}

const generationOf = (base: string, name: string): number | undefined => {
  const match = /^\.(\d{1,4})$/.exec(logicalName(name).slice(base.length))
  return match === null ? undefined : Number(match[1])
}

const byCodeUnit = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)
