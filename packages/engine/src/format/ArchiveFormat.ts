/**
 * The outside of an archive, version 1: one file that holds a whole record store. Part of the on-disk format: never change,
 * add a version.
 *
 * ```
 * magic "ICEARCH1"        8
 * manifest length u32     4
 * manifest                MessagePack: the version, then an array of the fields of {@link Manifest} in their order
 * payload                 the parts that the manifest lists, one after the other without gaps
 * footer                 64
 *   SHA-256              32   of the payload
 *   payload length u64    8
 *   payload CRC32C u32    4
 *   manifest CRC32C u32   4   of magic, manifest length and manifest
 *   zero                  4
 *   footer CRC32C u32     4   of the 52 bytes before it
 *   magic "ICEAEND1"      8
 * ```
 *
 * Little-endian. The manifest stands before the payload, so that one read at the start of a file says what it is, and is written
 * last: `padding` keeps its length what it was when the payload was begun.
 */
import { Crc32c, Ksuid, RecordCodec } from "@icecore/codec"
import { Result } from "effect"
import * as RecordType from "../RecordType.ts"
import type { SyncId } from "../SyncRun.ts"

/** The version that is written, and the newest that is read. */
export const formatVersion = 1

/** Bytes that a manifest may have, inclusive: 16 MiB. */
export const maxManifestSizeBytes: number = 16 * 1024 * 1024

export const magic: Uint8Array = new TextEncoder().encode("ICEARCH1")
const endMagic = new TextEncoder().encode("ICEAEND1")

/** Magic and manifest length. */
export const headSizeBytes: number = magic.length + 4

const sha256SizeBytes = 32
const payloadSizeAt = sha256SizeBytes
const payloadCrcAt: number = payloadSizeAt + 8
const manifestCrcAt: number = payloadCrcAt + 4
const zeroAt: number = manifestCrcAt + 4
const footerCrcAt: number = zeroAt + 4
const endMagicAt: number = footerCrcAt + 4
export const footerSizeBytes: number = endMagicAt + endMagic.length

/** The smallest file that may be an archive. */
export const minSizeBytes: number = headSizeBytes + footerSizeBytes

/** The one part of a tar. */
export const databasePart = "database"

/** Bytes of padding that a manifest is begun with: what its numbers may still grow by. */
const spareSizeBytes = 1024

/** How the payload holds the store. */
export type ArchiveEncoding = "pack" | "tar" | "tar+zstd"

/** A sync run as the manifest lists it: all but its token. */
export interface ManifestSync {
  readonly sync_id: SyncId
  readonly type: string
  readonly parent_sync_id?: SyncId
  /** Microseconds since 1970 UTC, as `ended_at`. */
  readonly started_at: number
  /** Absent: it was not finished. */
  readonly ended_at?: number
  readonly counts: Readonly<Record<string, number>>
  readonly source_sync_ids?: ReadonlyArray<SyncId>
}

/** A run of bytes of the payload: the packfile of a keyspace, or the one tar. */
export interface ManifestPart {
  /** The keyspace; `database` for a tar. */
  readonly name: string
  /** From the start of the payload. */
  readonly offset_bytes: number
  readonly size_bytes: number
  /** Of the rows, or of the tar, when it is not compressed. */
  readonly decoded_size_bytes: number
  /** Rows of the keyspace; 0 for a tar. */
  readonly row_count: number
}

export interface Manifest {
  readonly format_version: number
  /** The program that wrote the archive. */
  readonly creator: string
  /** Microseconds since 1970 UTC. */
  readonly created_at: number
  /** The engine that the store was on: whose database a tar holds. */
  readonly engine: string
  readonly key_layout_version: number
  readonly encoding: ArchiveEncoding
  readonly types: ReadonlyArray<RecordType.Description>
  readonly syncs: ReadonlyArray<ManifestSync>
  readonly parts: ReadonlyArray<ManifestPart>
}

/** What the footer says. */
export interface Footer {
  /** 32 bytes. */
  readonly payloadSha256: Uint8Array
  readonly payloadSizeBytes: number
  readonly payloadCrc: number
  readonly manifestCrc: number
}

/** Why bytes are not an archive. */
export interface ArchiveFault {
  readonly kind: "fault"
  readonly part: "size" | "magic" | "manifest" | "footer" | "payload"
  readonly detail: string
}

const fault = (part: ArchiveFault["part"], detail: string): ArchiveFault => ({ kind: "fault", part, detail })

