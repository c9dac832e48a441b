/**
 * The rows of a keyspace inside of a packfile of an archive. Part of the on-disk format: never change, add a version of the
 * archive.
 *
 * ```
 * item      group of neighbouring rows, each: varint key size │ key │ varint value size │ value
 * app data  zstd frame of the fences: varint count, then of each: varint shared │ varint suffix size │ suffix
 * ```
 *
 * One item a record, each record a zstd frame with checksum. Rows ascend by key, over groups as within them. A group is closed by the
 * row that brings it to {@link groupSizeBytes}, so it may have one row over that. Its fence is its first key, of which the first
 * `shared` bytes are those of the fence before it. Varints are unsigned LEB128 of at most 5 bytes.
 *
 * Example: the rows "a" → 01 02 and "ab" → nothing are the group 01 61 02 01 02 02 61 62 00, whose fences are 01 00 01 61.
 */
import { maxKeySizeBytes, maxValueSizeBytes } from "../Engine.ts"
import { compareBytes } from "../internal/Bounds.ts"
import { varintSize, writeVarint } from "./BlockFormat.ts"

/** Bytes of rows after which a group is closed. */
export const groupSizeBytes: number = 64 * 1024

/** What a group can measure: a full one less a byte, and the largest row. */
export const maxGroupSizeBytes: number = groupSizeBytes + maxKeySizeBytes + maxValueSizeBytes + 10

/** The `format` number in the trailer of the packfiles. */
export const packFormat = 0x494d_0001

/** Why bytes are no group, or no fences. */
export interface PackRowsFault {
  readonly kind: "fault"
  readonly detail: string
}

const fault = (detail: string): PackRowsFault => ({ kind: "fault", detail })

/** Reads varints one after the other. `at` is behind the last; −1 once there was none. */
interface VarintCursor {
  at: number
}

const readVarint = (bytes: Uint8Array, cursor: VarintCursor): number => {
  let value = 0
  let scale = 1
  for (let at = cursor.at; at >= 0 && at < bytes.length && at < cursor.at + 5; at++) {
    const byte = bytes[at]!
    value += (byte & 0x7f) * scale
    if (byte < 0x80) {
      cursor.at = at + 1
      return value
    }
    scale *= 0x80
  }
  cursor.at = -1
  return 0
}

// Writing.

/** Gathers rows into groups. Its fields belong to the functions of this module. */
export interface GroupBuilder {
  bytes: Uint8Array
  sizeBytes: number
  /** The first key of each group, front-coded. */
  fences: Uint8Array
  fencesSizeBytes: number
  fenceCount: number
  lastFence: Uint8Array
}

export const makeBuilder = (): GroupBuilder => ({
  bytes: new Uint8Array(2 * groupSizeBytes),
  sizeBytes: 0,
  fences: new Uint8Array(4096),
  fencesSizeBytes: 0,
  fenceCount: 0,
  lastFence: new Uint8Array(0)
})

/** Adds the next row, above all before it. True when the group is to be taken. */
export const addRow = (builder: GroupBuilder, key: Uint8Array, value: Uint8Array): boolean => {
  if (builder.sizeBytes === 0) addFence(builder, key)
  const neededBytes = builder.sizeBytes + varintSize(key.length) + key.length + varintSize(value.length) + value.length
  if (neededBytes > builder.bytes.length) builder.bytes = grown(builder.bytes, builder.sizeBytes, neededBytes)
  const { bytes } = builder
  let at = writeVarint(bytes, builder.sizeBytes, key.length)
  bytes.set(key, at)
  at = writeVarint(bytes, at + key.length, value.length)
  bytes.set(value, at)
  builder.sizeBytes = at + value.length
  return builder.sizeBytes >= groupSizeBytes
}

/** The group so far, valid until the next row; empty when there is none. The next row begins another. */
export const takeGroup = (builder: GroupBuilder): Uint8Array => {
  const group = builder.bytes.subarray(0, builder.sizeBytes)
  builder.sizeBytes = 0
  // One huge row does not keep its memory.
  if (builder.bytes.length > 4 * groupSizeBytes) builder.bytes = new Uint8Array(2 * groupSizeBytes)
  return group
}

const addFence = (builder: GroupBuilder, key: Uint8Array): void => {
  const { lastFence } = builder
  let shared = 0
  while (shared < lastFence.length && shared < key.length && lastFence[shared] === key[shared]) shared++
  const neededBytes = builder.fencesSizeBytes + 4 + key.length - shared
  if (neededBytes > builder.fences.length) {
    builder.fences = grown(builder.fences, builder.fencesSizeBytes, neededBytes)
  }
  let at = writeVarint(builder.fences, builder.fencesSizeBytes, shared)
  at = writeVarint(builder.fences, at, key.length - shared)
  builder.fences.set(key.subarray(shared), at)
  builder.fencesSizeBytes = at + key.length - shared
  builder.fenceCount++
  builder.lastFence = key.slice()
}

const grown = (bytes: Uint8Array, keptBytes: number, neededBytes: number): Uint8Array => {
  const larger = new Uint8Array(2 * neededBytes)
  larger.set(bytes.subarray(0, keptBytes))
  return larger
}

/** The fences of all groups, to be compressed. */
export const encodeFences = (builder: GroupBuilder): Uint8Array => {
  const countBytes = varintSize(builder.fenceCount)
  const encoded = new Uint8Array(countBytes + builder.fencesSizeBytes)
  writeVarint(encoded, 0, builder.fenceCount)
  encoded.set(builder.fences.subarray(0, builder.fencesSizeBytes), countBytes)
  return encoded
}

// Reading.

/** The first keys of all groups, one after the other. */
export interface Fences {
  readonly kind: "fences"
  readonly keys: Uint8Array
  /** Byte behind each key; a key begins where the one before it ends. */
  readonly ends: Uint32Array
  readonly count: number
}

