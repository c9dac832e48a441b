/** The runs of an index build: pages of bounded memory, refilled from few open files, checked as they are read. */
import { Crc32c } from "@icecore/codec"
import { Effect, type Scope } from "effect"
import type { Disk, DiskError, File } from "../Disk.ts"
import * as Format from "../format/KeyRunFormat.ts"
import type { KeyRunCorrupt } from "../KeyError.ts"
import * as RunMerge from "../kernel/RunMerge.ts"
import * as RunRows from "../kernel/RunRows.ts"
import * as RunFile from "./RunFile.ts"

/** A run to read. */
export interface RunSource {
  readonly path: string
  readonly expected?: RunFile.ExpectedRun
}

/** Offsets that rows may have, both inclusive. */
export interface OffsetBounds {
  readonly minOffset: number
  readonly maxOffset: number
}

export interface RunInputLimits {
  /** Bytes of all pages together; more when that is less than two batches of rows of each run. */
  readonly pagesSizeBytes: number
  /** Files that stay open; the others are opened for each read. */
  readonly openFiles: number
  /** Rows of a batch. */
  readonly batchRows: number
}

/** A run under way. */
interface RunState {
  readonly source: RunSource
  readonly page: Uint8Array
  /** Undefined when it is opened for each read. */
  file: File | undefined
  rowCount: number
  rowsRead: number
  checksum: number
}

export interface RunInput {
  readonly pages: RunMerge.RunPages
  /** Rows of all runs. */
  readonly rowCount: number
  /** Reads on in every run that could not give its share of a batch, and checks what it reads. */
  readonly refill: Effect.Effect<void, KeyRunCorrupt | DiskError>
}

/** One page is never larger. */
const maxPageSizeBytes: number = 1024 * 1024

/**
 * What the pages of files that stay open get, when there are others.
 *
 * PERF: opening and closing a file takes 50 to 100 us, reading on in an open one 5: of 1,000 runs of 10,000 keys a key takes 165 ns when all stay
 * open, 200 when half of them do, 230 to 270 when a quarter does. Larger pages for the others save a third of what they cost.
 */
const openShare = 0.25

/** Opens all runs, one after the other, checks their sizes and reads their first pages. Offsets must be within the bounds, both inclusive. */
export const open: (
  disk: Disk,
  sources: ReadonlyArray<RunSource>,
  bounds: OffsetBounds,
  limits: RunInputLimits
) => Effect.Effect<RunInput, KeyRunCorrupt | DiskError, Scope.Scope> = Effect.fnUntraced(function* (
  disk: Disk,
  sources: ReadonlyArray<RunSource>,
  bounds: OffsetBounds,
  limits: RunInputLimits
) {
  const rowsPerRun = RunMerge.rowsPerRun(limits.batchRows, sources.length)
  const runs = makeStates(sources, rowsPerRun, limits)
  const pages = RunMerge.makePages(runs.map(({ page }) => page))
  let rowCount = 0
  for (const [at, run] of runs.entries()) {
    const begin = Effect.flatMap(disk.open(run.source.path, "read"), (file) => beginRun(pages, at, run, file, bounds))
    if (at < limits.openFiles) run.file = yield* begin
    else yield* Effect.scoped(begin)
    rowCount += run.rowCount
  }
  const refill = Effect.gen(function* () {
    for (let at = nextHungry(pages, rowsPerRun, 0); at >= 0; at = nextHungry(pages, rowsPerRun, at + 1)) {
      const run = runs[at]!
      yield* run.file === undefined
        ? Effect.scoped(
            Effect.flatMap(disk.open(run.source.path, "read"), (file) => readOn(pages, at, run, file, bounds))
          )
        : readOn(pages, at, run, run.file, bounds)
    }
  })
  return { pages, rowCount, refill }
})

/** Shares one buffer out to pages. What is never read into takes no memory. */
const makeStates = (
  sources: ReadonlyArray<RunSource>,
  rowsPerRun: number,
  { openFiles, pagesSizeBytes }: RunInputLimits
): ReadonlyArray<RunState> => {
  const openCount = Math.min(openFiles, sources.length)
  const otherCount = sources.length - openCount
  const openBytes = otherCount === 0 ? pagesSizeBytes : pagesSizeBytes * openShare
  const openPageBytes = pageSizeOf(openBytes / openCount, rowsPerRun)
  const otherPageBytes = pageSizeOf((pagesSizeBytes - openBytes) / otherCount, rowsPerRun)
  const buffer = new Uint8Array(openCount * openPageBytes + otherCount * otherPageBytes)
  let start = 0
  return sources.map((source, at) => {
    const page = buffer.subarray(start, start + (at < openCount ? openPageBytes : otherPageBytes))
    start += page.length
    return { source, page, file: undefined, rowCount: 0, rowsRead: 0, checksum: 0 }
  })
}