/** A manifest as it is stored, with what stands behind its fields. */
interface StoredManifest extends Omit<Manifest, "types"> {
  /** JSON text each: the order of its keys is that of the fields. */
  readonly types: ReadonlyArray<string>
  readonly padding: Uint8Array
}

const codec: RecordCodec.RecordCodec<StoredManifest> = RecordCodec.make<StoredManifest>(
  {
    kind: "struct",
    fields: [
      { name: "format_version", shape: { kind: "int" }, optional: false },
      { name: "creator", shape: { kind: "string" }, optional: false },
      { name: "created_at", shape: { kind: "int" }, optional: false },
      { name: "engine", shape: { kind: "string" }, optional: false },
      { name: "key_layout_version", shape: { kind: "int" }, optional: false },
      { name: "encoding", shape: { kind: "literal", values: ["pack", "tar", "tar+zstd"] }, optional: false },
      { name: "types", shape: { kind: "array", item: { kind: "string" } }, optional: false },
      {
        name: "syncs",
        shape: {
          kind: "array",
          item: {
            kind: "struct",
            fields: [
              { name: "sync_id", shape: { kind: "string" }, optional: false },
              { name: "type", shape: { kind: "string" }, optional: false },
              { name: "parent_sync_id", shape: { kind: "string" }, optional: true },
              { name: "started_at", shape: { kind: "int" }, optional: false },
              { name: "ended_at", shape: { kind: "int" }, optional: true },
              { name: "counts", shape: { kind: "record", value: { kind: "int" } }, optional: false },
              { name: "source_sync_ids", shape: { kind: "array", item: { kind: "string" } }, optional: true }
            ]
          }
        },
        optional: false
      },
      {
        name: "parts",
        shape: {
          kind: "array",
          item: {
            kind: "struct",
            fields: [
              { name: "name", shape: { kind: "string" }, optional: false },
              { name: "offset_bytes", shape: { kind: "int" }, optional: false },
              { name: "size_bytes", shape: { kind: "int" }, optional: false },
              { name: "decoded_size_bytes", shape: { kind: "int" }, optional: false },
              { name: "row_count", shape: { kind: "int" }, optional: false }
            ]
          }
        },
        optional: false
      },
      { name: "padding", shape: { kind: "bytes" }, optional: false }
    ]
  },
  { version: formatVersion }
)

// The head.

/**
 * Magic, manifest length and manifest. With `sizeBytes`, what an earlier head of the archive measured, padded to that. Throws
 * `RecordInvalid` for a manifest that cannot be stored, and a `RangeError` when it does not fit, which parts of other numbers do.
 */
export const encodeHead = (manifest: Manifest, sizeBytes?: number): Uint8Array => {
  const types = manifest.types.map((type) => JSON.stringify(type))
  const encode = (paddingBytes: number): Uint8Array =>
    codec.encodeUnsafe({ ...manifest, types, padding: new Uint8Array(paddingBytes) })
  const drafted = encode(spareSizeBytes)
  const paddingBytes = spareSizeBytes + (sizeBytes === undefined ? 0 : sizeBytes - headSizeBytes - drafted.length)
  // The length of the padding takes as many bytes as that of the spare padding does: it stays within a factor of two.
  if (paddingBytes < spareSizeBytes / 2 || paddingBytes > spareSizeBytes * 2) {
    throw new RangeError(`a manifest of ${drafted.length} bytes does not fit a head of ${sizeBytes}`)
  }
  const encoded = encode(paddingBytes)
  const head = new Uint8Array(headSizeBytes + encoded.length)
  head.set(magic)
  new DataView(head.buffer).setUint32(magic.length, encoded.length, true)
  head.set(encoded, headSizeBytes)
  return head
}

/** Whether bytes begin as an archive does. */
export const hasMagic = (bytes: Uint8Array): boolean => magic.every((byte, at) => bytes[at] === byte)

/** The length of the manifest behind a head of {@link headSizeBytes} bytes. */
export const manifestSizeOf = (head: Uint8Array): number =>
  new DataView(head.buffer, head.byteOffset).getUint32(magic.length, true)

/** The manifest of a whole head, whose checksum has been compared, of a payload of `payloadSizeBytes`. */
export const decodeManifest = (head: Uint8Array, payloadSizeBytes: number): Manifest | ArchiveFault => {
  const decoded = codec.decode(head.subarray(headSizeBytes))
  if (Result.isFailure(decoded)) return fault("manifest", decoded.failure.message)
  const { padding: _, ...rest } = decoded.success
  const types = Result.try(() => rest.types.map((text): RecordType.Description => JSON.parse(text)))
  if (Result.isFailure(types)) return fault("manifest", "a type in it is not JSON")
  const manifest: Manifest = { ...rest, types: types.success }
  const problem = manifestProblem(manifest, payloadSizeBytes)
  return problem === undefined ? manifest : fault("manifest", problem)
}

