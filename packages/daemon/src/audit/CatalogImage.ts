/**
 * The rows of a catalog as they lie in its database, read through the engine port and understood by the audit itself.
 *
 * Rows are streamed: what is held is the pins, the hot chunks and a few numbers.
 */
import type { EngineReadError, Reader } from "@icecore/engine"
import { Effect, Option, Stream } from "effect"
import * as AuditFinding from "./AuditFinding.ts"
import * as Names from "./Names.ts"

/** Name of the keyspace that holds the rows. */
export const keyspace = "catalog"

const encoder = new TextEncoder()

/** Everything of the store that has rows, at a glance. */
export interface Overview {
  readonly numbers: Names.Numbers
  /** Chunks that have a `ready` hot database, ascending. */
  readonly ready: ReadonlyArray<number>
  /** Keys of hot databases that are being made or removed, ascending. */
  readonly transient: ReadonlyArray<string>
  /** The last chunk whose entries are frozen; −1: none. */
  readonly lastFrozen: number
  /** Chunks that have rows of artifacts. */
  readonly chunkCount: number
}

/** The states of what one chunk has. */
export interface ChunkStates {
  readonly chunk: number
  readonly states: Readonly<Partial<Record<Names.Kind, Names.ChunkRow["state"]>>>
}

/** All rows below a prefix that are understood; the others are {@link overview}'s to tell. */
const rows = (reader: Reader, prefix: string): Stream.Stream<Names.CatalogRow, EngineReadError> =>
  reader.scan(keyspace, { prefix: encoder.encode(prefix) }).pipe(
    Stream.map(({ key, value }) => Names.parseRow(key, value)),
    Stream.filter((row) => typeof row !== "string")
  )

/** Chunks that have a row, ascending. */
export const chunks = (reader: Reader): Stream.Stream<ChunkStates, EngineReadError> =>
  rows(reader, "chunk:").pipe(
    Stream.filter((row) => row.family === "chunk"),
    Stream.groupAdjacentBy((row) => row.chunk),
    Stream.map(([chunk, found]) => ({
      chunk,
      states: Object.fromEntries(found.map(({ kind, state }) => [kind, state]))
    }))
  )

/** Rows of indexes, of one window or of all, by window and first chunk. */
export const indexes = (reader: Reader, window?: number): Stream.Stream<Names.IndexRow, EngineReadError> =>
  rows(reader, window === undefined ? "index:" : `index:${String(window).padStart(8, "0")}:`).pipe(
    Stream.filter((row) => row.family === "index")
  )

/** Whether there is a row with this key. */
export const has = (reader: Reader, text: string): Effect.Effect<boolean, EngineReadError> =>
  Effect.map(reader.get(keyspace, encoder.encode(text)), Option.isSome)

const decimal = (text: string | undefined): number | undefined => {
  const value = text !== undefined && /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : undefined
}

const numbersOf = (pins: ReadonlyMap<string, string>): Names.Numbers | string => {
  const number = (name: string) => decimal(pins.get(name))
  const firstSeq = number("first_seq")
  const entriesPerChunk = number("entries_per_chunk")
  const chunksPerWindow = number("chunks_per_window")
  const earliestSeq = number("earliest_seq")
  if (firstSeq === undefined) return "first_seq"
  if (entriesPerChunk === undefined || entriesPerChunk < 1) return "entries_per_chunk"
  if (chunksPerWindow === undefined || chunksPerWindow < 1) return "chunks_per_window"
  if (earliestSeq === undefined || earliestSeq < firstSeq) return "earliest_seq"
  const beginSeq = pins.has("begin_seq") ? number("begin_seq") : earliestSeq
  if (beginSeq === undefined) return "begin_seq"
  return { firstSeq, entriesPerChunk, chunksPerWindow, earliestSeq, beginSeq }
}

/** Reads every row once. None when the pins cannot be understood, so that nothing else can; the findings say why. */
export const overview: (
  reader: Reader,
  path: string
) => Effect.Effect<
  { readonly overview: Option.Option<Overview>; readonly findings: ReadonlyArray<AuditFinding.AuditFinding> },
  EngineReadError
> = Effect.fnUntraced(function* (reader: Reader, path: string) {
  const findings: Array<AuditFinding.AuditFinding> = []
  const catalogFault = (message: string, key?: string): void => {
    findings.push(AuditFinding.make({ invariant: "I2", fault: "catalog", path, message, ...(key ? { key } : {}) }))
  }
  const pins = new Map<string, string>()
  const ready: Array<number> = []
  const transient: Array<string> = []
  let lastFrozen = -1
  let chunkCount = 0
  let lastChunk = -1
  yield* Stream.runForEachArray(reader.scan(keyspace), (found) =>
    Effect.sync(() => {
      for (const { key, value } of found) {
        const row = Names.parseRow(key, value)
        if (typeof row === "string") {
          const text = String.fromCharCode(...key.subarray(0, 256))
          catalogFault(`Cannot understand row ${JSON.stringify(text)} of ${path}: ${row}`, text)
        } else if (row.family === "config") pins.set(row.name, row.value)
        else if (row.family === "hot") {
          if (row.state === "ready") ready.push(row.chunk)
          else transient.push(row.text)
        } else if (row.family === "chunk") {
          if (row.chunk !== lastChunk) chunkCount++
          lastChunk = row.chunk
          if (row.kind === "entries" && row.state === "frozen") lastFrozen = row.chunk
        }
      }
    })
  )
  const numbers = numbersOf(pins)
  if (typeof numbers === "string") {
    catalogFault(`Cannot read pin ${numbers} of ${path}: it is ${pins.get(numbers) ?? "missing"}`, `config:${numbers}`)
    return { overview: Option.none(), findings }
  }
  return { overview: Option.some({ numbers, ready, transient, lastFrozen, chunkCount }), findings }
})
