/**
 * What key runs and key indexes say of themselves, for `icecore inspect`.
 */
import {
  type Disk,
  type DiskError,
  KeyIndex,
  type KeyIndexCorrupt,
  KeyRun,
  type KeyRunCorrupt
} from "@icecore/packfile"
import { Effect, type Scope, Stream } from "effect"
import { Hex } from "effect/encoding"
import * as Output from "./Output.ts"

export interface RunReport {
  readonly path: string
  readonly kind: "key run"
  readonly sizeBytes: number
  readonly keyCount: number
  readonly bytesPerKey: number
  /** CRC32C of the file, which the pack of its chunk keeps. */
  readonly checksum: string
  /** The lowest and highest entry that keys lead to, counted from the first of the window; null of a run without keys. */
  readonly offsets: { readonly minimum: number; readonly maximum: number } | null
  /** First bytes of the first and last key. */
  readonly prefixes: { readonly first: string; readonly last: string } | null
  /** Entries with so many keys. */
  readonly keysPerEntry: ReadonlyArray<{ readonly keys: number; readonly entries: number }>
}

/** Entries whose keys are counted, so that memory stays bounded: what a chunk has at most in practice. */
const maxCounted = 1_000_000

/** Reads a run whole. */
export const ofRun: (path: string) => Effect.Effect<RunReport, KeyRunCorrupt | DiskError, Disk | Scope.Scope> =
  Effect.fnUntraced(function* (path: string) {
    const run = yield* KeyRun.open(path)
    const { keyCount, checksum, sizeBytes } = yield* run.verify()
    const counts = new Map<number, number>()
    let minimum = Number.POSITIVE_INFINITY
    let maximum = 0
    let first: Uint8Array | undefined
    let last: Uint8Array | undefined
    yield* Stream.runForEachArray(run.rows, (rows) =>
      Effect.sync(() => {
        first ??= rows[0].prefix
        last = rows[rows.length - 1]!.prefix
        for (const { offset } of rows) {
          minimum = Math.min(minimum, offset)
          maximum = Math.max(maximum, offset)
          const count = counts.get(offset)
          if (count !== undefined || counts.size < maxCounted) counts.set(offset, (count ?? 0) + 1)
        }
      })
    )
    const classes = new Map<number, number>()
    for (const keys of counts.values()) classes.set(keys, (classes.get(keys) ?? 0) + 1)
    return {
      path,
      kind: "key run",
      sizeBytes,
      keyCount,
      bytesPerKey: keyCount === 0 ? 0 : sizeBytes / keyCount,
      checksum: `0x${checksum.toString(16).padStart(8, "0")}`,
      offsets: keyCount === 0 ? null : { minimum, maximum },
      prefixes: first === undefined || last === undefined ? null : { first: Hex.encode(first), last: Hex.encode(last) },
      keysPerEntry: [...classes]
        .map(([keys, entries]) => ({ keys, entries }))
        .sort((left, right) => left.keys - right.keys)
    }
  })

export interface IndexReport extends KeyIndex.IndexHeader {
  readonly path: string
  readonly kind: "key index"
  readonly sizeBytes: number
  readonly bytesPerKey: number
}

/** Reads the header of an index. */
export const ofIndex = (path: string): Effect.Effect<IndexReport, KeyIndexCorrupt | DiskError, Disk | Scope.Scope> =>
  Effect.map(KeyIndex.open(path, { residentLimitBytes: 0 }), ({ header, sizeBytes }) => ({
    path,
    kind: "key index",
    sizeBytes,
    bytesPerKey: header.keyCount === 0 ? 0 : sizeBytes / header.keyCount,
    ...header
  }))

const size = (bytes: number): string => `${Output.formatBytes(bytes)} (${bytes} bytes)`

export const renderRun = (report: RunReport): string =>
  `${Output.pairs([
    ["file", report.path],
    ["kind", report.kind],
    ["size", size(report.sizeBytes)],
    ["keys", `${report.keyCount}, ${report.bytesPerKey.toFixed(2)} bytes each`],
    ["checksum", report.checksum],
    [
      "entries",
      report.offsets === null ? "none" : `${report.offsets.minimum} to ${report.offsets.maximum} of the window`
    ],
    ["prefixes", report.prefixes === null ? "none" : `${report.prefixes.first} to ${report.prefixes.last}`]
  ])}\n${report.keysPerEntry
    .slice(0, maxClasses)
    .map(({ keys, entries }) => `  ${String(keys).padStart(6)} keys  ${String(entries).padStart(8)} entries\n`)
    .join("")}`

/** Classes of entries that people are shown. */
const maxClasses = 32

export const renderIndex = (report: IndexReport): string => {
  const { coverage } = report
  return `${Output.pairs([
    ["file", report.path],
    ["kind", report.kind],
    ["size", size(report.sizeBytes)],
    ["keys", `${report.keyCount}, ${report.bytesPerKey.toFixed(2)} bytes each`],
    ["duplicates", `${report.duplicates}, ${report.duplicateCount} left out`],
    ["coverage", `chunks ${coverage.lo} to ${coverage.hi} of window ${coverage.window}`],
    ["entries", `${report.coverageFirstSeq} to ${report.coverageLastSeq}, ${report.payloadSizeBytes} bytes each`],
    ["blocks", `${report.blockCount} of up to ${report.keysPerBlock} keys`]
  ])}\n`
}
