/**
 * Judges an LMDB data file before the library maps it: reading behind the end of a mapped file kills the process.
 *
 * The file may soundly be shorter than its newest meta says: pages at the end that are on the free list may never have
 * been written. So for a short file the free list is read, and each missing page must be on it. Data version 2, on 64-bit
 * little-endian systems:
 *
 *     page header  0  u64 page number, u64 transaction, u16 pad, u16 flags,
 *                     { u16 lower, u16 upper } or u32 pages          flags: 0x01 branch, 0x02 leaf, 0x04 overflow, 0x08 meta
 *     meta        24  u32 magic, u32 version, u64 address, u64 map size,
 *                     2 x { u32 page size, u16 flags, u16 depth, u64 x 4, u64 root }, u64 last page, u64 transaction
 *     tree page   24  u16 node offset (from 24) x lower / 2
 *     node            u16 x 3 page number; or u32 data size, u16 flags (0x01: on overflow pages); u16 key size; key; data
 *     overflow data   u64 first page, u64 transaction, u64 pages
 *
 * The first tree of a meta is the free list, its values are { u64 count, i64 entry x count }: 0 is a gap, a positive entry
 * a page, a negative one the length, negated, of the run of pages that begins at the next entry. The newer of the two metas,
 * at pages 0 and 1, counts.
 */
import type { DiskError, File } from "@icecore/packfile"
import { Effect } from "effect"

const magic = 0xbeef_c0de
const dataVersion = 2
const headerBytes = 24
const metaBytes = 160
const smallestPageBytes = 512
const largestPageBytes = 65_536
const noPage = 0xffff_ffff_ffff_ffffn

const branchFlag = 0x01
const leafFlag = 0x02
const metaFlag = 0x08
const overflowNodeFlag = 0x01

interface Meta {
  readonly pageBytes: number
  readonly freeRoot: bigint
  readonly lastPage: number
  readonly transaction: bigint
}

/** What is wrong with the file; undefined when nothing is. */
export const inspectLmdbFile: (file: File) => Effect.Effect<string | undefined, DiskError> = Effect.fnUntraced(
  function* (file) {
    const fileBytes = yield* file.size
    const first = yield* readMeta(file, fileBytes, 0)
    if (typeof first === "string") return first
    const second = yield* readMeta(file, fileBytes, first.pageBytes)
    if (typeof second === "string") return second
    const newest = second.transaction > first.transaction ? second : first
    const filePages = Math.floor(fileBytes / newest.pageBytes)
    if (filePages > newest.lastPage) return undefined
    const missing = newest.lastPage + 1 - filePages
    const free = yield* freePagesFrom(file, newest, filePages)
    return free === missing
      ? undefined
      : `the file has ${fileBytes} bytes, expected ${(newest.lastPage + 1) * newest.pageBytes}, and the missing pages are in use`
  }
)

const read = (file: File, offsetBytes: number, sizeBytes: number): Effect.Effect<DataView<ArrayBuffer>, DiskError> => {
  const bytes = new Uint8Array(sizeBytes)
  return Effect.as(file.readAt(bytes, offsetBytes), new DataView(bytes.buffer))
}

const readMeta = Effect.fnUntraced(function* (
  file: File,
  fileBytes: number,
  at: number
): Effect.fn.Return<Meta | string, DiskError> {
  if (fileBytes < at + metaBytes) return `the file has ${fileBytes} bytes and ends before the meta page at ${at}`
  const view = yield* read(file, at, metaBytes)
  if (view.getUint32(24, true) !== magic || (view.getUint16(18, true) & metaFlag) === 0) {
    return `the file is not an LMDB database: there is no meta page at ${at}`
  }
  const version = view.getUint32(28, true)
  if (version !== dataVersion) return `the LMDB data version is ${version}, this program knows version ${dataVersion}`
  const pageBytes = view.getUint32(48, true)
  if (pageBytes < smallestPageBytes || pageBytes > largestPageBytes || (pageBytes & (pageBytes - 1)) !== 0) {
    return `the page size in the meta page at ${at} is ${pageBytes}`
  }
  return {
    pageBytes,
    freeRoot: view.getBigUint64(88, true),
    lastPage: Number(view.getBigUint64(144, true)),
    transaction: view.getBigUint64(152, true)
  }
})

