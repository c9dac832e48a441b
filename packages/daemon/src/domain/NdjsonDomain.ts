/**
 * The domain of line-oriented logs: an entry is the bytes of one line without its line feed.
 *
 * Nothing is asked of the bytes but that they hold no line feed. A line that is no JSON, is empty, or is no UTF-8 is an entry
 * like any other, and a carriage return before the line feed is its last byte.
 */
import { Layer, Option } from "effect"
import { Domain } from "../Domain.ts"

const lineFeed = 10

export const make = (): Domain => ({
  name: "ndjson",
  version: 1,
  firstSeq: 0,
  mediaType: "application/json",
  isLineSafe: true,
  refusal: (entry) => {
    const at = entry.indexOf(lineFeed)
    return at < 0 ? Option.none() : Option.some(`byte ${at} is a line feed, an entry is one line without it`)
  }
})

export const layer: Layer.Layer<Domain> = Layer.succeed(Domain, make())
