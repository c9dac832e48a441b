/** The outside of an archive, read and checked: its head, its footer and where its payload lies. */

import { createHash } from "node:crypto"
import { Crc32c } from "@icecore/codec"
import { ByteSource, type DiskError } from "@icecore/packfile"
import { Effect, Stream } from "effect"
import { Hex } from "effect/encoding"
import {
  ArchiveCorrupt,
  ArchiveFormatUnsupported,
  ArchiveLimitExceeded,
  ArchiveUnrecognized,
  ArchiveVersionUnsupported
} from "../../ArchiveError.ts"
import * as ArchiveFormat from "../../format/ArchiveFormat.ts"
import { keyLayoutVersion } from "../../format/RecordLayout.ts"
import type { ArchiveBounds } from "./ArchiveBounds.ts"

/** Bytes of a file by which its format is told. */
export const probeSizeBytes = 16

/** Bytes of a file that are read at once. */
const chunkSizeBytes: number = 1024 * 1024

/** An archive of ours whose outside is sound. Its payload has been looked at by nobody yet. */
export interface ArchiveOutside {
  readonly path: string
  readonly sizeBytes: number
  readonly manifest: ArchiveFormat.Manifest
  readonly footer: ArchiveFormat.Footer
  readonly payload: ByteSource.ByteSource
}

/** Formats of others that somebody may have forgotten to provide. */
const knownForeign: ReadonlyArray<{ readonly name: string; readonly magic: string; readonly provide: string }> = [
  { name: "c1z", magic: "C1ZF\0", provide: "C1z.layer of @icecore/engine/c1z" }
]

/** Why a file that begins so is none that can be opened here. */
export const unrecognized = (path: string, head: Uint8Array): ArchiveFormatUnsupported | ArchiveUnrecognized => {
  const text = String.fromCharCode(...head)
  const known = knownForeign.find(({ magic }) => text.startsWith(magic))
  return known === undefined
    ? new ArchiveUnrecognized({ path, actual: Hex.encode(head.slice(0, ArchiveFormat.magic.length)) })
    : new ArchiveFormatUnsupported({ path, format: known.name, provide: known.provide })
}

/** Reads head and footer, with three reads whatever the size, and holds them against their checksums. */
export const read: (
  source: ByteSource.ByteSource,
  bounds: ArchiveBounds
) => Effect.Effect<ArchiveOutside, ArchiveCorrupt | ArchiveLimitExceeded | ArchiveVersionUnsupported | DiskError> =
  Effect.fnUntraced(function* (source: ByteSource.ByteSource, bounds: ArchiveBounds) {
    const { path, sizeBytes } = source
    const corrupt = (part: ArchiveFormat.ArchiveFault["part"], detail: string) =>
      new ArchiveCorrupt({ path, part, detail })
    if (sizeBytes < ArchiveFormat.minSizeBytes) {
      return yield* corrupt("size", `it has ${sizeBytes} bytes, expected ${ArchiveFormat.minSizeBytes} or more`)
    }
    const start = yield* source.read(0, ArchiveFormat.headSizeBytes)
    if (!ArchiveFormat.hasMagic(start)) return yield* corrupt("magic", "it does not begin with ICEARCH1")
    const manifestSizeBytes = ArchiveFormat.manifestSizeOf(start)
    if (manifestSizeBytes > bounds.maxManifestSizeBytes) {
      const maximum = bounds.maxManifestSizeBytes
      return yield* new ArchiveLimitExceeded({ path, subject: "manifest size", actual: manifestSizeBytes, maximum })
    }
    const payloadAt = ArchiveFormat.headSizeBytes + manifestSizeBytes
    const footerAt = sizeBytes - ArchiveFormat.footerSizeBytes
    if (payloadAt > footerAt) return yield* corrupt("size", `its manifest of ${manifestSizeBytes} bytes does not fit`)
    const footer = ArchiveFormat.decodeFooter(
      yield* source.read(footerAt, ArchiveFormat.footerSizeBytes),
      sizeBytes,
      manifestSizeBytes
    )
    if ("kind" in footer) return yield* corrupt(footer.part, footer.detail)
    const head = yield* source.read(0, payloadAt)
    const actual = Crc32c.checksum(head)
    if (actual !== footer.manifestCrc) {
      const detail = `its checksum is ${ArchiveFormat.hex(actual)}, expected ${ArchiveFormat.hex(footer.manifestCrc)}`
      return yield* corrupt("manifest", detail)
    }
    const manifest = ArchiveFormat.decodeManifest(head, footer.payloadSizeBytes)
    if ("kind" in manifest) return yield* corrupt(manifest.part, manifest.detail)
    for (const [subject, version, expected] of [
      ["format", manifest.format_version, ArchiveFormat.formatVersion],
      ["key layout", manifest.key_layout_version, keyLayoutVersion]
    ] as const) {
      if (version !== expected) {
        return yield* new ArchiveVersionUnsupported({ path, subject, actual: version, expected })
      }
    }
    const payload = ByteSource.slice(source, payloadAt, footer.payloadSizeBytes)
    return { path, sizeBytes, manifest, footer, payload }
  })

/** A source from one offset on, in chunks that are the consumer's. */
export const chunksOf = (source: ByteSource.ByteSource, offsetBytes = 0): Stream.Stream<Uint8Array, DiskError> =>
  Stream.unfold(offsetBytes, (at) => {
    const lengthBytes = Math.min(chunkSizeBytes, source.sizeBytes - at)
    return lengthBytes <= 0
      ? Effect.succeed(undefined)
      : Effect.map(source.read(at, lengthBytes), (bytes) => [bytes, at + lengthBytes] as const)
  })

/** The payload in chunks, of which the stream fails in the end when they are not what was written. */
export const checkedPayload = ({
  footer,
  path,
  payload
}: ArchiveOutside): Stream.Stream<Uint8Array, ArchiveCorrupt | DiskError> =>
  Stream.suspend(() => {
    const sha256 = createHash("sha256")
    let crc = 0
    const chunks = Stream.map(chunksOf(payload), (bytes) => {
      sha256.update(bytes)
      crc = Crc32c.update(crc, bytes)
      return bytes
    })
    const end = Effect.suspend(() => {
      const actual = Hex.encode(new Uint8Array(sha256.digest()))
      const expected = Hex.encode(footer.payloadSha256)
      return actual === expected && crc === footer.payloadCrc
        ? Effect.void
        : Effect.fail(
            new ArchiveCorrupt({ path, part: "payload", detail: `its SHA-256 is ${actual}, expected ${expected}` })
          )
    })
    return Stream.concat(chunks, Stream.drain(Stream.fromEffect(end)))
  })