/** What in a manifest cannot be; undefined when nothing is. A version that is not known is for the caller. */
const manifestProblem = (manifest: Manifest, payloadSizeBytes: number): string | undefined => {
  const { encoding, parts, syncs, types } = manifest
  if (manifest.format_version < 1 || manifest.key_layout_version < 1) return "a version of it is below 1"
  // What types look like in another version is not known here.
  if (manifest.format_version === formatVersion) {
    for (const [at, description] of types.entries()) {
      const type = RecordType.fromDescription(description)
      if (Result.isFailure(type)) return `type ${at} of it: ${type.failure}`
    }
  }
  for (const { counts, parent_sync_id, source_sync_ids = [], sync_id } of syncs) {
    const others = parent_sync_id === undefined ? source_sync_ids : [parent_sync_id, ...source_sync_ids]
    for (const id of [sync_id, ...others]) {
      if (Result.isFailure(Ksuid.parse(id))) return `${JSON.stringify(id)} in it is no id of a sync`
    }
    if (Object.values(counts).some((count) => count < 0)) return `a count of its sync ${sync_id} is below 0`
  }
  if (encoding !== "pack" && !(parts.length === 1 && parts[0]!.name === databasePart)) {
    return `its parts are not the one of a ${encoding}`
  }
  let end = 0
  const names = new Set<string>()
  for (const part of parts) {
    if (names.has(part.name)) return `its part ${JSON.stringify(part.name)} is there twice`
    names.add(part.name)
    if (part.offset_bytes !== end || part.size_bytes < 0) {
      return `its part ${JSON.stringify(part.name)} begins at ${part.offset_bytes}, expected ${end}`
    }
    if (part.decoded_size_bytes < 0 || part.row_count < 0) return "a count of it is below 0"
    end += part.size_bytes
  }
  return end === payloadSizeBytes ? undefined : `its parts are ${end} bytes, the payload has ${payloadSizeBytes}`
}

// The footer.

export const encodeFooter = (footer: Footer): Uint8Array => {
  const bytes = new Uint8Array(footerSizeBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(footer.payloadSha256)
  view.setBigUint64(payloadSizeAt, BigInt(footer.payloadSizeBytes), true)
  view.setUint32(payloadCrcAt, footer.payloadCrc, true)
  view.setUint32(manifestCrcAt, footer.manifestCrc, true)
  view.setUint32(footerCrcAt, Crc32c.update(0, bytes, 0, footerCrcAt), true)
  bytes.set(endMagic, endMagicAt)
  return bytes
}

/** The footer in the last {@link footerSizeBytes} bytes of a file of `fileSizeBytes` whose manifest has `manifestSizeBytes`. */
export const decodeFooter = (
  bytes: Uint8Array,
  fileSizeBytes: number,
  manifestSizeBytes: number
): Footer | ArchiveFault => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!endMagic.every((byte, at) => bytes[endMagicAt + at] === byte)) {
    return fault("footer", "it does not end in ICEAEND1: the file is cut short, or something follows")
  }
  const expected = view.getUint32(footerCrcAt, true)
  const actual = Crc32c.update(0, bytes, 0, footerCrcAt)
  if (actual !== expected) return fault("footer", `its checksum is ${hex(actual)}, expected ${hex(expected)}`)
  if (view.getUint32(zeroAt, true) !== 0) return fault("footer", "its reserved bytes are not zero")
  const payloadSizeBytes = Number(view.getBigUint64(payloadSizeAt, true))
  const there = fileSizeBytes - footerSizeBytes - headSizeBytes - manifestSizeBytes
  if (payloadSizeBytes !== there) {
    return fault("size", `the payload has ${there} bytes, the footer says ${payloadSizeBytes}`)
  }
  return {
    payloadSha256: bytes.slice(0, sha256SizeBytes),
    payloadSizeBytes,
    payloadCrc: view.getUint32(payloadCrcAt, true),
    manifestCrc: view.getUint32(manifestCrcAt, true)
  }
}

/** A checksum as messages have it. */
export const hex = (checksum: number): string => `0x${checksum.toString(16).padStart(8, "0")}`
