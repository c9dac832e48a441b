/** Cuts a tar that arrives in chunks of any size into its files ({@link "../format/TarFormat.ts"}). */
import * as TarFormat from "../format/TarFormat.ts"

/** What is next. `more`: it has not arrived. */
export type TarPiece =
  | { readonly kind: "file"; readonly name: string; readonly sizeBytes: number }
  /** Bytes of the file, a view of the chunk. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "more" }
  | { readonly kind: "end" }
  | { readonly kind: "fault"; readonly detail: string }
  | { readonly kind: "refused"; readonly entry: string; readonly detail: string }

/** Files that a tar may have: far more than any engine makes. */
const maxFileCount = 64

/** A walk. Its fields belong to the functions of this module. */
export interface TarWalk {
  stage: "header" | "pax" | "data" | "padding" | "end" | "over"
  /** The block that is being gathered. */
  readonly block: Uint8Array
  blockBytes: number
  chunk: Uint8Array
  takenBytes: number
  /** Bytes of the file, or of the padding, that are still to come. */
  leftBytes: number
  paddingBytes: number
  paxSizeBytes: number
  /** The size that a pax header gives to the next file. */
  givenSizeBytes: number | undefined
  readonly names: Set<string>
}

const more: TarPiece = { kind: "more" }

export const make = (): TarWalk => ({
  stage: "header",
  block: new Uint8Array(TarFormat.blockSizeBytes),
  blockBytes: 0,
  chunk: new Uint8Array(0),
  takenBytes: 0,
  leftBytes: 0,
  paddingBytes: 0,
  paxSizeBytes: 0,
  givenSizeBytes: undefined,
  names: new Set()
})

/** Gives the walk its next chunk, which it reads until it asks for more. */
export const push = (walk: TarWalk, chunk: Uint8Array): void => {
  walk.chunk = chunk
  walk.takenBytes = 0
}

/** Whether the tar may end here. */
export const isOver = (walk: TarWalk): boolean => walk.stage === "over"

/** The next piece. */
export const next = (walk: TarWalk): TarPiece => {
  for (;;) {
    const piece = step(walk)
    if (piece !== undefined) return piece
  }
}

/** One step; undefined when there is no piece yet but the chunk may have one. */
const step = (walk: TarWalk): TarPiece | undefined => {
  switch (walk.stage) {
    case "header":
      return gather(walk) ? header(walk) : more
    case "pax":
      return gather(walk) ? pax(walk) : more
    case "data":
      return data(walk)
    case "padding":
      return padding(walk)
    case "end":
      if (!gather(walk)) return more
      if (!TarFormat.isZero(walk.block)) return fault("one block of zeros stands before another header")
      walk.stage = "over"
      return undefined
    case "over":
      return walk.takenBytes === walk.chunk.length ? { kind: "end" } : fault("bytes follow its end")
  }
}

/** Gathers a block; false when the chunk has no more. */
const gather = (walk: TarWalk): boolean => {
  const taken = Math.min(TarFormat.blockSizeBytes - walk.blockBytes, walk.chunk.length - walk.takenBytes)
  walk.block.set(walk.chunk.subarray(walk.takenBytes, walk.takenBytes + taken), walk.blockBytes)
  walk.takenBytes += taken
  walk.blockBytes += taken
  if (walk.blockBytes < TarFormat.blockSizeBytes) return false
  walk.blockBytes = 0
  return true
}

const header = (walk: TarWalk): TarPiece | undefined => {
  const parsed = TarFormat.parseHeader(walk.block)
  const given = walk.givenSizeBytes
  if (given !== undefined && !(parsed.kind === "file" && parsed.sizeBytes === 0)) {
    return parsed.kind === "fault" || parsed.kind === "refused" ? parsed : fault("a pax header is of no file")
  }
  walk.givenSizeBytes = undefined
  switch (parsed.kind) {
    case "end":
      walk.stage = "end"
      return undefined
    case "pax":
      walk.paxSizeBytes = parsed.sizeBytes
      walk.stage = "pax"
      return undefined
    case "file": {
      const { name } = parsed
      const sizeBytes = given ?? parsed.sizeBytes
      if (walk.names.has(name)) return { kind: "refused", entry: name, detail: "is there twice" }
      if (walk.names.size >= maxFileCount) return fault(`it has more than ${maxFileCount} files`)
      walk.names.add(name)
      walk.leftBytes = sizeBytes
      walk.paddingBytes = TarFormat.paddingOf(sizeBytes)
      walk.stage = "data"
      return { kind: "file", name, sizeBytes }
    }
    default:
      return parsed
  }
}

const pax = (walk: TarWalk): TarPiece | undefined => {
  walk.givenSizeBytes = TarFormat.parsePax(walk.block, walk.paxSizeBytes)
  walk.stage = "header"
  const detail = "says more than the size of a file of 8 GiB and over"
  return walk.givenSizeBytes === undefined ? { kind: "refused", entry: "pax header", detail } : undefined
}

const data = (walk: TarWalk): TarPiece | undefined => {
  if (walk.leftBytes === 0) {
    walk.leftBytes = walk.paddingBytes
    walk.stage = "padding"
    return undefined
  }
  const taken = Math.min(walk.leftBytes, walk.chunk.length - walk.takenBytes)
  if (taken === 0) return more
  const bytes = walk.chunk.subarray(walk.takenBytes, walk.takenBytes + taken)
  walk.takenBytes += taken
  walk.leftBytes -= taken
  return { kind: "data", bytes }
}

const padding = (walk: TarWalk): TarPiece | undefined => {
  const taken = Math.min(walk.leftBytes, walk.chunk.length - walk.takenBytes)
  if (!TarFormat.isZero(walk.chunk.subarray(walk.takenBytes, walk.takenBytes + taken))) {
    return fault("the padding of a file is not zero")
  }
  walk.takenBytes += taken
  walk.leftBytes -= taken
  if (walk.leftBytes > 0) return more
  walk.stage = "header"
  return undefined
}

const fault = (detail: string): TarPiece => ({ kind: "fault", detail })
