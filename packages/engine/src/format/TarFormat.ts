/**
 * The tar inside of an archive: POSIX ustar, one plain file after the other, as any `tar` unpacks it. Part of the on-disk format.
 *
 * ```
 * per file   header 512 │ bytes, padded with zeros to 512
 * end        1,024 zeros
 *
 * header     name 100 │ mode 8 │ uid 8 │ gid 8 │ size 12 │ mtime 12 │ checksum 8 │ type 1 │ link name 100 │ "ustar" 0 "00" │
 *            user 32 │ group 32 │ device 8, 8 │ prefix 155 │ zero 12
 * ```
 *
 * Numbers are octal text. What is written has mode 600, owner 0, time 0 and no prefix, so the same files give the same bytes. A file
 * of 8 GiB or more has a pax header before its own (type `x`) whose one record is `{length} size={bytes}\n`; its own then says 0.
 *
 * What is read may have other modes, owners and times, and nothing else that is not written here: no directories, links,
 * devices, long names, other pax records, names with a slash, or the same name twice.
 */

export const blockSizeBytes = 512

/** Names that an entry may have: they lead nowhere. */
export const namePattern: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,98}$/

/** The largest size that fits eleven octal digits. */
const maxOctalSize: number = 8 ** 11 - 1

const sizeAt = 124
const checksumAt = 148
const checksumSizeBytes = 8
const typeAt = 156
const linkNameAt = 157
const magicAt = 257
const prefixAt = 345
const nameSizeBytes = 100
const linkNameSizeBytes = 100
const prefixSizeBytes = 155
const magic = "ustar\u000000"
const plainType = "0"
const paxType = "x"

/** What stands before a file: its header, or two. */
export const encodeEntry = (name: string, sizeBytes: number): Uint8Array => {
  if (sizeBytes <= maxOctalSize) return encodeHeader(name, plainType, sizeBytes)
  const record = paxRecord(sizeBytes)
  const entry = new Uint8Array(3 * blockSizeBytes)
  entry.set(encodeHeader("pax-header", paxType, record.length))
  entry.set(record, blockSizeBytes)
  entry.set(encodeHeader(name, plainType, 0), 2 * blockSizeBytes)
  return entry
}

/** Zeros behind a file of this size. */
export const paddingOf = (sizeBytes: number): number => (blockSizeBytes - (sizeBytes % blockSizeBytes)) % blockSizeBytes

/** Zeros behind all files. */
export const endSizeBytes: number = 2 * blockSizeBytes

/** The tar of files of these sizes. */
export const tarSizeOf = (files: ReadonlyArray<{ readonly name: string; readonly sizeBytes: number }>): number =>
  files.reduce(
    (sum, { name, sizeBytes }) => sum + encodeEntry(name, sizeBytes).length + sizeBytes + paddingOf(sizeBytes),
    endSizeBytes
  )

const encoder = new TextEncoder()

const encodeHeader = (name: string, type: string, sizeBytes: number): Uint8Array => {
  const header = new Uint8Array(blockSizeBytes)
  const put = (at: number, text: string): void => header.set(encoder.encode(text), at)
  put(0, name)
  put(100, "0000600\u0000")
  put(108, "0000000\u0000")
  put(116, "0000000\u0000")
  put(sizeAt, `${sizeBytes.toString(8).padStart(11, "0")}\u0000`)
  put(136, "00000000000\u0000")
  put(typeAt, type)
  put(magicAt, magic)
  put(329, "0000000\u0000")
  put(337, "0000000\u0000")
  put(checksumAt, `${checksumOf(header).toString(8).padStart(6, "0")}\u0000 `)
  return header
}

const paxRecord = (sizeBytes: number): Uint8Array => {
  const rest = ` size=${sizeBytes}\n`
  // The length counts its own digits: two, for any size of 10 digits and more.
  return encoder.encode(`${rest.length + 2}${rest}`)
}

