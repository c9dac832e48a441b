/**
 * Finds where zstd frames end without decoding them (RFC 8878, sections 3.1.1 and 3.1.2), because the runtimes' decoders take a
 * truncated frame for a whole one, and some drop what follows the first frame.
 *
 * ```
 * frame     := magic 28 B5 2F FD · header · block+ · [checksum 4]
 * header    := descriptor 1 · [window 1] · [dictionary id 0 1 2 4] · [content size 0 1 2 4 8]
 * block     := 3 bytes little-endian: bit 0 last, bits 1-2 type, bits 3-23 size; then the body (1 byte when the type is RLE)
 * skippable := magic 5x 2A 4D 18 · size 4 little-endian · body
 * ```
 */

/** `magic` between frames too: what comes next is a frame, or the end. */
type Phase = "magic" | "descriptor" | "header" | "blockHeader" | "blockBody" | "checksum" | "skipSize" | "skipBody"

/** State of a walk over one run of bytes. Its fields belong to the functions of this module. */
export interface ZstdFrames {
  phase: Phase
  /** Bytes of the phase that are still to come. */
  missing: number
  /** The bytes of a short phase so far, little-endian. */
  value: number
  shift: number
  isLastBlock: boolean
  hasChecksum: boolean
  /** Bytes walked over, for errors. */
  offsetBytes: number
}

/** `frame`: a frame ended at the position. `needInput`: the chunk ended first. Otherwise why this is no zstd frame. */
export type AdvanceResult = "frame" | "needInput" | "badMagic" | "badBlock"

const magicNumber = 0xfd2f_b528
const skippableMagic = 0x184d_2a50
const dictionaryIdSizes: ReadonlyArray<number> = [0, 1, 2, 4]
const contentSizeSizes: ReadonlyArray<number> = [0, 2, 4, 8]
const maxBlockSizeBytes = 128 * 1024

/** A walk that is at the start of a frame. */
export const make = (): ZstdFrames => ({
  phase: "magic",
  missing: 4,
  value: 0,
  shift: 1,
  isLastBlock: false,
  hasChecksum: false,
  offsetBytes: 0
})

/** Whether all bytes so far are whole frames. */
export const isBetweenFrames = (frames: ZstdFrames): boolean => frames.phase === "magic" && frames.missing === 4

/** Walks from `at.index` on and moves it: behind the frame that ended, or to the end of the chunk. */
export const advance = (frames: ZstdFrames, chunk: Uint8Array, at: { index: number }): AdvanceResult => {
  while (at.index < chunk.length) {
    if (frames.phase === "header" || frames.phase === "blockBody" || frames.phase === "skipBody") {
      const taken = Math.min(frames.missing, chunk.length - at.index)
      frames.missing -= taken
      at.index += taken
      frames.offsetBytes += taken
    } else {
      frames.value += chunk[at.index]! * frames.shift
      frames.shift *= 256
      frames.missing--
      at.index++
      frames.offsetBytes++
    }
    // A phase without bytes, such as an empty block, ends as soon as it begins.
    while (frames.missing === 0) {
      const result = endPhase(frames)
      if (result !== undefined) return result
    }
  }
  return "needInput"
}

const begin = (frames: ZstdFrames, phase: Phase, missing: number): undefined => {
  frames.phase = phase
  frames.missing = missing
  frames.value = 0
  frames.shift = 1
  return undefined
}

const endFrame = (frames: ZstdFrames): AdvanceResult => {
  begin(frames, "magic", 4)
  return "frame"
}

const endPhase = (frames: ZstdFrames): AdvanceResult | undefined => {
  const { value } = frames
  switch (frames.phase) {
    case "magic":
      if (value === magicNumber) return begin(frames, "descriptor", 1)
      if ((value & ~15) === skippableMagic) return begin(frames, "skipSize", 4)
      return "badMagic"
    case "descriptor": {
      const isSingleSegment = (value & 0x20) !== 0
      frames.hasChecksum = (value & 0x04) !== 0
      const contentSizeFlag = value >> 6
      const contentSizeBytes = contentSizeFlag === 0 && isSingleSegment ? 1 : contentSizeSizes[contentSizeFlag]!
      return begin(frames, "header", (isSingleSegment ? 0 : 1) + dictionaryIdSizes[value & 3]! + contentSizeBytes)
    }
    case "header":
      return begin(frames, "blockHeader", 3)
    case "blockHeader": {
      const type = (value >> 1) & 3
      const sizeBytes = value >> 3
      if (type === 3 || sizeBytes > maxBlockSizeBytes) return "badBlock"
      frames.isLastBlock = (value & 1) === 1
      return begin(frames, "blockBody", type === 1 ? 1 : sizeBytes)
    }
    case "blockBody":
      if (!frames.isLastBlock) return begin(frames, "blockHeader", 3)
      return frames.hasChecksum ? begin(frames, "checksum", 4) : endFrame(frames)
    case "checksum":
      return endFrame(frames)
    case "skipSize":
      return begin(frames, "skipBody", value)
    case "skipBody":
      return endFrame(frames)
  }
}
