/**
 * The resume position of the NDJSON source: which file, how far, and what the last line was.
 *
 * UTF-8 JSON, so that a person can read it in a hot database; part of what is stored: never change a field, raise the version.
 *
 * ```json
 * {"v":1,"seq":41,"name":"log.ndjson","id":"2049:1311","offset":9120,"line":42,"bytes":216,"crc":2868450884,"open":false}
 * ```
 */
import { Crc32c } from "@icecore/codec"
import { Effect, Option, Schema } from "effect"
import { PositionInvalid } from "../Source.ts"

const version = 1

/** The place behind one line. */
export interface LinePosition {
  /** Seq of the entry that the line became. */
  readonly seq: number
  /** Bare name of its file; `-` for standard input. */
  readonly name: string
  /** Device and inode of its file; empty for standard input. */
  readonly identity: string
  /** Bytes of the file, decompressed, up to here, with the line feed of the line. */
  readonly offsetBytes: number
  /** Number of the line in its file, from 1. */
  readonly line: number
  /** Length of the line without its line feed. */
  readonly lineBytes: number
  /** CRC32C of the line without its line feed. */
  readonly lineCrc: number
  /** Whether the file ended before a line feed. */
  readonly isOpen: boolean
}

const count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

/** So that what is allocated to check a line stays bounded, whatever the bytes of a position say. */
const maxLineBytes = 0x7fff_ffff

const Wire = Schema.fromJsonString(
  Schema.Struct({
    v: Schema.Literal(version),
    seq: count,
    name: Schema.String,
    id: Schema.String,
    offset: count,
    line: count,
    bytes: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxLineBytes })),
    crc: count,
    open: Schema.Boolean
  })
)
const decodeWire = Schema.decodeUnknownOption(Wire)

export const encode = (position: LinePosition): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      v: version,
      seq: position.seq,
      name: position.name,
      id: position.identity,
      offset: position.offsetBytes,
      line: position.line,
      bytes: position.lineBytes,
      crc: position.lineCrc,
      open: position.isOpen
    })
  )

export const decode = (bytes: Uint8Array): Effect.Effect<LinePosition, PositionInvalid> => {
  const wire = decodeWire(new TextDecoder().decode(bytes))
  if (Option.isNone(wire) || wire.value.bytes + (wire.value.open ? 0 : 1) > wire.value.offset)
    return Effect.fail(
      new PositionInvalid({ source: "ndjson", detail: `its position is not one of version ${version} of this source` })
    )
  const { seq, name, id, offset, line, bytes: lineBytes, crc, open } = wire.value
  return Effect.succeed({
    seq,
    name,
    identity: id,
    offsetBytes: offset,
    line,
    lineBytes,
    lineCrc: crc,
    isOpen: open
  })
}

/** Checksum of a line as {@link LinePosition.lineCrc} holds it. */
export const checksum = (line: Uint8Array): number => Crc32c.checksum(line)

/** How errors show a line that is expected or found. */
export const describe = (lineBytes: number, lineCrc: number): string =>
  `${lineBytes} bytes with CRC32C 0x${lineCrc.toString(16).padStart(8, "0")}`
