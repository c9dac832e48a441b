/** Rows, changes and checks that the tests of blocks share. */
import * as assert from "node:assert/strict"
import { SurvivorChoice } from "@icecore/packfile/testing"
import type { Row } from "../src/Engine.ts"
import { targetSizeBytes, varintSize } from "../src/format/BlockFormat.ts"
import { headerSizeBytes } from "../src/format/RecordLayout.ts"
import { compareBytes } from "../src/internal/Bounds.ts"
import * as BlockCursor from "../src/kernel/BlockCursor.ts"
import type { MergeSink } from "../src/kernel/BlockMerge.ts"
import * as RowArena from "../src/kernel/RowArena.ts"

/** One character a byte. */
export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

export const textOf = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

/** The header of a tag in a sync of equal bytes. */
export const headerOf = (tag: number, sync = 7): string =>
  String.fromCharCode(1, tag) + String.fromCharCode(sync).repeat(headerSizeBytes - 2)

export interface Change {
  readonly key: string
  /** Undefined: the key is deleted. */
  readonly value: string | undefined
}

export type Random = (bound: number) => number

export const randomOf = (seed: number): Random => {
  const next = SurvivorChoice.generator(seed)
  return (bound) => Math.floor((next() / 0x1_0000_0000) * bound)
}

const alphabet = ["\x00", "\x01", "a", "b", "\x7f", "\xff"]

/** Few keys that share much, some of them prefixes of others. */
export const randomKey = (random: Random, header: string, depth: number): string => {
  let tail = random(3) === 0 ? "shared-by-many/" : ""
  for (let left = random(depth); left > 0; left--) tail += alphabet[random(alphabet.length)]
  return header + tail
}

export const randomValue = (random: Random): string => {
  const kind = random(20)
  const size = kind === 0 ? 200 + random(400) : kind < 6 ? 0 : random(30)
  return String.fromCharCode(random(256)).repeat(size)
}

export const arenaOf = (changes: ReadonlyArray<Change>): RowArena.RowArena => {
  const arena = RowArena.make(1 << 25)
  for (const { key, value } of changes) {
    const bytes = bytesOf(key)
    assert.notEqual(RowArena.append(arena, value === undefined, bytes, bytes.length, bytesOf(value ?? "")), -1)
  }
  return arena
}

/** The rows of a block, which must be as a writer makes it. */
export const rowsOfBlock = (block: Row, target: number = targetSizeBytes): ReadonlyArray<readonly [string, string]> => {
  const rows: Array<readonly [string, string]> = []
  const cursor = BlockCursor.make()
  BlockCursor.start(cursor, block.key, block.value)
  while (BlockCursor.next(cursor)) {
    const key = textOf(cursor.key.subarray(0, cursor.keySize))
    rows.push([key, textOf(block.value.subarray(cursor.valueStart, cursor.valueEnd))])
  }
  assert.ok(rows.length === 1 || block.value.length <= target, `${rows.length} rows take ${block.value.length} bytes`)
  assert.ok(rows.every(([key]) => key.startsWith(textOf(block.key.subarray(0, headerSizeBytes)))))
  return rows
}

/** The rows of a block as the format has it, made the plain way. */
export const encodePlainly = (rows: ReadonlyArray<readonly [string, string]>): Row => {
  const value: Array<number> = []
  const putVarint = (number: number): void => {
    let left = number
    for (let size = varintSize(number); size > 1; size--, left >>>= 7) value.push((left & 0x7f) | 0x80)
    value.push(left)
  }
  putVarint(rows.length)
  for (const [index, [key, text]] of rows.entries()) {
    if (index > 0) {
      const before = rows[index - 1]![0]
      let shared = 0
      while (shared < before.length && before[shared] === key[shared]) shared++
      putVarint(shared)
      putVarint(key.length - shared)
      value.push(...bytesOf(key.slice(shared)))
    }
    putVarint(text.length)
    value.push(...bytesOf(text))
  }
  return { key: bytesOf(rows[0]![0]), value: Uint8Array.from(value) }
}

/** What a merge told, by key. */
export interface Told {
  readonly sink: MergeSink
  readonly puts: Map<string, Uint8Array>
  /** `insert`, `replace` or `remove`, key, old value: in the order told. */
  readonly events: Array<readonly [string, string, string]>
  /** Whatever happened to blocks, in order. */
  readonly writes: Array<{ readonly key: Uint8Array; readonly value: Uint8Array | undefined }>
}

export const makeTold = (arena: RowArena.RowArena): Told => {
  const puts = new Map<string, Uint8Array>()
  const events: Array<readonly [string, string, string]> = []
  const writes: Array<{ readonly key: Uint8Array; readonly value: Uint8Array | undefined }> = []
  const keyText = (row: number): string => textOf(RowArena.keyOf(arena, row))
  return {
    puts,
    events,
    writes,
    sink: {
      putBlock: (key, value) => {
        puts.set(textOf(key), value)
        writes.push({ key, value })
      },
      deleteBlock: (key) => {
        assert.ok(!puts.has(textOf(key)), "a block is deleted that was put before")
        writes.push({ key, value: undefined })
      },
      onInserted: (row) => void events.push(["insert", keyText(row), ""]),
      onReplaced: (row, bytes, start, end) =>
        void events.push(["replace", keyText(row), textOf(bytes.subarray(start, end))]),
      onRemoved: (row, bytes, start, end) =>
        void events.push(["remove", keyText(row), textOf(bytes.subarray(start, end))])
    }
  }
}

/** What a merge must tell, and what rows there are then. */
export const applyPlainly = (
  model: ReadonlyMap<string, string>,
  changes: ReadonlyArray<Change>
): { readonly next: Map<string, string>; readonly events: ReadonlyArray<readonly [string, string, string]> } => {
  const next = new Map(model)
  const events: Array<readonly [string, string, string]> = []
  const last = new Map(changes.map(({ key, value }) => [key, value]))
  for (const key of [...last.keys()].sort(byBytes)) {
    const value = last.get(key)
    const old = model.get(key)
    if (value !== undefined) {
      events.push(old === undefined ? ["insert", key, ""] : ["replace", key, old])
      next.set(key, value)
    } else if (old !== undefined) {
      events.push(["remove", key, old])
      next.delete(key)
    }
  }
  return { next, events }
}

/** Order of one-byte characters. */
export const byBytes = (left: string, right: string): number => compareBytes(bytesOf(left), bytesOf(right))

export const sortedRows = (model: ReadonlyMap<string, string>): ReadonlyArray<readonly [string, string]> =>
  [...model].sort(([left], [right]) => byBytes(left, right))
