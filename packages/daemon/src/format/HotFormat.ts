/**
 * What a hot chunk's database holds. Part of the on-disk format: never change, add a version of the catalog's layout.
 *
 * ```
 * keyspace  key                              value
 * entries   seq (u64 big-endian, 8 bytes)    the entry's bytes, unchanged
 * keys      a key's first 16 bytes           the key's other 16 bytes ‖ seq (u64 big-endian, 8 bytes)
 * source    "position" (8 bytes of ASCII)    seq (u64 big-endian, 8 bytes) ‖ the source's resume token
 * ```
 *
 * Example: entry 258 with the bytes `hi` is `00 00 00 00 00 00 01 02` → `68 69`; a source that can go on behind entry 258 with
 * the token `7b 7d` leaves `70 6f 73 69 74 69 6f 6e` → `00 00 00 00 00 00 01 02 7b 7d`.
 *
 * A key of 00 01 … 1f that entry 258 has is `00 … 0f` → `10 … 1f 00 00 00 00 00 00 01 02`.
 *
 * Which of several entries with one key stands in `keys` is the domain's policy. A database that was made without this keyspace
 * gets it, empty, when it is opened: its domain has no keys.
 *
 * Big-endian keys sort by seq. The position may name an earlier seq than the highest entry, even one of an earlier chunk: a
 * source gives one token a batch, and a batch may take several commits.
 */

/** Keyspace of the entries. */
export const entriesKeyspace = "entries"

/** Keyspace of the keys that entries are found by. */
export const keysKeyspace = "keys"

/** Keyspace of the source's position. */
export const sourceKeyspace = "source"

/** All keyspaces of a hot database. */
export const hotKeyspaces: ReadonlyArray<string> = [entriesKeyspace, keysKeyspace, sourceKeyspace]

/** Bytes of an encoded seq. */
export const seqSizeBytes = 8

/** Bytes of the key of a row of {@link keysKeyspace}: a key's first ones. */
export const keyPrefixSizeBytes = 16

/** Bytes of a key behind its prefix. */
export const keyRestSizeBytes = 16

/** Key of the position in {@link sourceKeyspace}. */
export const positionKey: Uint8Array = new TextEncoder().encode("position")

const twoTo32 = 0x1_0000_0000

/** The entry that a key finds. */
export interface KeyedSeq {
  /** The key behind its prefix. */
  readonly rest: Uint8Array
  readonly seq: number
}

/** Where a source can go on: its token is valid right behind entry `seq`. */
export interface SourcePosition {
  readonly seq: number
  readonly token: Uint8Array
}

/**
 * PERF: byte by byte, because a DataView of a small array makes Bun move its bytes: 7 % of the profile of a whole benchmark that ingests
 * lines of 200 bytes, not of ingestion alone.
 */
const writeSeq = (target: Uint8Array, at: number, seq: number): void => {
  const high = Math.floor(seq / twoTo32)
  const low = seq % twoTo32
  for (let byte = 0; byte < 4; byte++) {
    target[at + byte] = high >>> (24 - 8 * byte)
    target[at + 4 + byte] = low >>> (24 - 8 * byte)
  }
}

const readUint32 = (source: Uint8Array, at: number): number =>
  source[at]! * 0x100_0000 + ((source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!)

/** The key of an entry. `seq` is a safe integer of 0 or more. */
export const encodeSeq = (seq: number): Uint8Array => {
  const key = new Uint8Array(seqSizeBytes)
  writeSeq(key, 0, seq)
  return key
}

/** The seq of a key; −1 when the bytes are no key of an entry. */
export const decodeSeq = (key: Uint8Array): number => {
  if (key.length !== seqSizeBytes) return -1
  const seq = readUint32(key, 0) * twoTo32 + readUint32(key, 4)
  return Number.isSafeInteger(seq) ? seq : -1
}

export const encodePosition = (position: SourcePosition): Uint8Array => {
  const value = new Uint8Array(seqSizeBytes + position.token.length)
  writeSeq(value, 0, position.seq)
  value.set(position.token, seqSizeBytes)
  return value
}

/** The position; undefined when the bytes are none. The token is a view of `value`. */
export const decodePosition = (value: Uint8Array): SourcePosition | undefined => {
  if (value.length < seqSizeBytes) return undefined
  const seq = decodeSeq(value.subarray(0, seqSizeBytes))
  return seq < 0 ? undefined : { seq, token: value.subarray(seqSizeBytes) }
}

/** The prefix of a key of 32 bytes, as a view of it: the key of its row. */
export const keyPrefixOf = (key: Uint8Array): Uint8Array => key.subarray(0, keyPrefixSizeBytes)

/** The value of the row of a key of 32 bytes. */
export const encodeKeyedSeq = (key: Uint8Array, seq: number): Uint8Array => {
  const value = new Uint8Array(keyRestSizeBytes + seqSizeBytes)
  value.set(key.subarray(keyPrefixSizeBytes, keyPrefixSizeBytes + keyRestSizeBytes))
  writeSeq(value, keyRestSizeBytes, seq)
  return value
}

/** The entry of a row; undefined when the bytes are no value of a key. The rest is a view of `value`. */
export const decodeKeyedSeq = (value: Uint8Array): KeyedSeq | undefined => {
  if (value.length !== keyRestSizeBytes + seqSizeBytes) return undefined
  const seq = decodeSeq(value.subarray(keyRestSizeBytes))
  return seq < 0 ? undefined : { rest: value.subarray(0, keyRestSizeBytes), seq }
}
