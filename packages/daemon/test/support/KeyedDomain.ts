/** A domain whose entries say their keys outright: their number in one byte, 32 bytes each, then whatever else. */
import { Option, Result } from "effect"
import { type Domain, type DuplicatePolicy, keySizeBytes } from "../../src/Domain.ts"

/** An entry with these keys, of which it says nothing more. */
export const entryWith = (keys: ReadonlyArray<Uint8Array>, rest: Uint8Array): Uint8Array =>
  Uint8Array.from([keys.length, ...keys.flatMap((key) => [...key]), ...rest])

export const make = (duplicates: DuplicatePolicy): Domain => ({
  name: "keyed",
  version: 1,
  options: duplicates,
  firstSeq: 0,
  mediaType: "application/octet-stream",
  isLineSafe: false,
  refusal: () => Option.none(),
  keys: Option.some({
    duplicates,
    of: (entry) =>
      Result.succeed(
        Array.from({ length: entry[0]! }, (_, index) =>
          entry.slice(1 + index * keySizeBytes, 1 + (index + 1) * keySizeBytes)
        )
      ),
    parse: () => Option.none()
  }),
  module: Option.none()
})
