/**
 * What is fixed when a store is made, because every artifact is derived through it: the `config:` keys of the catalog.
 *
 * ```
 * config:catalog_version     "2"           of keys, values and layout; read before anything else
 * config:first_seq           "0"
 * config:entries_per_chunk   "10000"
 * config:chunks_per_window   "1000"
 * config:earliest_seq        "0"           lowest seq ever kept
 * config:domain_name         "ndjson"      1 to 64 of a-z 0-9 . _ -, starting with a letter
 * config:domain_version      "1"
 * config:domain_options      "keys=/hash"  printable ASCII of at most 200 bytes, or "sha256:" and 64 hexadecimal digits
 * config:begin_seq           "120000"      no pin but a mark: history is promised whole from here on; absent: from earliest_seq on
 * ```
 *
 * Numbers are decimal without leading zeros, 0 to 2^53 − 1. All pins are put in one synced batch on first start. After it only
 * `earliest_seq` changes, between starts, and `begin_seq`: up before anything below it is demoted, down when history that begins
 * earlier has been filled in. Each of these changes is one synced batch with all pins in it.
 *
 * - version 1 has neither `domain_options`, which are read as "", nor `begin_seq`; the first change makes it version 2;
 * - version 2 has them.
 *
 * Part of the on-disk format: never change, add a version.
 */
import { createHash } from "node:crypto"
import { Result } from "effect"
import { fault, type Geometry } from "../Geometry.ts"

/** The catalog version that a first start writes; and the newest that is read. The oldest is 1. */
export const catalogVersion = 2

/** The domain that the artifacts are derived through. */
export interface DomainPin {
  readonly name: string
  readonly version: number
  /** Canonical text of everything else that artifacts are derived through, pinned as {@link optionsText} of it. Default "". */
  readonly options?: string
}

export interface Pins {
  readonly geometry: Geometry
  /** Lowest seq that is ever kept, at least the geometry's `firstSeq`. */
  readonly earliestSeq: number
  readonly domain: DomainPin
}

/** Names of the pins, in the order they are checked. */
export const pinNames = [
  "catalog_version",
  "first_seq",
  "entries_per_chunk",
  "chunks_per_window",
  "earliest_seq",
  "domain_name",
  "domain_version",
  "domain_options"
] as const

/** Name of the mark where history begins. */
export const beginName = "begin_seq"

export type PinName = (typeof pinNames)[number]

/** A pin whose text is wrong. */
export interface PinFault {
  readonly name: PinName
  readonly expected: string
}

/** Longest text of options that is pinned as it is, in bytes. */
export const maxOptionsSizeBytes = 200

const optionsPattern = /^[\x20-\x7e]{0,200}$/
const hashPrefix = "sha256:"

/**
 * What is pinned of a domain's options: the text itself when it is printable ASCII of at most {@link maxOptionsSizeBytes} and cannot
 * be taken for a hash, else the SHA-256 of its UTF-8 bytes.
 */
export const optionsText = (options: string): string =>
  optionsPattern.test(options) && !options.startsWith(hashPrefix)
    ? options
    : `${hashPrefix}${createHash("sha256").update(options, "utf8").digest("hex")}`

const integerPattern = /^(?:0|[1-9]\d{0,15})$/
const domainNamePattern = /^[a-z][a-z0-9._-]{0,63}$/

/** A decimal number as pins have it; NaN for any other text. */
export const decodeInteger = (text: string): number => {
  const value = integerPattern.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : Number.NaN
}

/** The texts of all pins, of the version {@link catalogVersion}. Options are taken as they are: see {@link optionsText}. */
export const encode = (pins: Pins): Readonly<Record<PinName, string>> => ({
  catalog_version: catalogVersion.toString(),
  first_seq: pins.geometry.firstSeq.toString(),
  entries_per_chunk: pins.geometry.entriesPerChunk.toString(),
  chunks_per_window: pins.geometry.chunksPerWindow.toString(),
  earliest_seq: pins.earliestSeq.toString(),
  domain_name: pins.domain.name,
  domain_version: pins.domain.version.toString(),
  domain_options: pins.domain.options ?? ""
})

/** The pins that a catalog of the version has, in the order they are checked. */
export const pinNamesOf = (version: number): ReadonlyArray<PinName> =>
  version < 2 ? pinNames.filter((name) => name !== "domain_options") : pinNames

/** The pins of their texts, of any version up to {@link catalogVersion}; or the first that is missing or wrong. */
export const decode = (texts: ReadonlyMap<string, string>): Result.Result<Pins, PinFault> => {
  const names = pinNamesOf(decodeInteger(texts.get("catalog_version") ?? ""))
  for (const name of names)
    if (!texts.has(name)) return Result.fail({ name, expected: "a value, as every catalog has" })
  for (const name of names)
    if (name !== "domain_name" && name !== "domain_options" && Number.isNaN(decodeInteger(texts.get(name)!)))
      return Result.fail({ name, expected: "a decimal number of at most 2^53 - 1" })
  const number = (name: PinName): number => decodeInteger(texts.get(name)!)
  const pins: Pins = {
    geometry: {
      firstSeq: number("first_seq"),
      entriesPerChunk: number("entries_per_chunk"),
      chunksPerWindow: number("chunks_per_window")
    },
    earliestSeq: number("earliest_seq"),
    domain: {
      name: texts.get("domain_name")!,
      version: number("domain_version"),
      options: texts.get("domain_options") ?? ""
    }
  }
  const invalid = pinFault(pins)
  return invalid === undefined ? Result.succeed(pins) : Result.fail(invalid)
}

/** The first pin whose value cannot be; undefined when all can. */
export const pinFault = (pins: Pins): PinFault | undefined => {
  const geometry = fault(pins.geometry)
  if (geometry !== undefined) return { name: geometryPins[geometry.field], expected: geometry.expected }
  if (!Number.isSafeInteger(pins.earliestSeq) || pins.earliestSeq < pins.geometry.firstSeq)
    return { name: "earliest_seq", expected: `${pins.geometry.firstSeq} (the first seq) to 2^53 - 1` }
  if (!domainNamePattern.test(pins.domain.name))
    return { name: "domain_name", expected: "1 to 64 of a-z 0-9 . _ -, starting with a letter" }
  if (!Number.isSafeInteger(pins.domain.version) || pins.domain.version < 0)
    return { name: "domain_version", expected: "0 to 2^53 - 1" }
  if (!optionsPattern.test(pins.domain.options ?? ""))
    return { name: "domain_options", expected: `printable ASCII of at most ${maxOptionsSizeBytes} bytes` }
  return undefined
}

const geometryPins: Readonly<Record<keyof Geometry, PinName>> = {
  firstSeq: "first_seq",
  entriesPerChunk: "entries_per_chunk",
  chunksPerWindow: "chunks_per_window"
}
