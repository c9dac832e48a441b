/** The times in older archives: text in UTC, `2025-12-17 16:31:25.057185`, trailing zeros of the fraction left out. */

const pattern = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|[+-]00:00)?$/

/** Microseconds since 1970 UTC, and whether the text says more than these. */
export interface ParsedTime {
  readonly micros: number
  readonly isCut: boolean
}

/** Undefined when it is no time, or one before 1685 or after 2255, whose microseconds are no safe integer. */
export const parseTime = (text: string): ParsedTime | undefined => {
  const match = pattern.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number
  ]
  const millis = Date.UTC(year, month - 1, day, hour, minute, second)
  // A day or an hour that there is not comes out as another one.
  if (new Date(millis).toISOString().slice(0, 19) !== `${text.slice(0, 10)}T${text.slice(11, 19)}`) return undefined
  const fraction = (match[7] ?? "").padEnd(9, "0")
  const micros = millis * 1_000 + Number(fraction.slice(0, 6))
  return Number.isSafeInteger(micros) ? { micros, isCut: fraction.slice(6) !== "000" } : undefined
}