/** Whole rows and the one before them; 0 where there is no page to share the bytes out to. */
const pageSizeOf = (sizeBytes: number, rowsPerRun: number): number =>
  Number.isFinite(sizeBytes)
    ? Format.rowSizeBytes *
      (1 + Math.max(2 * rowsPerRun, Math.floor(Math.min(sizeBytes, maxPageSizeBytes) / Format.rowSizeBytes)))
    : 0

/** Checks the size of a run that has just been opened, and fills its page. */
const beginRun: (
  pages: RunMerge.RunPages,
  at: number,
  run: RunState,
  file: File,
  bounds: OffsetBounds
) => Effect.Effect<File, KeyRunCorrupt | DiskError> = Effect.fnUntraced(function* (
  pages: RunMerge.RunPages,
  at: number,
  run: RunState,
  file: File,
  bounds: OffsetBounds
) {
  run.rowCount = yield* RunFile.rowCountOf(file, run.source.expected)
  const header = new Uint8Array(Format.headerSizeBytes)
  Format.encodeHeader(new DataView(header.buffer), run.rowCount)
  run.checksum = Crc32c.checksum(header)
  yield* readOn(pages, at, run, file, bounds)
  return file
})

/** The first run from `start` on whose page may end before its share of a batch; −1 when there is none. */
const nextHungry = ({ end, isLast, next }: RunMerge.RunPages, rowsPerRun: number, start: number): number => {
  const wantedBytes = rowsPerRun * Format.rowSizeBytes
  for (let run = start; run < next.length; run++) {
    if (isLast[run] === 0 && end[run]! - next[run]! < wantedBytes) return run
  }
  return -1
}

/** Moves the rows that are left, and the one before them, to the front of the page and reads as many as it then has room for. */
const readOn: (
  pages: RunMerge.RunPages,
  at: number,
  run: RunState,
  file: File,
  bounds: OffsetBounds
) => Effect.Effect<void, KeyRunCorrupt | DiskError> = Effect.fnUntraced(function* (
  pages: RunMerge.RunPages,
  at: number,
  run: RunState,
  file: File,
  bounds: OffsetBounds
) {
  const { page } = run
  const keptFrom = pages.next[at]! - Format.rowSizeBytes
  const leftBytes = pages.end[at]! - keptFrom
  page.copyWithin(0, keptFrom, pages.end[at]!)
  const roomRows = Math.floor((page.length - leftBytes) / Format.rowSizeBytes)
  const rows = Math.min(roomRows, run.rowCount - run.rowsRead)
  const target = page.subarray(leftBytes, leftBytes + rows * Format.rowSizeBytes)
  yield* file.readAt(target, Format.offsetOfRow(run.rowsRead))
  yield* checkRows(pages.views[at]!, leftBytes, leftBytes + target.length, run, bounds)
  run.checksum = Crc32c.update(run.checksum, target)
  run.rowsRead += rows
  pages.next[at] = Format.rowSizeBytes
  pages.end[at] = leftBytes + target.length
  if (run.rowsRead < run.rowCount) return
  pages.isLast[at] = 1
  yield* checked(run)
})

/** Rows that have just been read must come after those before them, and have offsets within the bounds. */
const checkRows = (
  view: DataView,
  start: number,
  end: number,
  { rowsRead, source }: RunState,
  bounds: OffsetBounds
): Effect.Effect<void, KeyRunCorrupt> => {
  const offsetOf = (at: number): number => Format.offsetOfRow(rowsRead) + at - start
  const disorder = RunRows.firstDisorder(view, start, end)
  if (disorder >= 0) return Effect.fail(RunFile.orderFault(source.path, offsetOf(disorder)))
  const outside = RunRows.firstOutside(view, start, end, bounds.minOffset, bounds.maxOffset)
  if (outside < 0) return Effect.void
  const offset = RunRows.offsetOf(view, outside)
  return Effect.fail(RunFile.offsetFault(source.path, offsetOf(outside) + Format.offsetAt, offset, bounds))
}

/** The run has been read whole. */
const checked = ({ checksum, source }: RunState): Effect.Effect<void, KeyRunCorrupt> =>
  source.expected === undefined || source.expected.checksum === checksum
    ? Effect.void
    : Effect.fail(RunFile.checksumFault(source.path, source.expected.checksum, checksum))
