/**
 * What is fixed when a store is made, because every artifact is derived through it: the `config:` keys of the catalog.
 *
 * ```
 * config:catalog_version     "1"           of keys, values and layout; read before anything else
 * config:first_seq           "0"
 * config:entries_per_chunk   "10000"
 * config:chunks_per_window   "1000"
 * config:earliest_seq        "0"           lowest seq ever kept
 * config:domain_name         "ndjson"      1 to 64 of a-z 0-9 . _ -, starting with a letter
 * config:domain_version      "1"
 * ```
 *
 * Numbers are decimal without leading zeros, 0 to 2^53 − 1. All keys are put in one synced batch on first start, and none is
 * ever changed. Part of the on-disk format: never change, add a version.
 */
import { Result } from "effect"
import { fault, type Geometry } from "../Geometry.ts"

/** The catalog version that is written; and the newest that is read. */
export const catalogVersion = 1

/** The domain that the artifacts are derived through. */
export interface DomainPin {
  readonly name: string
  readonly version: number
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
  "domain_version"
] as const

export type PinName = (typeof pinNames)[number]

/** A pin whose text is wrong. */
export interface PinFault {
  readonly name: PinName
  readonly expected: string
}

const integerPattern = /^(?:0|[1-9]\d{0,15})$/
const domainNamePattern = /^[a-z][a-z0-9._-]{0,63}$/

/** A decimal number as pins have it; NaN for any other text. */
export const decodeInteger = (text: string): number => {
  const value = integerPattern.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : Number.NaN
}

/** The texts of all pins. */
export const encode = (pins: Pins): Readonly<Record<PinName, string>> => ({
  catalog_version: catalogVersion.toString(),
  first_seq: pins.geometry.firstSeq.toString(),
  entries_per_chunk: pins.geometry.entriesPerChunk.toString(),
  chunks_per_window: pins.geometry.chunksPerWindow.toString(),
  earliest_seq: pins.earliestSeq.toString(),
  domain_name: pins.domain.name,
  domain_version: pins.domain.version.toString()
})

/** The pins of their texts, of the version {@link catalogVersion}; or the first that is missing or wrong. */
export const decode = (texts: ReadonlyMap<string, string>): Result.Result<Pins, PinFault> => {
  for (const name of pinNames)
    if (!texts.has(name)) return Result.fail({ name, expected: "a value, as every catalog has" })
  for (const name of pinNames)
    if (name !== "domain_name" && Number.isNaN(decodeInteger(texts.get(name)!)))
      return Result.fail({ name, expected: "a decimal number of at most 2^53 - 1" })
  const number = (name: PinName): number => decodeInteger(texts.get(name)!)
  const pins: Pins = {
    geometry: {
      firstSeq: number("first_seq"),
      entriesPerChunk: number("entries_per_chunk"),
      chunksPerWindow: number("chunks_per_window")
    },
    earliestSeq: number("earliest_seq"),
    domain: { name: texts.get("domain_name")!, version: number("domain_version") }
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
  return undefined
}

const geometryPins: Readonly<Record<keyof Geometry, PinName>> = {
  firstSeq: "first_seq",
  entriesPerChunk: "entries_per_chunk",
  chunksPerWindow: "chunks_per_window"
}
