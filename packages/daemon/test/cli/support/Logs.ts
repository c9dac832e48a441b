/** Logs for tests, and what a store of them looks like on disk. */

import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert } from "@effect/vitest"
import type { EngineName } from "../../support/LiveStore.ts"
import { repository } from "./Command.ts"

/** A real log, 1,133 lines; undefined where the folder is absent. */
export const transactions: string | undefined = [
  Path.join(repository, "../shared/data/ethereum/transactions.ndjson")
].find((path) => Fs.existsSync(path))

/** Lines `from` (inclusive) to `to` (exclusive) of a log: each is different and says its number. */
export const lines = (from: number, to: number): ReadonlyArray<string> =>
  Array.from({ length: to - from }, (_, index) => {
    const seq = from + index
    const noise = Math.imul(seq + 1, 0x9e37_79b1) >>> 0
    return JSON.stringify({ seq, actor: `user-${noise % 97}`, text: noise.toString(36).repeat(1 + (noise % 23)) })
  })

/** Lines as a file holds them. */
export const textOf = (all: ReadonlyArray<string>): string => all.map((line) => `${line}\n`).join("")

/** Every file below a directory, relative to it, in order. */
export const filesBelow = (directory: string): ReadonlyArray<string> =>
  Fs.readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => Path.relative(directory, Path.join(entry.parentPath, entry.name)))
    .sort()

const databaseFiles: Record<EngineName, ReadonlyArray<string>> = {
  sqlite: ["LOCK", "data.sqlite"],
  lmdb: ["LOCK", "data.mdb", "data.mdb-lock"]
}

/** The files of a settled store with so many entries: nothing may be missing, and nothing else may lie there. */
export const settledFiles = (options: {
  readonly engine: EngineName
  readonly entryCount: number
  readonly entriesPerChunk: number
}): ReadonlyArray<string> => {
  const frozenCount = Math.floor(options.entryCount / options.entriesPerChunk)
  const database = (directory: string) => databaseFiles[options.engine].map((name) => `${directory}/${name}`)
  const name = (chunk: number) => String(chunk).padStart(8, "0")
  return [
    ...["", "entries/", "events/", "hot/", "keys/"].map((tree) => `${tree}icecore.lock`),
    ...database("catalog"),
    ...Array.from({ length: frozenCount }, (_, chunk) => `entries/00000/${name(chunk)}.pack`),
    ...database(`hot/${name(frozenCount)}`)
  ].sort()
}

/** Asserts that two buffers are equal, without printing them. */
export const assertSameBytes = (actual: Uint8Array, expected: Uint8Array, what: string): void => {
  if (Buffer.compare(actual, expected) === 0) return
  let at = 0
  while (at < actual.length && actual[at] === expected[at]) at++
  const near = (bytes: Uint8Array) =>
    JSON.stringify(Buffer.from(bytes.subarray(Math.max(0, at - 40), at + 40)).toString())
  assert.fail(
    `${what}: ${actual.length} bytes, expected ${expected.length}; they differ at ${at}: ${near(actual)}, expected ${near(expected)}`
  )
}
