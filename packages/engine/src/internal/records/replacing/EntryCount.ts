/** How many entries an index has for so many records. */
import type { RecordShape } from "@icecore/codec"
import type * as RecordType from "../../../RecordType.ts"

export interface EntryCount {
  readonly type: RecordType.Any
  /** The name of the index. */
  readonly index: string
  readonly recordCount: number
  readonly entryCount: number
}

/** What is wrong with the number of entries: more than records, or fewer where every record has one. */
export const entryCountProblem = ({ entryCount, index, recordCount, type }: EntryCount): string | undefined => {
  if (entryCount === recordCount || (entryCount < recordCount && !isTotal(type, index))) return undefined
  const expected = isTotal(type, index) ? recordCount : `at most ${recordCount}`
  return `index ${index} of record type ${type.name} has ${entryCount} entries, expected ${expected}`
}

/** Whether every record of the type has an entry. */
const isTotal = ({ indexes, shape }: RecordType.Any, name: string): boolean => {
  const { paths, where } = indexes[name]!
  return where === undefined && paths.every((path) => isAlwaysThere(shape, path.split(".")))
}

const isAlwaysThere = ({ fields }: RecordShape.Struct, [name, ...rest]: ReadonlyArray<string>): boolean => {
  const field = fields.find((each) => each.name === name)
  if (field === undefined || field.optional || field.shape.kind === "nullable") return false
  return rest.length === 0 || (field.shape.kind === "struct" && isAlwaysThere(field.shape, rest))
}