/** How many pages at or behind `firstMissing` the free list names; fewer when the list itself cannot be read. */
const freePagesFrom = Effect.fnUntraced(function* (
  file: File,
  { freeRoot, lastPage, pageBytes }: Meta,
  firstMissing: number
): Effect.fn.Return<number, DiskError> {
  if (freeRoot === noPage) return 0
  const free = new Set<number>()
  const waiting = [Number(freeRoot)]
  for (let visited = 0; waiting.length > 0 && visited <= firstMissing; visited++) {
    const page = waiting.pop()!
    if (page >= firstMissing) return 0
    const view = yield* read(file, page * pageBytes, pageBytes)
    for (const node of nodesOf(view)) {
      if (node.child !== undefined) {
        waiting.push(node.child)
        continue
      }
      const at =
        node.overflowPage === undefined ? page * pageBytes + node.dataAt : node.overflowPage * pageBytes + headerBytes
      if (at + node.dataBytes > firstMissing * pageBytes) return 0
      const list = yield* read(file, at, node.dataBytes)
      addListed(list, free, firstMissing, lastPage)
    }
  }
  return free.size
})

/** Adds the pages of one list that lie in the given range, both ends inclusive. */
const addListed = (list: DataView, pages: Set<number>, first: number, last: number): void => {
  const end = Math.min(Number(list.getBigUint64(0, true)), (list.byteLength >> 3) - 1)
  for (let index = 1; index <= end; index++) {
    const entry = Number(list.getBigInt64(index * 8, true))
    if (entry === 0) continue
    let count = 1
    let page = entry
    if (entry < 0) {
      if (++index > end) return
      count = -entry
      page = Number(list.getBigInt64(index * 8, true))
    }
    for (let each = Math.max(page, first); each < page + count && each <= last; each++) pages.add(each)
  }
}

interface Node {
  /** Of a branch. */
  readonly child: number | undefined
  /** Of a leaf: where its data is, in this page or on overflow pages. */
  readonly overflowPage: number | undefined
  readonly dataAt: number
  readonly dataBytes: number
}

/** The nodes of a tree page; none of a page that is not one or whose offsets leave it. */
const nodesOf = (view: DataView): ReadonlyArray<Node> => {
  const flags = view.getUint16(18, true)
  if ((flags & (branchFlag | leafFlag)) === 0) return []
  const count = Math.min(view.getUint16(20, true) >> 1, (view.byteLength - headerBytes) >> 1)
  const nodes: Array<Node> = []
  for (let index = 0; index < count; index++) {
    const at = headerBytes + view.getUint16(headerBytes + index * 2, true)
    if (at + 8 > view.byteLength) return []
    const low = view.getUint32(at, true)
    const nodeFlags = view.getUint16(at + 4, true)
    const dataAt = at + 8 + view.getUint16(at + 6, true)
    if ((flags & branchFlag) !== 0) {
      nodes.push({ child: nodeFlags * 0x1_0000_0000 + low, overflowPage: undefined, dataAt, dataBytes: 0 })
    } else if ((nodeFlags & overflowNodeFlag) === 0) {
      if (low < 8 || dataAt + low > view.byteLength) return []
      nodes.push({ child: undefined, overflowPage: undefined, dataAt, dataBytes: low })
    } else {
      if (low < 8 || dataAt + 8 > view.byteLength) return []
      nodes.push({ child: undefined, overflowPage: Number(view.getBigUint64(dataAt, true)), dataAt, dataBytes: low })
    }
  }
  return nodes
}
