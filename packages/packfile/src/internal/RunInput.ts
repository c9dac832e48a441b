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

export interface RunInputLimits {
  /** Bytes of all pages together; two batches of rows of each run at least. */
  readonly pagesSizeBytes: number
  /** Files that stay open; the others are opened for each read. */
  readonly openFiles: number
  /** Rows of a batch. */
  readonly batchRows: number
}

/** A run under way. */
interface RunState {
  readonly source: RunSource
  readonly rowCount: number
  /** Open for good, or to be opened for each read. */
  readonly file: File | undefined
  readonly page: Uint8Array
  rowsRead: number
  checksum: number
}

export interface RunInput {
  readonly pages: RunMerge.RunPages
  /** Rows of all runs. */
  readonly rowCount: number
  /** Reads on in every run that could not give its share of a batch. */
  readonly refill: Effect.Effect<void, KeyRunCorrupt | DiskError>
  /** Why the next row of a run must not be. */
  readonly faultOf: (run: number) => KeyRunCorrupt
}

/** One page is never larger. */
const maxPageSizeBytes: number = 1024 * 1024

/** Opens all runs and checks their sizes, one after the other. Offsets must be within the bounds, both inclusive. */
export const open: (
  disk: Disk,
  sources: ReadonlyArray<RunSource>,
  bounds: { readonly minOffset: number; readonly maxOffset: number },
  limits: RunInputLimits
) => Effect.Effect<RunInput, KeyRunCorrupt | DiskError, Scope.Scope> = Effect.fnUntraced(function* (
  disk: Disk,
  sources: ReadonlyArray<RunSource>,
  bounds: { readonly minOffset: number; readonly maxOffset: number },
  limits: RunInputLimits
) {
  const rowsPerRun = RunMerge.rowsPerRun(limits.batchRows, sources.length)
  const pageRows = Math.max(
    2 * rowsPerRun,
    Math.floor(Math.min(limits.pagesSizeBytes / sources.length, maxPageSizeBytes) / Format.rowSizeBytes)
  )
  const runs: Array<RunState> = []
  let rowCount = 0
  for (const source of sources) {
    const run = yield* openRun(disk, source, pageRows, runs.length < limits.openFiles)
    runs.push(run)
    rowCount += run.rowCount
  }
  const views = runs.map(({ page }) => new DataView(page.buffer))
  const pages = RunMerge.makePages(views, bounds.minOffset, bounds.maxOffset)
  const refill = Effect.gen(function* () {
    for (let at = nextHungry(pages, rowsPerRun, 0); at >= 0; at = nextHungry(pages, rowsPerRun, at + 1)) {
      yield* readOn(disk, pages, at, runs[at]!)
    }
  })
  return { pages, rowCount, refill, faultOf: (at) => faultOf(pages, at, runs[at]!) }
})

const openRun: (
  disk: Disk,
  source: RunSource,
  pageRows: number,
  staysOpen: boolean
) => Effect.Effect<RunState, KeyRunCorrupt | DiskError, Scope.Scope> = Effect.fnUntraced(function* (
  disk: Disk,
  source: RunSource,
  pageRows: number,
  staysOpen: boolean
) {
  const read = (file: File): Effect.Effect<number, KeyRunCorrupt | DiskError> =>
    RunFile.rowCountOf(file, source.expected)
  const file = staysOpen ? yield* disk.open(source.path, "read") : undefined
  const rowCount =
    file === undefined ? yield* Effect.scoped(Effect.flatMap(disk.open(source.path, "read"), read)) : yield* read(file)
  const header = new Uint8Array(Format.headerSizeBytes)
  Format.encodeHeader(new DataView(header.buffer), rowCount)
  const page = new Uint8Array(Math.min(pageRows, rowCount) * Format.rowSizeBytes)
  const run = { source, rowCount, file, page, rowsRead: 0, checksum: Crc32c.checksum(header) }
  if (rowCount === 0) yield* checked(run)
  return run
})

/** The first run from `start` on whose page may end before its share of a batch; −1 when there is none. */
const nextHungry = ({ end, isLast, next }: RunMerge.RunPages, rowsPerRun: number, start: number): number => {
  const wantedBytes = rowsPerRun * Format.rowSizeBytes
  for (let run = start; run < next.length; run++) {
    if (isLast[run] === 0 && end[run]! - next[run]! < wantedBytes) return run
  }
  return -1
}

/** Moves the rows that are left to the front of the page and reads as many as it then has room for. */
const readOn: (
  disk: Disk,
  pages: RunMerge.RunPages,
  at: number,
  run: RunState
) => Effect.Effect<void, KeyRunCorrupt | DiskError> = Effect.fnUntraced(function* (
  disk: Disk,
  pages: RunMerge.RunPages,
  at: number,
  run: RunState
) {
  const { page, source } = run
  page.copyWithin(0, pages.next[at]!, pages.end[at]!)
  const leftBytes = pages.end[at]! - pages.next[at]!
  const roomRows = Math.floor((page.length - leftBytes) / Format.rowSizeBytes)
  const rows = Math.min(roomRows, run.rowCount - run.rowsRead)
  const target = page.subarray(leftBytes, leftBytes + rows * Format.rowSizeBytes)
  const offsetBytes = Format.offsetOfRow(run.rowsRead)
  yield* run.file === undefined
    ? Effect.scoped(Effect.flatMap(disk.open(source.path, "read"), (file) => file.readAt(target, offsetBytes)))
    : run.file.readAt(target, offsetBytes)
  run.checksum = Crc32c.update(run.checksum, target)
  run.rowsRead += rows
  pages.next[at] = 0
  pages.end[at] = leftBytes + target.length
  if (run.rowsRead < run.rowCount) return
  pages.isLast[at] = 1
  yield* checked(run)
})

/** The run has been read whole. */
const checked = ({ checksum, source }: RunState): Effect.Effect<void, KeyRunCorrupt> =>
  source.expected === undefined || source.expected.checksum === checksum
    ? Effect.void
    : Effect.fail(RunFile.checksumFault(source.path, source.expected.checksum, checksum))

const faultOf = (pages: RunMerge.RunPages, at: number, run: RunState): KeyRunCorrupt => {
  const aheadRows = (pages.end[at]! - pages.next[at]!) / Format.rowSizeBytes
  const offsetBytes = Format.offsetOfRow(run.rowsRead - aheadRows)
  const offset = RunRows.offsetOf(pages.views[at]!, pages.next[at]!)
  return offset < pages.minOffset || offset > pages.maxOffset
    ? RunFile.offsetFault(run.source.path, offsetBytes + Format.offsetAt, offset, pages)
    : RunFile.orderFault(run.source.path, offsetBytes)
}
