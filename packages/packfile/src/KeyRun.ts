/**
 * The sorted keys of one chunk: what the key index of a window is merged from, and searched itself until there is one.
 *
 * The format has no checksum. Whoever keeps one of the whole file beside it passes it to {@link open}, and damage is then never
 * mistaken for a key that is not there.
 */
import { Crc32c } from "@icecore/codec"
import { Effect, Option, type Scope, Semaphore, Stream } from "effect"
import { Disk, type DiskError, type File } from "./Disk.ts"
import * as Format from "./format/KeyRunFormat.ts"
import * as NewFile from "./internal/NewFile.ts"
import * as RunFile from "./internal/RunFile.ts"
import type { KeyRunCorrupt } from "./KeyError.ts"
import * as RunRows from "./kernel/RunRows.ts"
import * as RunSorter from "./kernel/RunSorter.ts"

export type { ExpectedRun } from "./internal/RunFile.ts"

/** Bytes of a key that runs and indexes hold: its first ones. */
export const prefixSizeBytes: number = Format.prefixSizeBytes

/** What a run holds. */
export interface RunSummary {
  readonly keyCount: number
  /** CRC32C of the whole file. */
  readonly checksum: number
  readonly sizeBytes: number
}

/** Collects the keys of a chunk, in any order, in 20 bytes each and 2 MiB. */
export interface RunBuilder {
  /**
   * Adds the first {@link prefixSizeBytes} bytes of `key`, with the entry's seq as an offset from the first seq of its window, 0 to
   * 2^32 − 1. The same prefix and offset twice are one row. The buffer may be reused.
   */
  readonly add: (key: Uint8Array, offset: number) => void
  /**
   * The bytes of the file, the same for the same rows in whatever order they came. Takes another 20 bytes a key, and the builder is
   * spent. Blocks for about 60 ms per million keys.
   */
  readonly finish: () => Uint8Array
  /** The same, letting other fibers run every few milliseconds. */
  readonly finishYielding: Effect.Effect<Uint8Array>
}

/** One row of a run. */
export interface RunRow {
  /** The caller's. */
  readonly prefix: Uint8Array
  readonly offset: number
}

/** Both inclusive. */
export interface OffsetBounds {
  readonly minOffset: number
  readonly maxOffset: number
}

/** An open run. Calls may overlap. */
export interface KeyRun {
  readonly path: string
  readonly keyCount: number
  /**
   * The offsets that the prefix of `key` has, ascending; an empty list when there is none. A few reads of 4 KiB. With an expected
   * checksum the first call reads the file whole and holds it against that, so that damage is not taken for absence.
   */
  readonly find: (key: Uint8Array) => Effect.Effect<ReadonlyArray<number>, KeyRunCorrupt | DiskError>
  /** Reads the whole file: count, order, offsets within the bounds, and the checksum when one is expected. */
  readonly verify: (bounds?: OffsetBounds) => Effect.Effect<RunSummary, KeyRunCorrupt | DiskError>
  /** All rows in order, read a page at a time, and their order checked. */
  readonly rows: Stream.Stream<RunRow, KeyRunCorrupt | DiskError>
}

const anyOffset: OffsetBounds = { minOffset: 0, maxOffset: 0xffff_ffff }

/** Rows of one read of {@link KeyRun.find}: 4 KiB. */
const probeRows: number = Math.floor(4096 / Format.rowSizeBytes)
/** Reads that guess where the key lies, before the rest is halved: keys need not be uniform. */
const guessedProbes = 4
/** Rows of one read of everything. */
const pageRows = 13_107
/** Bytes that are written and checksummed at once. */
const writeSizeBytes: number = 1024 * 1024

/** An empty builder. */
export const builder = (): RunBuilder => {
  const sorter = RunSorter.make()
  const finish = (): Uint8Array => {
    const assembly = RunSorter.assemble(sorter)
    let isMore = true
    while (isMore) isMore = RunSorter.step(assembly)
    return RunSorter.bytesOf(assembly)
  }
  const finishYielding = Effect.gen(function* () {
    const assembly = RunSorter.assemble(sorter)
    while (RunSorter.step(assembly)) yield* Effect.yieldNow
    return RunSorter.bytesOf(assembly)
  })
  return { add: (key, offset) => RunSorter.add(sorter, key, offset), finish, finishYielding }
}

