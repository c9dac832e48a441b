/**
 * Geometry, catalog rows and paths as the audit understands them: written from the description of the formats, not from the
 * code that it checks, so that a mistake there is not made here again.
 *
 * ```
 * chunk:{chunk8}:{entries|events|keys}   freezing | frozen | pruning      entries/{bucket5}/{chunk8}.pack
 *                                                                         events/{bucket5}/{chunk8}-events.pack, -index.pack, -index.hash
 *                                                                         keys/run/{bucket5}/{chunk8}.bin
 * index:{window8}:{lo8}:{hi8}            freezing | frozen | pruning      keys/index/{window8}/{lo8}-{hi8}.idx
 * hot:{chunk8}                           transient | ready                hot/{chunk8}/
 * config:{name}                          decimal or text
 * ```
 */

/** Where the trees of a store lie. */
export interface Roots {
  readonly catalog: string
  readonly hot: string
  readonly entries: string
  readonly events: string
  readonly keys: string
}

/** The numbers that the store was made with. */
export interface Numbers {
  readonly firstSeq: number
  readonly entriesPerChunk: number
  readonly chunksPerWindow: number
  readonly earliestSeq: number
  /** History is promised whole from here on; the earliest seq when nothing else is said. */
  readonly beginSeq: number
}

export type Kind = "entries" | "events" | "keys"

export interface ChunkRow {
  readonly family: "chunk"
  readonly text: string
  readonly chunk: number
  readonly kind: Kind
  readonly state: "freezing" | "frozen" | "pruning"
}

export interface IndexRow {
  readonly family: "index"
  readonly text: string
  readonly window: number
  readonly lo: number
  readonly hi: number
  readonly state: "freezing" | "frozen" | "pruning"
}

export interface HotRow {
  readonly family: "hot"
  readonly text: string
  readonly chunk: number
  readonly state: "transient" | "ready"
}

export interface PinRow {
  readonly family: "config"
  readonly text: string
  readonly name: string
  readonly value: string
}

export type CatalogRow = ChunkRow | IndexRow | HotRow | PinRow

const number8 = (text: string | undefined): number =>
  text !== undefined && text.length === 8 && /^[0-9]+$/.test(text) ? Number.parseInt(text, 10) : -1

const isArtifactState = (text: string): text is ChunkRow["state"] => ["freezing", "frozen", "pruning"].includes(text)

/** A row as bytes in Latin-1, so that no byte is lost on the way to a message; why it is none of ours otherwise. */
export const parseRow = (key: Uint8Array, value: Uint8Array): CatalogRow | string => {
  const text = latin1(key)
  const state = latin1(value)
  const [family, first, second, third, ...rest] = text.split(":")
  if (family === "config" && first !== undefined && first !== "")
    return { family, text, name: text.slice("config:".length), value: state }
  if (rest.length > 0) return "no such key is known"
  if (family === "chunk" && third === undefined) {
    const chunk = number8(first)
    if (chunk < 0 || (second !== "entries" && second !== "events" && second !== "keys")) return "no such key is known"
    return isArtifactState(state) ? { family, text, chunk, kind: second, state } : `its state is "${state}"`
  }
  if (family === "hot" && second === undefined) {
    const chunk = number8(first)
    if (chunk < 0) return "no such key is known"
    return state === "transient" || state === "ready" ? { family, text, chunk, state } : `its state is "${state}"`
  }
  if (family === "index") {
    const [window, lo, hi] = [number8(first), number8(second), number8(third)]
    if (window < 0 || lo < 0 || hi < lo) return "no such key is known"
    return isArtifactState(state) ? { family, text, window, lo, hi, state } : `its state is "${state}"`
  }
  return "no such key is known"
}

const latin1 = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes.subarray(0, 256)) text += String.fromCharCode(byte)
  return text
}

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0")

const bucket = (chunk: number): string => pad((chunk - (chunk % 1_000)) / 1_000, 5)

/** The files of one kind of a chunk. */
export const chunkFiles = (roots: Roots, chunk: number, kind: Kind): ReadonlyArray<string> => {
  const name = `${bucket(chunk)}/${pad(chunk, 8)}`
  switch (kind) {
    case "entries":
      return [`${roots.entries}/${name}.pack`]
    case "keys":
      return [`${roots.keys}/run/${name}.bin`]
    case "events":
      return ["-events.pack", "-index.pack", "-index.hash"].map((suffix) => `${roots.events}/${name}${suffix}`)
  }
}

export const indexFile = (roots: Roots, { window, lo, hi }: Pick<IndexRow, "window" | "lo" | "hi">): string =>
  `${roots.keys}/index/${pad(window, 8)}/${pad(lo, 8)}-${pad(hi, 8)}.idx`

export const hotDirectory = (roots: Roots, chunk: number): string => `${roots.hot}/${pad(chunk, 8)}`

export const chunkText = (chunk: number, kind: Kind): string => `chunk:${pad(chunk, 8)}:${kind}`

export const hotText = (chunk: number): string => `hot:${pad(chunk, 8)}`

/** The key's text that a file of a tree must have, by its path below the tree's root; undefined: no key can name it. */
export const textOfFile = (tree: "entries" | "events" | "keys", path: string): string | undefined => {
  const index = /^index\/([0-9]{8})\/([0-9]{8})-([0-9]{8})\.idx$/.exec(path)
  if (tree === "keys" && index !== null) return `index:${index[1]}:${index[2]}:${index[3]}`
  const name =
    tree === "keys"
      ? /^run\/([0-9]{5})\/([0-9]{8})\.bin$/.exec(path)
      : tree === "entries"
        ? /^([0-9]{5})\/([0-9]{8})\.pack$/.exec(path)
        : /^([0-9]{5})\/([0-9]{8})-(?:events\.pack|index\.pack|index\.hash)$/.exec(path)
  if (name === null || bucket(Number(name[2])) !== name[1]) return undefined
  return `chunk:${name[2]}:${tree}`
}

export const firstSeqOf = ({ firstSeq, entriesPerChunk }: Numbers, chunk: number): number =>
  firstSeq + entriesPerChunk * chunk

export const lastSeqOf = (numbers: Numbers, chunk: number): number =>
  firstSeqOf(numbers, chunk) + numbers.entriesPerChunk - 1

/** The chunk of a seq that is not below the first one. */
export const chunkOf = ({ firstSeq, entriesPerChunk }: Numbers, seq: number): number => {
  const position = seq - firstSeq
  return (position - (position % entriesPerChunk)) / entriesPerChunk
}

export const windowOf = ({ chunksPerWindow }: Numbers, chunk: number): number =>
  (chunk - (chunk % chunksPerWindow)) / chunksPerWindow

/** First chunk that is kept; `keptChunks` 0 keeps all from the earliest seq on. */
export const floorChunkOf = (numbers: Numbers, keptChunks: number, lastComplete: number): number => {
  const earliest = chunkOf(numbers, numbers.earliestSeq)
  return keptChunks === 0 ? earliest : Math.max(earliest, lastComplete + 1 - keptChunks)
}

/** First and last seq of the chunks that an index covers. */
export const seqsOfIndex = (
  numbers: Numbers,
  { lo, hi }: Pick<IndexRow, "lo" | "hi">
): { readonly first: number; readonly last: number } => ({
  first: firstSeqOf(numbers, lo),
  last: lastSeqOf(numbers, hi)
})
