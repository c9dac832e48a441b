/**
 * The layout of an LMDB database of the engine.
 *
 * Each keyspace is a named database of its own name with binary keys. A stored value is
 *
 *     u32 CRC32C of the key's bytes followed by the value's, little-endian | value
 *
 * because LMDB has no checksums. The named database `~icecore`, no keyspace can have that name, holds one row, `layout`,
 * whose value is the one byte of this layout's version.
 *
 * Part of the on-disk format: never change, add a version.
 *
 * {@link inspectMetas} reads LMDB's own file, data version 2 on 64-bit little-endian systems. A file begins with two
 * pages that describe the newest and the second newest state:
 *
 *     page header  0  u64 page number, u64 transaction, u16 pad, u16 flags (0x08: meta), u32
 *     meta        24  u32 magic, u32 version, u64 address, u64 map size,
 *                     2 x { u32 page size, u16 flags, u16 depth, u64 x 5 }, u64 last page, u64 transaction
 */

export const markerName = "~icecore"

export const markerKey: Uint8Array = Uint8Array.of(0x6c, 0x61, 0x79, 0x6f, 0x75, 0x74)

export const layoutVersion = 1

/** Bytes before each stored value. */
export const checksumBytes = 4

const magic = 0xbeef_c0de
const dataVersion = 2
const metaFlag = 0x08
const largestPageBytes = 65_536

/** Up to the end of the second meta, whatever the page size. */
export const headBytes: number = largestPageBytes + 160

interface Meta {
  readonly pageBytes: number
  readonly lastPage: number
  readonly transaction: number
}

/**
 * What is wrong with a data file, judged by its two metas and its size. LMDB maps the file: reading behind its end kills
 * the process, so a file that lacks pages must never be opened.
 */
export const inspectMetas = (head: Uint8Array, fileBytes: number): string | undefined => {
  const first = readMeta(head, 0)
  if (typeof first === "string") return first
  const second = readMeta(head, first.pageBytes)
  if (typeof second === "string") return second
  const newest = second.transaction > first.transaction ? second : first
  const expectedBytes = (newest.lastPage + 1) * newest.pageBytes
  return fileBytes < expectedBytes ? `the file has ${fileBytes} bytes, expected ${expectedBytes}` : undefined
}

const readMeta = (head: Uint8Array, at: number): Meta | string => {
  if (head.length < at + 160) return `the file ends before the meta page at ${at}`
  const view = new DataView(head.buffer, head.byteOffset + at, 160)
  if (view.getUint32(24, true) !== magic || (view.getUint16(18, true) & metaFlag) === 0) {
    return `the file is not an LMDB database: no meta page at ${at}`
  }
  const version = view.getUint32(28, true)
  if (version !== dataVersion) return `the LMDB data version is ${version}, this program knows version ${dataVersion}`
  const pageBytes = view.getUint32(48, true)
  if (pageBytes < 512 || pageBytes > largestPageBytes || (pageBytes & (pageBytes - 1)) !== 0) {
    return `the page size in the meta page at ${at} is ${pageBytes}`
  }
  return {
    pageBytes,
    lastPage: Number(view.getBigUint64(144, true)),
    transaction: Number(view.getBigUint64(152, true))
  }
}
