/** Random keys, values, ranges and batches that meet often: few keys, many of them prefixes or neighbours of others. */
import { SurvivorChoice } from "@icecore/packfile/testing"
import { maxKeySizeBytes } from "../../Engine.ts"
import type { ModelChange, ModelRange, ModelRow } from "./Model.ts"

const alphabet = ["\x00", "\x01", "a", "\x7f", "\x80", "\xff"]

export interface RandomChoices {
  /** Uniform in [0, bound). */
  readonly nextInt: (bound: number) => number
  readonly pick: <A>(choices: ReadonlyArray<A>) => A
  readonly key: () => string
  /** Unique, mostly short; one in a hundred is some tens of kilobytes. */
  readonly value: () => string
  readonly range: () => ModelRange
  readonly changes: () => ReadonlyArray<ModelChange>
  /** Up to 20 rows with distinct keys, ascending. */
  readonly rows: (isWanted: (key: string) => boolean) => ReadonlyArray<ModelRow>
}

export const makeRandomChoices = (seed: number, keyspaces: ReadonlyArray<string>): RandomChoices => {
  const next = SurvivorChoice.generator(seed)
  let valueCount = 0

  const nextInt = (bound: number): number => Math.floor((next() / 0x1_0000_0000) * bound)
  const pick = <A>(choices: ReadonlyArray<A>): A => choices[nextInt(choices.length)]!
  const some = (count: number): string => Array.from({ length: count }, () => pick(alphabet)).join("")
  const key = (): string => (nextInt(50) === 0 ? some(1).padEnd(maxKeySizeBytes, "x") : some(1 + nextInt(3)))
  const value = (): string => {
    if (nextInt(20) === 0) return ""
    const unique = `${valueCount++}`
    return nextInt(100) === 0 ? unique.padEnd(10_000 + nextInt(50_000), "y") : unique
  }

  const range = (): ModelRange => ({
    ...(nextInt(4) === 0 ? { gte: some(nextInt(3)) } : {}),
    ...(nextInt(4) === 0 ? { gt: some(nextInt(3)) } : {}),
    ...(nextInt(4) === 0 ? { lte: some(nextInt(3)) } : {}),
    ...(nextInt(4) === 0 ? { lt: some(nextInt(3)) } : {}),
    ...(nextInt(4) === 0 ? { prefix: some(nextInt(3)) } : {})
  })

  const change = (): ModelChange => {
    const keyspace = pick(keyspaces)
    const kind = nextInt(10)
    if (kind < 7) return { kind: "put", keyspace, key: key(), value: value() }
    if (kind < 9) return { kind: "delete", keyspace, key: key() }
    return { kind: "deleteRange", keyspace, range: { ...range(), prefix: some(1) } }
  }

  return {
    nextInt,
    pick,
    key,
    value,
    range,
    changes: () => Array.from({ length: 1 + nextInt(8) }, change),
    rows: (isWanted) =>
      [...new Set(Array.from({ length: nextInt(20) }, key))]
        .filter(isWanted)
        .sort()
        .map((each): ModelRow => [each, value()])
  }
}
