/**
 * Text as a terminal shows it: how many columns it takes, a part of it that fits, and nothing in it that could steer the terminal.
 */

/** Clusters that take two columns: East Asian wide and full-width characters, and what is drawn as an emoji. */
const wide =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u231a\u231b\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{17000}-\u{18aff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u

/** Clusters that take none: combining marks and format characters by themselves. */
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}]+$/u

/** Text of which each UTF-16 unit is one column. */
const printableAscii = /^[\x20-\x7e]*$/

/** What steers a terminal or turns the direction of text: controls, and marks, embeddings and isolates of direction. */
const steering = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

const shortEscapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })

/** Columns of a terminal that the text takes, of text without control characters. */
export const widthOf = (text: string): number => {
  if (printableAscii.test(text)) return text.length
  let width = 0
  for (const { segment } of segmenter.segment(text)) width += widthOfCluster(segment)
  return width
}

const widthOfCluster = (cluster: string): number => (wide.test(cluster) ? 2 : zeroWidth.test(cluster) ? 0 : 1)

/** The text, or as much of its beginning as fits with an ellipsis behind it. `columns` is 1 or more. */
export const fit = (text: string, columns: number): string => {
  // No cluster takes less than no column, but each one that is looked at costs: of long text the beginning is enough.
  if (printableAscii.test(text)) return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`
  let width = 0
  let end = 0
  for (const { segment, index } of segmenter.segment(text)) {
    width += widthOfCluster(segment)
    if (width > columns) return `${text.slice(0, end)}…`
    if (width <= columns - 1) end = index + segment.length
  }
  return text
}

/** At most so many UTF-16 units of the beginning, and no half of a character. */
export const headOf = (text: string, units: number): string => {
  if (text.length <= units) return text
  const last = text.charCodeAt(units - 1)
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? units - 1 : units)
}

/** The text with spaces behind it, or before it, up to so many columns. */
export const pad = (text: string, columns: number, side: "left" | "right" = "right"): string => {
  const spaces = " ".repeat(Math.max(0, columns - widthOf(text)))
  return side === "right" ? text + spaces : spaces + text
}

/** The text on one line, with `\n`, `\u001b` and such in place of what would steer the terminal. */
export const visible = (text: string): string =>
  text.replaceAll(
    steering,
    (character) => shortEscapes[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
