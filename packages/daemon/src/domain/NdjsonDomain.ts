/**
 * The domain of line-oriented logs: an entry is the bytes of one line without its line feed.
 *
 * Nothing is asked of the bytes but that they hold no line feed. A line that is no JSON, is empty, or is no UTF-8 is an entry
 * like any other, and a carriage return before the line feed is its last byte.
 *
 * Options name the keys by which entries are found, as JSON pointers (RFC 6901). What a pointer finds in a line:
 *
 * | value               | `hex`                           | `text`                                                          |
 * | ------------------- | ------------------------------- | --------------------------------------------------------------- |
 * | nothing, null       | no key                          | no key                                                          |
 * | text                | 64 hex digits, with or without `0x`, are the key; other text refuses the entry | its SHA-256, in UTF-8; half a surrogate pair refuses the entry |
 * | number              | refuses the entry               | SHA-256 of its shortest form (`1.0` is `1`); an integer beyond 2^53 − 1 refuses the entry |
 * | boolean             | refuses the entry               | SHA-256 of `true` or `false`                                    |
 * | array               | a key for each of its values, which may be no arrays | the same                                   |
 * | object              | refuses the entry               | refuses the entry                                               |
 *
 * A line that is no JSON has no keys, see {@link import("./NdjsonKeys.ts")}. Of names that an object has twice the last counts.
 */
import { Layer, Option, Schema } from "effect"
import { Domain, type DuplicatePolicy } from "../Domain.ts"
import * as JsonPointer from "./JsonPointer.ts"
import * as NdjsonKeys from "./NdjsonKeys.ts"

export interface NdjsonOptions {
  /** JSON pointers of the keys; their order and repeats mean nothing. Default: none, and entries are found by seq alone. */
  readonly keys?: ReadonlyArray<string>
  /** `hex`: the text is the key. `text`: the key is its SHA-256. Default `hex`. */
  readonly keyFormat?: NdjsonKeys.KeyFormat
  /** Default `error`. */
  readonly duplicates?: DuplicatePolicy
}

export const defaults: Required<NdjsonOptions> = { keys: [], keyFormat: "hex", duplicates: "error" }

const lineFeed = 10

/** The domain. Throws when a text is no JSON pointer: {@link isPointer} tells before. */
export const make = (options: NdjsonOptions = {}): Domain => {
  const { keyFormat, duplicates } = { ...defaults, ...options }
  const keys = [...new Set(options.keys)].sort()
  const pointers = keys.map(pointerOf)
  const hasKeys = keys.length > 0
  return {
    name: "ndjson",
    version: 1,
    options: hasKeys ? JSON.stringify({ keys, keyFormat, duplicates }) : "",
    firstSeq: 0,
    mediaType: "application/json",
    isLineSafe: true,
    refusal: (entry) => {
      const at = entry.indexOf(lineFeed)
      return at < 0 ? Option.none() : Option.some(`byte ${at} is a line feed, an entry is one line without it`)
    },
    keys: hasKeys ? Option.some(NdjsonKeys.make({ pointers, keyFormat, duplicates })) : Option.none(),
    module: Option.some({ url: import.meta.url, options: { keys, keyFormat, duplicates } satisfies NdjsonOptions })
  }
}

/** The options that gave a domain its `options` text; none when the text is no such. */
export const parseOptions = (text: string): Option.Option<Required<NdjsonOptions>> =>
  text === "" ? Option.some(defaults) : decodeOptions(text)

const decodeOptions: (text: string) => Option.Option<Required<NdjsonOptions>> = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      keys: Schema.Array(Schema.String.check(Schema.makeFilter((text) => isPointer(text)))),
      keyFormat: Schema.Literals(["hex", "text"]),
      duplicates: Schema.Literals(["error", "first", "last"])
    })
  )
)

/** Whether a text is a JSON pointer: empty, or steps that each begin with "/", with "~" only in "~0" and "~1". */
export const isPointer = (text: string): boolean => Option.isSome(JsonPointer.parse(text))

const pointerOf = (text: string): JsonPointer.JsonPointer =>
  Option.getOrThrowWith(JsonPointer.parse(text), () => new Error(`${JSON.stringify(text)} is no JSON pointer`))

/** The domain without keys. */
export const layer: Layer.Layer<Domain> = Layer.sync(Domain, make)

/** {@link make} as a layer. */
export const layerWith = (options: NdjsonOptions): Layer.Layer<Domain> => Layer.sync(Domain, () => make(options))
