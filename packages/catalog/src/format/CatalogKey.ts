/**
 * The catalog's keys and values: ASCII text in one keyspace of an engine database.
 *
 * ```
 * key                                        value
 * chunk:{chunk8}:{entries|events|keys}       freezing | frozen | pruning
 * index:{window8}:{lo8}:{hi8}                freezing | frozen | pruning
 * hot:{chunk8}                               transient | ready
 * config:{name}                              see Pins.ts
 * ```
 *
 * Numbers have 8 decimal digits, so the order of the bytes is the order of the numbers. Nothing carries a checksum of its
 * own: the engine below answers for its bytes. The database `{chunk 7 with entries frozen, window 0 indexed to 6, chunk 8
 * hot}` reads
 *
 * ```
 * chunk:00000007:entries          frozen
 * hot:00000008                    ready
 * index:00000000:00000000:00000006  frozen
 * ```
 *
 * Part of the on-disk format: never change, add a version (`catalog_version` in Pins.ts).
 */
import { Option } from "effect"
import { ChunkId, maxChunkId, WindowId } from "../Geometry.ts"

/** Name of the keyspace. */
export const keyspace = "catalog"

/** What is frozen of a chunk. */
export type ArtifactKind = "entries" | "events" | "keys"

/** All kinds, in the order of their keys. */
export const artifactKinds: ReadonlyArray<ArtifactKind> = ["entries", "events", "keys"]

/** `freezing`: may be half there. `frozen`: durable and complete. `pruning`: may be half gone. */
export type ArtifactState = "freezing" | "frozen" | "pruning"

/** `transient`: being made or being removed. `ready`: holds acknowledged entries. */
export type HotState = "transient" | "ready"

/** The files of one kind of one chunk. */
export interface ChunkKey {
  readonly _tag: "Chunk"
  readonly chunk: ChunkId
  readonly kind: ArtifactKind
}

/** The key index of a window over the chunks `lo` to `hi`, both inclusive. */
export interface IndexKey {
  readonly _tag: "Index"
  readonly window: WindowId
  readonly lo: ChunkId
  readonly hi: ChunkId
}

/** The hot database of a chunk. */
export interface HotKey {
  readonly _tag: "Hot"
  readonly chunk: ChunkId
}

/** A key whose value is an {@link ArtifactState}. */
export type ArtifactKey = ChunkKey | IndexKey

/** A key that owns something on disk. */
export type StorageKey = ArtifactKey | HotKey

export const chunkKey = (chunk: ChunkId, kind: ArtifactKind): ChunkKey => ({ _tag: "Chunk", chunk, kind })

export const indexKey = (window: WindowId, lo: ChunkId, hi: ChunkId): IndexKey => ({ _tag: "Index", window, lo, hi })

export const hotKey = (chunk: ChunkId): HotKey => ({ _tag: "Hot", chunk })

/** Digits of a chunk or window number, in keys and in file names. */
export const numberDigits = 8

/** A chunk or window number, padded. It must be 0 to {@link maxChunkId}. */
export const padNumber = (value: number): string => {
  if (!Number.isInteger(value) || value < 0 || value > maxChunkId)
    throw new RangeError(`Cannot name chunk or window ${value}: allowed are 0 to ${maxChunkId}`)
  return value.toString().padStart(numberDigits, "0")
}

const chunkPrefix = "chunk:"
const indexPrefix = "index:"
const hotPrefix = "hot:"

/** Prefix of every configuration key; what follows is a name of Pins.ts. */
export const configPrefix = "config:"

/** Keys of one family, or of one chunk or window of it. */
export const prefixes: {
  readonly chunks: string
  readonly indexes: string
  readonly hot: string
  readonly chunk: (chunk: ChunkId) => string
  readonly window: (window: WindowId) => string
} = {
  chunks: chunkPrefix,
  indexes: indexPrefix,
  hot: hotPrefix,
  chunk: (chunk) => `${chunkPrefix}${padNumber(chunk)}:`,
  window: (window) => `${indexPrefix}${padNumber(window)}:`
}

/** The key's text. */
export const encodeKey = (key: StorageKey): string => {
  switch (key._tag) {
    case "Chunk":
      return `${chunkPrefix}${padNumber(key.chunk)}:${key.kind}`
    case "Index":
      return `${indexPrefix}${padNumber(key.window)}:${padNumber(key.lo)}:${padNumber(key.hi)}`
    case "Hot":
      return `${hotPrefix}${padNumber(key.chunk)}`
  }
}

const chunkPattern = /^chunk:(\d{8}):(entries|events|keys)$/
const indexPattern = /^index:(\d{8}):(\d{8}):(\d{8})$/
const hotPattern = /^hot:(\d{8})$/

/** The key of a text that {@link encodeKey} made; none for any other text. */
export const decodeKey = (text: string): Option.Option<StorageKey> => {
  const chunk = chunkPattern.exec(text)
  if (chunk !== null) return Option.some(chunkKey(ChunkId(Number(chunk[1])), chunk[2] as ArtifactKind))
  const hot = hotPattern.exec(text)
  if (hot !== null) return Option.some(hotKey(ChunkId(Number(hot[1]))))
  const index = indexPattern.exec(text)
  if (index === null) return Option.none()
  const lo = ChunkId(Number(index[2]))
  const hi = ChunkId(Number(index[3]))
  return lo <= hi ? Option.some(indexKey(WindowId(Number(index[1])), lo, hi)) : Option.none()
}

/** An artifact's state; none for any other text. */
export const decodeArtifactState = (text: string): Option.Option<ArtifactState> =>
  text === "freezing" || text === "frozen" || text === "pruning" ? Option.some(text) : Option.none()

/** A hot database's state; none for any other text. */
export const decodeHotState = (text: string): Option.Option<HotState> =>
  text === "transient" || text === "ready" ? Option.some(text) : Option.none()

const encoder = new TextEncoder()

/** ASCII bytes of a key or value. */
export const toBytes = (text: string): Uint8Array => encoder.encode(text)

/** Longest key or value that is read, in bytes; everything valid is shorter. */
export const maxTextSizeBytes = 256

/** The text of printable ASCII bytes; none for any other bytes. */
export const fromBytes = (bytes: Uint8Array): Option.Option<string> => {
  if (bytes.length > maxTextSizeBytes) return Option.none()
  let text = ""
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!
    if (byte < 0x20 || byte > 0x7e) return Option.none()
    text += String.fromCharCode(byte)
  }
  return Option.some(text)
}
