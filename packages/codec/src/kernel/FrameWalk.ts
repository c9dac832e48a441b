/**
 * Cuts a zstd frame that arrives in chunks of any size into its pieces: the header, each block with its own header, the
 * checksum. Checks all that can be checked without decoding ({@link "../format/ZstdFrame.ts"}).
 *
 * A block decodes to 128 KiB at most, so whoever decodes piece by piece knows what a piece can come to.
 */
import * as ZstdFrame from "../format/ZstdFrame.ts"

/** What is next. `more`: it has not arrived. `end`: the frame is over. */
export type FramePiece =
  | { readonly kind: "header"; readonly bytes: Uint8Array; readonly header: ZstdFrame.FrameHeader }
  | { readonly kind: "block"; readonly bytes: Uint8Array }
  | { readonly kind: "checksum"; readonly bytes: Uint8Array; readonly value: number }
  | { readonly kind: "more" }
  | { readonly kind: "end" }
  | ZstdFrame.FrameFault

/** A walk. Its fields belong to the functions of this module. */
export interface FrameWalk {
  stage: "header" | "block" | "checksum" | "end"
  header: ZstdFrame.FrameHeader | undefined
  /** The piece that is being gathered, and the bytes of it that are there. */
  readonly piece: Uint8Array
  pieceBytes: number
  chunk: Uint8Array
  /** Bytes of the chunk that are in pieces. */
  takenBytes: number
  /** Bytes of the frame that are in pieces that were given. */
  walkedBytes: number
}

const noBytes = new Uint8Array(0)
const more: FramePiece = { kind: "more" }
const end: FramePiece = { kind: "end" }

export const make = (): FrameWalk => ({
  stage: "header",
  header: undefined,
  piece: new Uint8Array(ZstdFrame.maxBlockSizeBytes + ZstdFrame.blockHeaderSizeBytes),
  pieceBytes: 0,
  chunk: noBytes,
  takenBytes: 0,
  walkedBytes: 0
})

/** Gives the walk its next chunk, which it reads until it asks for more. */
export const push = (walk: FrameWalk, chunk: Uint8Array): void => {
  walk.chunk = chunk
  walk.takenBytes = 0
}

/** Bytes of the chunk that belong to no piece: behind the end of the frame there must be none. */
export const leftBytes = (walk: FrameWalk): number => walk.chunk.length - walk.takenBytes

/** Where the walk is, for the message about bytes that end there. */
export const place = (walk: FrameWalk): string => (walk.stage === "block" ? "a block" : `the ${walk.stage}`)

/** The next piece, valid until the next call. */
export const next = (walk: FrameWalk): FramePiece => {
  switch (walk.stage) {
    case "header":
      return nextHeader(walk)
    case "block":
      return nextBlock(walk)
    case "checksum":
      return nextChecksum(walk)
    default:
      return end
  }
}

/** Gathers the piece up to a size; false when the chunk has no more. */
const gather = (walk: FrameWalk, sizeBytes: number): boolean => {
  const taken = Math.min(sizeBytes - walk.pieceBytes, leftBytes(walk))
  if (taken > 0) {
    walk.piece.set(walk.chunk.subarray(walk.takenBytes, walk.takenBytes + taken), walk.pieceBytes)
    walk.pieceBytes += taken
    walk.takenBytes += taken
  }
  return walk.pieceBytes >= sizeBytes
}

const take = (walk: FrameWalk): Uint8Array => {
  const bytes = walk.piece.subarray(0, walk.pieceBytes)
  walk.walkedBytes += walk.pieceBytes
  walk.pieceBytes = 0
  return bytes
}

const nextHeader = (walk: FrameWalk): FramePiece => {
  for (;;) {
    const header = ZstdFrame.parseHeader(walk.piece.subarray(0, walk.pieceBytes))
    if (header.kind === "header") {
      walk.header = header
      walk.stage = "block"
      return { kind: "header", bytes: take(walk), header }
    }
    if (header.fault !== "truncated") return header
    if (!gather(walk, walk.pieceBytes + 1)) return more
  }
}

const nextBlock = (walk: FrameWalk): FramePiece => {
  const header = walk.header!
  if (!gather(walk, ZstdFrame.blockHeaderSizeBytes)) return more
  const block = ZstdFrame.parseBlock(walk.piece, 0, header)
  if (block.kind === "fault") {
    return { ...block, detail: `the block at ${walk.walkedBytes} ${block.detail}` }
  }
  if (!gather(walk, ZstdFrame.blockHeaderSizeBytes + block.storedSizeBytes)) return more
  if (block.isLast) walk.stage = header.hasChecksum ? "checksum" : "end"
  return { kind: "block", bytes: take(walk) }
}

const nextChecksum = (walk: FrameWalk): FramePiece => {
  if (!gather(walk, ZstdFrame.checksumSizeBytes)) return more
  walk.stage = "end"
  const bytes = take(walk)
  const value = (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0
  return { kind: "checksum", bytes, value }
}
