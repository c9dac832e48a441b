/** Parts of names that nobody has used before. */
import { Effect, Random } from "effect"
import { Hex } from "effect/encoding"

/** So many bytes of chance, as hex digits. */
export const chanceHex: (sizeBytes: number) => Effect.Effect<string> = Effect.fnUntraced(function* (sizeBytes: number) {
  const bytes = new Uint8Array(sizeBytes)
  for (let at = 0; at < sizeBytes; at++) bytes[at] = yield* Random.nextIntBetween(0, 255)
  return Hex.encode(bytes)
})
