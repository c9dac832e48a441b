/**
 * Kinds of settings: how a value is written in TOML and on the command line, and what it must satisfy.
 */
import { ByteSize, Duration, Option } from "effect"

/** A kind of value. `expected` completes the sentence "expected …". */
export interface ConfigKind<A> {
  readonly expected: string
  /** Reads a TOML value. */
  readonly parse: (value: unknown) => Option.Option<A>
  /** Reads the text of a flag. */
  readonly parseText: (text: string) => Option.Option<A>
  /** Writes the value as TOML. */
  readonly format: (value: A) => string
}

const isText = (value: unknown): value is string => typeof value === "string"

const parsedText = <A>(
  expected: string,
  parse: (text: string) => Option.Option<A>,
  format: (value: A) => string
): ConfigKind<A> => ({
  expected,
  parse: (value) => Option.flatMap(Option.liftPredicate(isText)(value), parse),
  parseText: parse,
  format: (value) => JSON.stringify(format(value))
})

/** Text that is not empty and holds no NUL. */
export const text = (what = "text"): ConfigKind<string> =>
  parsedText(
    `${what} (not empty)`,
    Option.liftPredicate((value: string) => value.length > 0 && !value.includes("\0")),
    (value) => value
  )

/** One of some words. */
export const oneOf = <const A extends string>(words: readonly [A, ...Array<A>]): ConfigKind<A> =>
  parsedText(
    words.map((word) => `"${word}"`).join(" or "),
    (value) => Option.fromUndefinedOr(words.find((word) => word === value)),
    (value) => value
  )

/** A whole number, both bounds inclusive. */
export const integer = (low: number, high: number): ConfigKind<number> => {
  const parse = Option.liftPredicate(
    (value: unknown): value is number =>
      typeof value === "number" && Number.isSafeInteger(value) && value >= low && value <= high
  )
  return {
    expected: `a whole number from ${low} to ${high}`,
    parse,
    parseText: (value) => (/^\d[\d_]*$/.test(value) ? parse(Number(value.replaceAll("_", ""))) : Option.none()),
    format: String
  }
}

export const boolean: ConfigKind<boolean> = {
  expected: "true or false",
  parse: Option.liftPredicate((value: unknown): value is boolean => typeof value === "boolean"),
  parseText: (value) => (value === "true" ? Option.some(true) : value === "false" ? Option.some(false) : Option.none()),
  format: String
}

/** A size with its unit, such as `"256 MiB"`; bounds in bytes, inclusive. The value is in bytes. */
export const byteSize = (low: number, high: number): ConfigKind<number> =>
  parsedText(
    `a size with its unit, such as "64 MiB", from ${low} to ${high} bytes`,
    (value) => Option.filter(Option.map(ByteSize.fromString(value), Number), (bytes) => bytes >= low && bytes <= high),
    (bytes) => `${bytes} B`
  )

/** A duration with its unit, such as `"25 seconds"`; bounds in milliseconds, inclusive. The value is in milliseconds. */
export const durationMillis = (low: number, high: number): ConfigKind<number> =>
  parsedText(
    `a duration with its unit, such as "10 seconds", from ${low} to ${high} milliseconds`,
    (value) =>
      /^\d+(\.\d+)? [a-z]+$/.test(value)
        ? Option.filter(
            Option.map(Duration.fromInput(value as Duration.Input), Duration.toMillis),
            (millis) => millis >= low && millis <= high
          )
        : Option.none(),
    (millis) => `${millis} millis`
  )

/** A host and a port to listen on. */
export interface ListenAddress {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
}

/** `"127.0.0.1:7420"`, `"[::1]:7420"` or `"localhost:0"`. */
export const listenAddress: ConfigKind<ListenAddress> = parsedText(
  'host and port, such as "127.0.0.1:7420"',
  (value) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(value)
    const host = match?.[1] ?? match?.[2]
    const port = Number(match?.[3])
    return host === undefined || port > 65_535 ? Option.none() : Option.some({ host, port })
  },
  ({ host, port }) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`)
)

/** A setting that may be left out. */
export const optional = <A>(kind: ConfigKind<A>): ConfigKind<Option.Option<A>> => ({
  expected: kind.expected,
  parse: (value) => Option.map(kind.parse(value), Option.some),
  parseText: (value) => Option.map(kind.parseText(value), Option.some),
  format: Option.match({ onNone: () => "", onSome: kind.format })
})

/** Several texts, such as `["/hash", "/id"]`. On the command line such a list, or the texts with commas between them. */
export const list = (options: {
  readonly expected: string
  readonly maxLength: number
  readonly accepts: (text: string) => boolean
}): ConfigKind<ReadonlyArray<string>> => {
  const parse = Option.liftPredicate(
    (value: unknown): value is ReadonlyArray<string> =>
      Array.isArray(value) &&
      value.length <= options.maxLength &&
      value.every((item) => isText(item) && options.accepts(item))
  )
  return {
    expected: options.expected,
    parse,
    parseText: (value) =>
      value.startsWith("[") ? Option.flatMap(parseJson(value), parse) : parse(value === "" ? [] : value.split(",")),
    format: (value) => `[${value.map((item) => JSON.stringify(item)).join(", ")}]`
  }
}

const parseJson: (text: string) => Option.Option<unknown> = Option.liftThrowable((text: string): unknown =>
  JSON.parse(text)
)

/** Where the kept history begins: at the log's first entry, at the newest one at first start, or at a seq. */
export type Earliest = "genesis" | "now" | number

/** `"genesis"`, `"now"` or a seq. */
export const earliest: ConfigKind<Earliest> = {
  expected: '"genesis", "now" or a sequence number',
  parse: (value) => (isText(value) ? words.parse(value) : seq.parse(value)),
  parseText: (text) => Option.orElse<Earliest, Earliest>(words.parseText(text), () => seq.parseText(text)),
  format: (value) => (typeof value === "number" ? seq.format(value) : words.format(value))
}

const words = oneOf(["genesis", "now"])

const seq = integer(0, Number.MAX_SAFE_INTEGER)
