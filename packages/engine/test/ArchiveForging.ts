/** Archives as a hostile writer makes them: sound outside, whatever inside. */
import { createHash } from "node:crypto"
import { Crc32c } from "@icecore/codec"
import * as ArchiveFormat from "../src/format/ArchiveFormat.ts"
import { keyLayoutVersion } from "../src/format/RecordLayout.ts"

/** The payload of an archive, with a manifest that fits it, or what is given of one. */
export const forge = (payload: Uint8Array, manifest: Partial<ArchiveFormat.Manifest> = {}): Uint8Array =>
  assemble(
    ArchiveFormat.encodeHead({
      format_version: ArchiveFormat.formatVersion,
      creator: "a forger",
      created_at: 0,
      engine: "filed",
      key_layout_version: keyLayoutVersion,
      encoding: "tar",
      types: [],
      syncs: [],
      parts: [partOf(payload.length)],
      ...manifest
    }),
    payload
  )

export const partOf = (sizeBytes: number, decodedSizeBytes: number = sizeBytes): ArchiveFormat.ManifestPart => ({
  name: ArchiveFormat.databasePart,
  offset_bytes: 0,
  size_bytes: sizeBytes,
  decoded_size_bytes: decodedSizeBytes,
  row_count: 0
})

/** Head and payload with the footer that they need. */
export const assemble = (head: Uint8Array, payload: Uint8Array): Uint8Array => {
  const footer = ArchiveFormat.encodeFooter({
    payloadSha256: new Uint8Array(createHash("sha256").update(payload).digest()),
    payloadSizeBytes: payload.length,
    payloadCrc: Crc32c.checksum(payload),
    manifestCrc: Crc32c.checksum(head)
  })
  return join([head, payload, footer])
}

/** Head and payload of an archive. */
export const take = (archive: Uint8Array): { readonly head: Uint8Array; readonly payload: Uint8Array } => {
  const payloadAt = ArchiveFormat.headSizeBytes + ArchiveFormat.manifestSizeOf(archive)
  return {
    head: archive.slice(0, payloadAt),
    payload: archive.slice(payloadAt, archive.length - ArchiveFormat.footerSizeBytes)
  }
}

export const join = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(chunks))

/** What of a tar header can be forged, as text where it lies. */
export interface ForgedHeader {
  readonly name?: string
  readonly size?: string
  readonly type?: string
  readonly linkName?: string
  readonly magic?: string
  readonly prefix?: string
  /** Default: the right one. */
  readonly checksum?: string
}

/** A header, whose checksum is right unless it is given. */
export const headerOf = (forged: ForgedHeader): Uint8Array => {
  const header = new Uint8Array(512)
  const put = (at: number, text: string) => {
    for (let index = 0; index < text.length; index++) header[at + index] = text.charCodeAt(index)
  }
  put(0, forged.name ?? "rows.bin")
  put(100, "0000644\0")
  put(108, "0001750\0")
  put(116, "0001750\0")
  put(124, forged.size ?? "00000000005\0")
  put(136, "14700000000\0")
  put(156, forged.type ?? "0")
  put(157, forged.linkName ?? "")
  put(257, forged.magic ?? "ustar\x0000")
  put(265, "somebody")
  put(345, forged.prefix ?? "")
  put(148, "        ")
  const sum = header.reduce((total, byte) => total + byte, 0)
  put(148, forged.checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `)
  return header
}

/** Bytes padded to a block. */
export const blocksOf = (text: string): Uint8Array => {
  const bytes = new TextEncoder().encode(text)
  const blocks = new Uint8Array(Math.ceil(bytes.length / 512) * 512)
  blocks.set(bytes)
  return blocks
}

export const tarEnd: Uint8Array = new Uint8Array(1024)
