/**
 * The outside of a zstd frame (RFC 8878, section 3.1.1): its header and the walk over its blocks, without decoding.
 *
 * ```
 * magic 28 B5 2F FD
 * descriptor u8    bits 7-6 size of the content size field, 5 single segment, 4 unused (zero), 3 reserved (zero),
 *                  2 checksum, 1-0 size of the dictionary id (0, 1, 2, 4 bytes)
 * [window u8]      unless single segment
 * [dictionary id]
 * [content size]   0 (1 when single segment), 2 (value − 256), 4 or 8 bytes
 * blocks           u24: bit 0 last, bits 2-1 type (0 raw, 1 repeated byte, 2 compressed, 3 reserved), bits 23-3 size
 * [checksum u32]   low half of XXH64 of the content
 * ```
 *
 * Little-endian. Example, the frame of one zero byte: `28b52ffd 24 01 090000 00 682705db`: single segment with checksum, content
 * size 1, one last raw block of 1 byte, the byte, the checksum.
 *
 * The libraries are not asked about any of this: node:zlib takes a truncated frame for a whole one.
 */

const magic = 0xfd2f_b528
const skippableMagic = 0x184d_2a50
export const blockHeaderSizeBytes = 3
export const checksumSizeBytes = 4
/** What a block is stored in, and decodes to, at most. */
export const maxBlockSizeBytes: number = 128 * 1024
const descriptorAt = 4
const checksumFlag = 0x04
const singleSegmentFlag = 0x20
/** Bits 4 and 3. Decoders ignore the first of them, so that nothing but this check would notice it flipped. */
const zeroFlags = 0x18

/** What the header says. */
export interface FrameHeader {
  readonly kind: "header"
  readonly headerSizeBytes: number
  /** Undefined when the header declares none. A declared size over 2^53 − 1 is rounded, and over any cap. */
  readonly contentSizeBytes: number | undefined
  readonly windowSizeBytes: number
  readonly hasChecksum: boolean
}

/** Why bytes are not one whole frame. */
export interface FrameFault {
  readonly kind: "fault"
  readonly fault: "header" | "truncated" | "content"
  readonly detail: string
}

/** What the header of a block says. */
export interface FrameBlock {
  readonly kind: "block"
  /** Without its header. */
  readonly storedSizeBytes: number
  readonly isLast: boolean
}

/** Where the frame at the start of the walked bytes ends. */
export interface FrameEnd {
  readonly kind: "end"
  readonly sizeBytes: number
}

const fault = (fault: FrameFault["fault"], detail: string): FrameFault => ({ kind: "fault", fault, detail })

const truncated = (bytes: Uint8Array, inside: string): FrameFault =>
  fault("truncated", `its ${bytes.length} bytes end within ${inside}`)

const readUint = (bytes: Uint8Array, at: number, sizeBytes: number): number => {
  let value = 0
  for (let index = sizeBytes - 1; index >= 0; index--) value = value * 256 + bytes[at + index]!
  return value
}

const contentSizeFieldBytes = (descriptor: number): number => {
  const flag = descriptor >>> 6
  return flag === 0 ? (descriptor & singleSegmentFlag) >>> 5 : 1 << flag
}