/** What a file holds whose bytes are those that {@link RunBuilder.finish} gave. */
export const summarize = (bytes: Uint8Array): RunSummary => ({
  keyCount: Format.decodeHeader(new DataView(bytes.buffer, bytes.byteOffset)),
  checksum: Crc32c.checksum(bytes),
  sizeBytes: bytes.length
})

/**
 * Creates the file, writes `bytes` as {@link RunBuilder.finish} gives them, and syncs it; the directory is the caller's to sync. A failure or an
 * interruption removes the file.
 */
export const write: (path: string, bytes: Uint8Array) => Effect.Effect<RunSummary, DiskError, Disk> = Effect.fn(
  "KeyRun.write"
)(function* (path: string, bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const checksum = yield* NewFile.create(
    path,
    Effect.fnUntraced(function* (file: File) {
      let sum = 0
      for (let start = 0; start < bytes.length; start += writeSizeBytes) {
        const piece = bytes.subarray(start, start + writeSizeBytes)
        sum = Crc32c.update(sum, piece)
        yield* file.writeAt(piece, start)
      }
      return sum
    })
  )
  return { keyCount: Format.decodeHeader(view), checksum, sizeBytes: bytes.length }
})

/** Opens a run for the scope. With `expected` its count is checked at once, its checksum by the first {@link KeyRun.find} and by {@link KeyRun.verify}. */
export const open: (
  path: string,
  expected?: RunFile.ExpectedRun
) => Effect.Effect<KeyRun, KeyRunCorrupt | DiskError, Disk | Scope.Scope> = Effect.fn("KeyRun.open")(function* (
  path: string,
  expected?: RunFile.ExpectedRun
) {
  const disk = yield* Disk
  const file = yield* disk.open(path, "read")
  const keyCount = yield* RunFile.rowCountOf(file, expected)
  return makeKeyRun(file, keyCount, expected)
})

const makeKeyRun = (file: File, keyCount: number, expected: RunFile.ExpectedRun | undefined): KeyRun => {
  const { path } = file
  let isTrusted = expected === undefined
  const verifyOnce = Semaphore.makeUnsafe(1).withPermit(
    Effect.suspend(() => (isTrusted ? Effect.void : Effect.asVoid(verify())))
  )

  const verify = Effect.fn("KeyRun.verify")(function* (bounds: OffsetBounds = anyOffset) {
    const summary = yield* verifyAll(file, keyCount, bounds)
    if (expected !== undefined && summary.checksum !== expected.checksum) {
      return yield* RunFile.checksumFault(path, expected.checksum, summary.checksum)
    }
    isTrusted = true
    return summary
  })

  const find = Effect.fn("KeyRun.find")(function* (key: Uint8Array) {
    if (!isTrusted) yield* verifyOnce
    const sought = RunRows.prefixView(key)
    return yield* offsetsFrom(file, keyCount, sought, yield* findLowerBound(file, keyCount, sought))
  })

  const pages = Stream.paginate(0, (start: number) =>
    Effect.map(readPage(file, keyCount, start), (page) => {
      const next = start + page.rowCount
      return [rowsOf(page), next < keyCount ? Option.some(next) : Option.none()] as const
    })
  )
  const rows = keyCount === 0 ? Stream.empty : pages

  return { path, keyCount, find, verify, rows }
}

/** Rows that were read together, and before them the last row of the page before. */
interface Page {
  readonly view: DataView
  readonly bytes: Uint8Array
  /** Byte of the first row that is new. */
  readonly start: number
  readonly rowCount: number
}

/** Reads up to a page of rows from row `first` on and checks their order. */
const readPage: (file: File, keyCount: number, first: number) => Effect.Effect<Page, KeyRunCorrupt | DiskError> =
  Effect.fnUntraced(function* (file: File, keyCount: number, first: number) {
    const rowCount = Math.min(pageRows, keyCount - first)
    const rowBefore = Math.max(first - 1, 0)
    const bytes = new Uint8Array((first - rowBefore + rowCount) * Format.rowSizeBytes)
    const view = new DataView(bytes.buffer)
    yield* file.readAt(bytes, Format.offsetOfRow(rowBefore))
    const disorder = RunRows.firstDisorder(view, Format.rowSizeBytes, bytes.length)
    if (disorder >= 0) return yield* RunFile.orderFault(file.path, Format.offsetOfRow(rowBefore) + disorder)
    return { view, bytes, start: (first - rowBefore) * Format.rowSizeBytes, rowCount }
  })

