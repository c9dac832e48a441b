/** How deep the arrays and objects of a JSON text nest, without parsing it. */

const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * Whether arrays and objects nest deeper than `limit`. Exact for JSON; for other bytes some answer.
 *
 * PERF: most texts have fewer brackets than the limit in all, which the first loop finds without looking for strings.
 */
export const isDeeperThan = (json: Uint8Array, limit: number): boolean => {
  // Each level takes two bytes.
  if (json.length <= 2 * limit) return false
  let opened = 0
  for (let at = 0; at < json.length; at++) if ((json[at]! | 0x20) === openBrace) opened++
  if (opened <= limit) return false
  let depth = 0
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!
    if (byte === quote) {
      for (at++; at < json.length && json[at] !== quote; at++) if (json[at] === backslash) at++
    } else if (byte === openBracket || byte === openBrace) {
      if (++depth > limit) return true
    } else if (byte === closeBracket || byte === closeBrace) depth--
  }
  return false
}
