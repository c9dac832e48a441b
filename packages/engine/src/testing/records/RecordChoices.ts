/** Random records, keys and prefixes that meet often: few keys, many of them prefixes or neighbours of others, in values of all sizes. */
import { SurvivorChoice } from "@icecore/packfile/testing"
import type { ModelType } from "./ModelTypes.ts"
import { type ModelRecord, type ModelTable, valueAt } from "./RecordModel.ts"

/** Characters on both sides of every border that an encoding may get wrong: 00 and 01 are escaped, surrogates sort apart. */
const long = "m".repeat(240)
const strings = ["", "a", "a\0", "a\0\0", "a\x01", "\x01", "\x01\x02", "b", "ab", "é", "\uffff", "\u{1f600}", long]
const longStrings = ["p", "q", "r", "s", "t"].map((head) => head.repeat(200))
const numbers = [0, 1, -1, 2, 255, 256, -256, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]
const bytes = [[], [0], [0, 0], [0, 1], [1], [1, 2], [255], [0, 255], Array.from(long, () => 7)].map((each) =>
  Uint8Array.from(each)
)
const bigints = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]
const dates = [0, 1, -1, 1_700_000_000_000, 8_640_000_000_000_000].map((millis) => new Date(millis))

export interface RecordChoices {
  /** Uniform in [0, bound). */
  readonly nextInt: (bound: number) => number
  readonly pick: <A>(choices: ReadonlyArray<A>) => A
  readonly shuffled: <A>(items: ReadonlyArray<A>) => Array<A>
  /** True once in so many times. */
  readonly oneIn: (bound: number) => boolean
  /** A record whose key is one of some dozens, and whose payload no other record has. */
  readonly record: (type: ModelType) => ModelRecord
  /** Up to 12, in which keys repeat. */
  readonly records: (type: ModelType) => ReadonlyArray<ModelRecord>
  /** So many records of the first type with keys of their own, more than a megabyte of them. */
  readonly many: (count: number) => ReadonlyArray<ModelRecord>
  /** The leading values of an index, or of the primary key: mostly of a record that is there. */
  readonly prefix: (type: ModelType, index: string | undefined, table: ModelTable) => ModelRecord
}

export const makeRecordChoices = (seed: number): RecordChoices => {
  const next = SurvivorChoice.generator(seed)
  let payloadCount = 0

  const nextInt = (bound: number): number => Math.floor((next() / 0x1_0000_0000) * bound)
  const pick = <A>(choices: ReadonlyArray<A>): A => choices[nextInt(choices.length)]!
  const oneIn = (bound: number): boolean => nextInt(bound) === 0
  const optional = (name: string, value: () => unknown): ModelRecord => (oneIn(3) ? {} : { [name]: value() })

  /** From nothing over some that fill a block together to one that needs a block of its own. */
  const payload = (): string => {
    const size = pick([0, 0, 40, 200, 200, 700, 1_500, oneIn(10) ? 9_000 : 10])
    return `${payloadCount++}`.padEnd(size, String.fromCharCode(97 + nextInt(26)))
  }

  const thing = (): ModelRecord => ({
    space: pick([...strings.slice(0, 8), longStrings[0]!]),
    number: pick(numbers),
    ...optional("owner", () => pick([...strings, ...longStrings])),
    state: pick(["open", "done", "void"]),
    is_hidden: oneIn(2),
    ...optional("place", () => ({ ...optional("room", () => pick(bytes)), floor: pick(bigints) })),
    ...optional("due", () => pick(dates)),
    payload: payload(),
    discovered_at: nextInt(50)
  })

  const note = (): ModelRecord => ({ id: pick(bytes), on: pick(dates), text: payload() })

  const grant = (): ModelRecord => {
    const entitlement = `group:${pick(["g", "g\0", "h"])}:${pick(["member", "owner"])}`
    const needsExpansion = oneIn(4)
    return {
      external_id: `grant:${nextInt(50)}`,
      entitlement_id: entitlement,
      entitlement_resource_type_id: pick(["group", "role"]),
      entitlement_resource_id: pick(strings),
      principal_resource_type_id: pick(["user", "group"]),
      principal_resource_id: pick([...strings, ...longStrings]),
      sources: oneIn(3) ? { [pick(strings)]: { is_direct: oneIn(2) }, b: { is_direct: true } } : {},
      ...(needsExpansion
        ? { expansion: { entitlement_ids: [pick(strings), entitlement], shallow: oneIn(2), resource_type_ids: [] } }
        : {}),
      needs_expansion: needsExpansion,
      annotations: oneIn(3) ? [{ type: payload(), value: pick(bytes) }] : [],
      discovered_at: nextInt(50)
    }
  }

  const makers: Readonly<Record<string, () => ModelRecord>> = { Thing: thing, Note: note, Grant: grant }
  const record = ({ type }: ModelType): ModelRecord => makers[type.name]!()

  return {
    nextInt,
    pick,
    shuffled: (items) => {
      const order = [...items]
      for (let at = order.length - 1; at > 0; at--) {
        const other = nextInt(at + 1)
        ;[order[at], order[other]] = [order[other]!, order[at]!]
      }
      return order
    },
    oneIn,
    record,
    records: (type) => {
      const made = Array.from({ length: nextInt(8) + (oneIn(20) ? 0 : 1) }, () => record(type))
      // The same key again, with other fields.
      const again = made
        .filter(() => oneIn(4))
        .map((each) => ({
          ...record(type),
          ...Object.fromEntries(type.primaryKey.map((path) => [path, valueAt(each, path)]))
        }))
      return [...made, ...again]
    },
    many: (count) =>
      Array.from({ length: count }, (_, number) => ({
        ...thing(),
        number,
        space: `bulk${nextInt(3)}`,
        payload: `${payloadCount++}`.padEnd(400, "z")
      })),
    prefix: (type, index, table) => {
      const paths = index === undefined ? type.primaryKey : type.indexes[index]!.paths
      const depth = 1 + nextInt(paths.length)
      const there = [...table.values()]
      const sample = there.length === 0 || oneIn(8) ? record(type) : pick(there)
      const prefix: Record<string, unknown> = {}
      for (const path of paths.slice(0, depth)) {
        const value = valueAt(sample, path)
        if (value === undefined) break
        prefix[path] = value
      }
      return prefix
    }
  }
}