/** Parses the header of the frame that `bytes` begin with. */
export const parseHeader = (bytes: Uint8Array): FrameHeader | FrameFault => {
  if (bytes.length < descriptorAt + 1) return truncated(bytes, "the header")
  const found = readUint(bytes, 0, 4)
  if (found !== magic) {
    const isSkippable = found - (found % 16) === skippableMagic
    return fault("header", isSkippable ? "it is a skippable frame" : `its magic is 0x${found.toString(16)}`)
  }
  const descriptor = bytes[descriptorAt]!
  if ((descriptor & zeroFlags) !== 0) return fault("header", "a bit of its header is set that must be zero")
  const isSingleSegment = (descriptor & singleSegmentFlag) !== 0
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3]!
  const windowAt = descriptorAt + 1
  const dictionaryIdAt = windowAt + (isSingleSegment ? 0 : 1)
  const contentSizeAt = dictionaryIdAt + dictionaryIdBytes
  const contentSizeBytes = contentSizeFieldBytes(descriptor)
  const headerSizeBytes = contentSizeAt + contentSizeBytes
  if (bytes.length < headerSizeBytes) return truncated(bytes, "the header")
  if (readUint(bytes, dictionaryIdAt, dictionaryIdBytes) !== 0) return fault("header", "it needs a dictionary")
  const contentSize =
    contentSizeBytes === 0
      ? undefined
      : readUint(bytes, contentSizeAt, contentSizeBytes) + (contentSizeBytes === 2 ? 256 : 0)
  const window = bytes[windowAt]!
  return {
    kind: "header",
    headerSizeBytes,
    contentSizeBytes: contentSize,
    windowSizeBytes: isSingleSegment ? contentSize! : 2 ** (10 + (window >>> 3)) * (1 + (window & 7) / 8),
    hasChecksum: (descriptor & checksumFlag) !== 0
  }
}

/** Parses the three bytes of a block header that are at `at`. A fault says what the block does, not where it is. */
export const parseBlock = (bytes: Uint8Array, at: number, header: FrameHeader): FrameBlock | FrameFault => {
  const block = readUint(bytes, at, blockHeaderSizeBytes)
  const maxBlock = Math.min(header.windowSizeBytes, maxBlockSizeBytes)
  const type = (block >>> 1) & 3
  const size = block >>> 3
  if (type === 3) return fault("content", "has a reserved type")
  if (size > maxBlock) return fault("content", `has ${size} bytes, over ${maxBlock}`)
  return { kind: "block", storedSizeBytes: type === 1 ? 1 : size, isLast: (block & 1) === 1 }
}

/** Walks the blocks behind a parsed header. Takes time by the number of blocks, not of bytes. */
export const findEnd = (bytes: Uint8Array, header: FrameHeader): FrameEnd | FrameFault => {
  let at = header.headerSizeBytes
  for (let isLast = false; !isLast; ) {
    if (bytes.length - at < blockHeaderSizeBytes) return truncated(bytes, "a block header")
    const block = parseBlock(bytes, at, header)
    if (block.kind === "fault") return fault(block.fault, `the block at ${at} ${block.detail}`)
    isLast = block.isLast
    at += blockHeaderSizeBytes + block.storedSizeBytes
    if (at > bytes.length) return truncated(bytes, "a block")
  }
  if (!header.hasChecksum) return { kind: "end", sizeBytes: at }
  if (bytes.length - at < checksumSizeBytes) return truncated(bytes, "the checksum")
  return { kind: "end", sizeBytes: at + checksumSizeBytes }
}

/**
 * Rewrites a whole frame so that its header declares the content size and has the checksum, computing with `checksum` what
 * the library left out. Returns the frame itself when nothing was. `header` must be that of `frame`, without dictionary.
 */
export const complete = (
  frame: Uint8Array,
  header: FrameHeader,
  contentSizeBytes: number,
  checksum: () => number
): Uint8Array => {
  const addsSize = header.contentSizeBytes === undefined
  if (!addsSize && header.hasChecksum) return frame
  const addedBytes = addsSize ? 8 : 0
  const completed = new Uint8Array(frame.length + addedBytes + (header.hasChecksum ? 0 : checksumSizeBytes))
  completed.set(frame.subarray(0, header.headerSizeBytes))
  completed.set(frame.subarray(header.headerSizeBytes), header.headerSizeBytes + addedBytes)
  const view = new DataView(completed.buffer)
  if (addsSize) {
    completed[descriptorAt] = completed[descriptorAt]! | 0xc0
    view.setBigUint64(header.headerSizeBytes, BigInt(contentSizeBytes), true)
  }
  if (!header.hasChecksum) {
    completed[descriptorAt] = completed[descriptorAt]! | checksumFlag
    view.setUint32(completed.length - checksumSizeBytes, checksum(), true)
  }
  return completed
}