/** The key of a group's first row. Not to be changed. */
export const fenceOf = (fences: Fences, group: number): Uint8Array =>
  fences.keys.subarray(group === 0 ? 0 : fences.ends[group - 1]!, fences.ends[group]!)

/** The last group whose first key is not above the key; −1 when it is below all. */
export const groupOf = (fences: Fences, key: Uint8Array): number => lastUpTo(fences, fences.count, fenceOf, key)

/** The last of so many ascending keys that is not above the key; −1 when it is below all. */
const lastUpTo = <A>(
  keys: A,
  count: number,
  keyAt: (keys: A, index: number) => Uint8Array,
  key: Uint8Array
): number => {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(keyAt(keys, middle), key) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Decodes the fences of `count` groups, whose keys come to at most `maxSizeBytes`. */
export const decodeFences = (bytes: Uint8Array, count: number, maxSizeBytes: number): Fences | PackRowsFault => {
  const cursor: VarintCursor = { at: 0 }
  const declared = readVarint(bytes, cursor)
  if (cursor.at < 0 || declared !== count) return fault(`its fences are of ${declared} groups, expected ${count}`)
  // Walks what is there: a count that the bytes cannot hold allocates nothing.
  const measured = measureFences(bytes, cursor.at, count)
  if (measured < 0 || measured > maxSizeBytes) return fault("its fences do not decode")
  const keys = new Uint8Array(measured)
  const ends = new Uint32Array(count)
  let end = 0
  for (let group = 0; group < count; group++) {
    const shared = readVarint(bytes, cursor)
    const suffix = readVarint(bytes, cursor)
    const before = group < 2 ? 0 : ends[group - 2]!
    keys.copyWithin(end, before, before + shared)
    keys.set(bytes.subarray(cursor.at, cursor.at + suffix), end + shared)
    cursor.at += suffix
    const start = end
    end += shared + suffix
    ends[group] = end
    if (group > 0 && compareBytes(keys.subarray(before, start), keys.subarray(start, end)) >= 0) {
      return fault(`fence ${group} is not above the one before it`)
    }
  }
  return { kind: "fences", keys, ends, count }
}

/** Bytes of all keys, and that they are well-formed; −1 when they are not. */
const measureFences = (bytes: Uint8Array, from: number, count: number): number => {
  const cursor: VarintCursor = { at: from }
  let total = 0
  let previous = 0
  for (let group = 0; group < count; group++) {
    const shared = readVarint(bytes, cursor)
    const suffix = cursor.at < 0 ? 0 : readVarint(bytes, cursor)
    if (cursor.at < 0 || shared > previous || suffix === 0 || suffix > bytes.length - cursor.at) return -1
    previous = shared + suffix
    if (previous > maxKeySizeBytes) return -1
    total += previous
    cursor.at += suffix
  }
  return cursor.at === bytes.length ? total : -1
}

/** The rows of one group, where they lie in its bytes. */
export interface Group {
  readonly kind: "group"
  readonly bytes: Uint8Array
  readonly rowCount: number
  /** Of each row four offsets: of its key, behind it, of its value, behind it. */
  readonly offsets: Uint32Array
}

export const keyOf = ({ bytes, offsets }: Group, row: number): Uint8Array =>
  bytes.subarray(offsets[row * 4]!, offsets[row * 4 + 1]!)

export const valueOf = ({ bytes, offsets }: Group, row: number): Uint8Array =>
  bytes.subarray(offsets[row * 4 + 2]!, offsets[row * 4 + 3]!)

/** Bytes of all keys and values. */
export const contentSizeOf = ({ offsets, rowCount }: Group): number => {
  let sizeBytes = 0
  for (let at = 0; at < rowCount * 4; at += 2) sizeBytes += offsets[at + 1]! - offsets[at]!
  return sizeBytes
}

/** Parses a group whose first key is `first` and whose keys are below `bound`, which the last group has not. */
export const parseGroup = (
  bytes: Uint8Array,
  first: Uint8Array,
  bound: Uint8Array | undefined
): Group | PackRowsFault => {
  const offsets: Array<number> = []
  const cursor: VarintCursor = { at: 0 }
  let previous: Uint8Array | undefined
  while (cursor.at < bytes.length) {
    const keySize = readVarint(bytes, cursor)
    const keyAt = cursor.at
    if (keyAt < 0 || keySize < 1 || keySize > maxKeySizeBytes || keySize > bytes.length - keyAt) {
      return fault(`row ${offsets.length / 4} of it has no key`)
    }
    cursor.at += keySize
    const valueSize = readVarint(bytes, cursor)
    if (cursor.at < 0 || valueSize > maxValueSizeBytes || valueSize > bytes.length - cursor.at) {
      return fault(`row ${offsets.length / 4} of it has no value`)
    }
    const key = bytes.subarray(keyAt, keyAt + keySize)
    if (previous === undefined ? compareBytes(key, first) !== 0 : compareBytes(previous, key) >= 0) {
      return fault(`row ${offsets.length / 4} of it is out of order`)
    }
    previous = key
    offsets.push(keyAt, keyAt + keySize, cursor.at, cursor.at + valueSize)
    cursor.at += valueSize
  }
  if (previous === undefined) return fault("it has no rows")
  if (bound !== undefined && compareBytes(previous, bound) >= 0) return fault("its last row is out of order")
  return { kind: "group", bytes, rowCount: offsets.length / 4, offsets: Uint32Array.from(offsets) }
}

/** The last row whose key is not above the key; −1 when it is below all. */
export const rowAtOrBelow = (group: Group, key: Uint8Array): number => lastUpTo(group, group.rowCount, keyOf, key)