/** The sum of all bytes with those of the checksum as spaces. */
const checksumOf = (header: Uint8Array): number => {
  let sum = checksumSizeBytes * 0x20
  for (let at = 0; at < blockSizeBytes; at++) {
    if (at < checksumAt || at >= checksumAt + checksumSizeBytes) sum += header[at]!
  }
  return sum
}

// Reading.

/** A header. `pax`: the block behind it has the size of the next. `end`: the first of the two blocks of zeros. */
export type TarHeader =
  | { readonly kind: "file"; readonly name: string; readonly sizeBytes: number }
  | { readonly kind: "pax"; readonly sizeBytes: number }
  | { readonly kind: "end" }
  /** It is no header. */
  | { readonly kind: "fault"; readonly detail: string }
  /** It is one, of something that may not be there. */
  | { readonly kind: "refused"; readonly entry: string; readonly detail: string }

const types: Readonly<Record<string, string>> = {
  "\u0000": "is of the type of old tars",
  "1": "is a hard link",
  "2": "is a symbolic link",
  "3": "is a character device",
  "4": "is a block device",
  "5": "is a directory",
  "6": "is a pipe",
  L: "has a long name",
  K: "is a link with a long name",
  g: "is a global pax header",
  S: "is a sparse file"
}

/** Parses a block of 512 bytes. */
export const parseHeader = (block: Uint8Array): TarHeader => {
  if (isZero(block)) return { kind: "end" }
  if (octal(block, checksumAt, checksumSizeBytes) !== checksumOf(block))
    return fault("the checksum of a header is wrong")
  if (latin(block, magicAt, magic.length) !== magic) return fault("a header is not one of ustar")
  const entry = latin(block, 0, nameSizeBytes).replace(/\0.*$/s, "")
  const refused = (detail: string): TarHeader => ({ kind: "refused", entry, detail })
  const type = latin(block, typeAt, 1)
  if (type !== plainType && type !== paxType) return refused(types[type] ?? `is of type ${JSON.stringify(type)}`)
  if (!isZero(block.subarray(entry.length, nameSizeBytes))) return refused("has bytes behind its name")
  if (!isZero(block.subarray(prefixAt, prefixAt + prefixSizeBytes))) return refused("has a name of two parts")
  if (!isZero(block.subarray(linkNameAt, linkNameAt + linkNameSizeBytes))) return refused("names another file")
  const sizeBytes = octal(block, sizeAt, 12)
  if (sizeBytes === undefined) return refused("has a size that is no octal number")
  if (type === paxType) {
    return sizeBytes <= blockSizeBytes ? { kind: "pax", sizeBytes } : refused("is a pax header of several blocks")
  }
  if (!namePattern.test(entry)) return refused("has a name that may lead elsewhere")
  return { kind: "file", name: entry, sizeBytes }
}

/** The size in the block behind a pax header, which may say nothing else; undefined when it does. */
export const parsePax = (block: Uint8Array, sizeBytes: number): number | undefined => {
  if (!isZero(block.subarray(sizeBytes))) return undefined
  const text = latin(block, 0, sizeBytes)
  const size = Number(/^\d+ size=([1-9]\d{9,15})\n$/.exec(text)?.[1])
  if (!Number.isSafeInteger(size) || size <= maxOctalSize) return undefined
  return text === latin(paxRecord(size), 0, sizeBytes) ? size : undefined
}

export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

const fault = (detail: string): TarHeader => ({ kind: "fault", detail })

const latin = (bytes: Uint8Array, at: number, sizeBytes: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + sizeBytes))

/** Octal digits behind spaces or zeros, ended by a zero byte or a space; undefined when they are not that. */
const octal = (bytes: Uint8Array, at: number, sizeBytes: number): number | undefined => {
  const digits = /^ *([0-7]+)[\0 ][\0 ]*$/.exec(latin(bytes, at, sizeBytes))?.[1]
  return digits === undefined ? undefined : Number.parseInt(digits, 8)
}