const rowsOf = ({ bytes, start, view }: Page): ReadonlyArray<RunRow> => {
  const rows: Array<RunRow> = []
  for (let at = start; at < bytes.length; at += Format.rowSizeBytes) {
    rows.push({ prefix: bytes.slice(at, at + prefixSizeBytes), offset: RunRows.offsetOf(view, at) })
  }
  return rows
}

const verifyAll: (
  file: File,
  keyCount: number,
  bounds: OffsetBounds
) => Effect.Effect<RunSummary, KeyRunCorrupt | DiskError> = Effect.fnUntraced(function* (
  file: File,
  keyCount: number,
  bounds: OffsetBounds
) {
  const header = new Uint8Array(Format.headerSizeBytes)
  yield* file.readAt(header, 0)
  let checksum = Crc32c.checksum(header)
  for (let first = 0; first < keyCount; first += pageRows) {
    const { bytes, start, view } = yield* readPage(file, keyCount, first)
    checksum = Crc32c.update(checksum, bytes, start)
    const outside = RunRows.firstOutside(view, start, bytes.length, bounds.minOffset, bounds.maxOffset)
    if (outside >= 0) {
      const offsetBytes = Format.offsetOfRow(first) + outside - start + Format.offsetAt
      return yield* RunFile.offsetFault(file.path, offsetBytes, RunRows.offsetOf(view, outside), bounds)
    }
  }
  return { keyCount, checksum, sizeBytes: Format.sizeOf(keyCount) }
})

const readRows = (file: File, first: number, count: number): Effect.Effect<DataView, DiskError> =>
  Effect.suspend(() => {
    const bytes = new Uint8Array(count * Format.rowSizeBytes)
    return Effect.as(file.readAt(bytes, Format.offsetOfRow(first)), new DataView(bytes.buffer))
  })

/**
 * The first row whose prefix is not below the key's. Invariant: rows before `low` are below it, rows from `high` on are not. Where it
 * should lie is guessed from the keys at both ends, later from the middle.
 */
const findLowerBound: (file: File, keyCount: number, key: DataView) => Effect.Effect<number, DiskError> =
  Effect.fnUntraced(function* (file: File, keyCount: number, key: DataView) {
    const sought = RunRows.leadingOf(key, 0)
    let low = 0
    let high = keyCount
    let lowLeading = 0
    let highLeading = 2 ** 32
    for (let probe = 0; high > low; probe++) {
      const share =
        probe < guessedProbes && highLeading > lowLeading ? (sought - lowLeading) / (highLeading - lowLeading) : 0.5
      const guess = low + Math.floor(share * (high - low)) - (probeRows >>> 1)
      const first = Math.max(low, Math.min(guess, high - probeRows))
      const count = Math.min(probeRows, high - first)
      const view = yield* readRows(file, first, count)
      const at = RunRows.lowerBound(view, count, key)
      if (at > 0 && at < count) return first + at
      if (at === 0) {
        high = first
        highLeading = RunRows.leadingOf(view, 0)
      } else {
        low = first + count
        lowLeading = RunRows.leadingOf(view, (count - 1) * Format.rowSizeBytes)
      }
    }
    return low
  })

const offsetsFrom: (
  file: File,
  keyCount: number,
  key: DataView,
  first: number
) => Effect.Effect<ReadonlyArray<number>, DiskError> = Effect.fnUntraced(function* (
  file: File,
  keyCount: number,
  key: DataView,
  first: number
) {
  const offsets: Array<number> = []
  let count = 1
  for (let row = first; row < keyCount; row += count) {
    // A key has one row as a rule.
    count = Math.min(row === first ? 2 : probeRows, keyCount - row)
    const view = yield* readRows(file, row, count)
    for (let at = 0; at < count * Format.rowSizeBytes; at += Format.rowSizeBytes) {
      if (RunRows.comparePrefix(view, at, key) !== 0) return offsets
      offsets.push(RunRows.offsetOf(view, at))
    }
  }
  return offsets
})
