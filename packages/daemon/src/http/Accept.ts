/**
 * Which form of a body a client asks for (RFC 9110, section 12.5.1).
 */

interface Preference {
  readonly type: string
  readonly quality: number
}

const parse = (accept: string): ReadonlyArray<Preference> =>
  accept
    .split(",")
    .slice(0, 32)
    .map((part) => {
      const [type = "", ...parameters] = part.split(";").map((piece) => piece.trim().toLowerCase())
      const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1"
      return { type, quality: /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(quality) ? Number(quality) : 0 }
    })

/**
 * The type among `offered` that the header likes best, the earlier one where it likes two alike; undefined when it likes
 * none. No header likes all.
 */
export const negotiate = (accept: string | undefined, offered: ReadonlyArray<string>): string | undefined => {
  if (accept === undefined || accept.trim() === "") return offered[0]
  const preferences = parse(accept)
  let best: string | undefined
  let bestQuality = 0
  for (const type of offered) {
    const quality = qualityOf(preferences, type)
    if (quality > bestQuality) {
      best = type
      bestQuality = quality
    }
  }
  return best
}

/** The most specific preference that names the type decides. */
const qualityOf = (preferences: ReadonlyArray<Preference>, type: string): number => {
  const group = `${type.split("/")[0]}/*`
  for (const name of [type, group, "*/*"]) {
    const preference = preferences.find((candidate) => candidate.type === name)
    if (preference !== undefined) return preference.quality
  }
  return 0
}
