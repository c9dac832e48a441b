/**
 * The settings of the daemon, each declared once: from the declaration come the TOML key, the flag, the default, the check
 * and the help text. {@link load} combines them: flags beat the file, the file beats the defaults.
 */
import { Effect, Option, Predicate } from "effect"
import * as NdjsonDomain from "../domain/NdjsonDomain.ts"
import { type ConfigError, ConfigInvalidValue, type ConfigPlace, ConfigUnknownKey } from "./ConfigError.ts"
import type { ConfigDocument } from "./ConfigFile.ts"
import * as Kind from "./ConfigKind.ts"

export interface Config {
  readonly storage: {
    readonly dataDir: string
    readonly catalogDir: Option.Option<string>
    readonly hotDir: Option.Option<string>
    readonly entriesDir: Option.Option<string>
    readonly eventsDir: Option.Option<string>
    readonly keysDir: Option.Option<string>
  }
  readonly engine: {
    readonly hot: "sqlite" | "lmdb"
    readonly catalog: "sqlite" | "lmdb"
  }
  readonly geometry: {
    readonly firstSeq: Option.Option<number>
    readonly entriesPerChunk: Option.Option<number>
    readonly chunksPerWindow: Option.Option<number>
  }
  readonly domain: {
    readonly name: "ndjson"
    /** JSON pointers. None, here and below: what is pinned. */
    readonly keys: Option.Option<ReadonlyArray<string>>
    readonly keyFormat: Option.Option<"hex" | "text">
    readonly duplicates: Option.Option<"error" | "first" | "last">
  }
  readonly source: {
    readonly kind: "ndjson" | "demo"
    readonly path: string
    readonly follow: boolean
    readonly onGap: "fail" | "continue"
    readonly maxLine: number
    readonly demoRate: number
  }
  readonly ingest: {
    readonly batch: number
    readonly maxUnfrozen: number
  }
  readonly retention: {
    /** 0: all. */
    readonly chunks: number
    /** None: what is pinned. */
    readonly earliest: Option.Option<Kind.Earliest>
    readonly grace: number
  }
  readonly backfill: {
    readonly workers: number
    readonly maxRetries: number
  }
  readonly workers: {
    /** None: as many as suit the machine. */
    readonly count: Option.Option<number>
  }
  readonly keys: {
    readonly cache: number
  }
  readonly serve: {
    readonly address: Kind.ListenAddress
    readonly token: Option.Option<string>
    readonly insecure: boolean
    readonly maxConnections: number
    readonly maxRequests: number
    readonly maxPages: number
    readonly maxBody: number
    readonly maxHeaders: number
    readonly maxResponse: number
    readonly maxRows: number
    readonly deadline: number
    readonly maxViews: number
    readonly maxViewAge: number
  }
  readonly logging: {
    readonly level: "debug" | "info" | "warn" | "error"
    readonly format: "pretty" | "json"
  }
}

interface Setting<A> {
  readonly kind: Kind.ConfigKind<A>
  readonly default: A
  readonly doc: string
}

type Settings = { readonly [S in keyof Config]: { readonly [K in keyof Config[S]]: Setting<Config[S][K]> } }

const setting = <A>(kind: Kind.ConfigKind<A>, defaultValue: NoInfer<A>, doc: string): Setting<A> => ({
  kind,
  default: defaultValue,
  doc
})

const directory = Kind.optional(Kind.text("a directory"))
const engine = Kind.oneOf(["sqlite", "lmdb"])
const gibibyte = 2 ** 30

/** JSON pointers that name keys, at most. */
const maxKeyPointers = 16

const settings: Settings = {
  storage: {
    dataDir: setting(Kind.text("a directory"), "./data", "Directory of the store"),
    catalogDir: setting(directory, Option.none(), "Directory of the catalog instead of data_dir/catalog"),
    hotDir: setting(directory, Option.none(), "Directory of the hot databases instead of data_dir/hot"),
    entriesDir: setting(directory, Option.none(), "Directory of the frozen entries instead of data_dir/entries"),
    eventsDir: setting(directory, Option.none(), "Directory of the frozen events instead of data_dir/events"),
    keysDir: setting(directory, Option.none(), "Directory of the key runs and key indexes instead of data_dir/keys")
  },
  engine: {
    hot: setting(engine, "sqlite", "Engine of the hot databases; a store keeps the one it was made with"),
    catalog: setting(engine, "sqlite", "Engine of the catalog; a store keeps the one it was made with")
  },
  geometry: {
    firstSeq: setting(
      Kind.optional(Kind.integer(0, Number.MAX_SAFE_INTEGER)),
      Option.none(),
      "Sequence number of the first entry; pinned at first start, then 0 unless set"
    ),
    entriesPerChunk: setting(
      Kind.optional(Kind.integer(1, 0xffff_ffff)),
      Option.none(),
      "Entries in a chunk; pinned at first start, then 10000 unless set"
    ),
    chunksPerWindow: setting(
      Kind.optional(Kind.integer(1, 100_000_000)),
      Option.none(),
      "Chunks in a window; pinned at first start, then 1000 unless set"
    )
  },
  domain: {
    name: setting(Kind.oneOf(["ndjson"]), "ndjson", "What an entry is (pinned at first start)"),
    keys: setting(
      Kind.optional(
        Kind.list({
          expected: `up to ${maxKeyPointers} JSON pointers, such as ["/hash", "/parts/0/id"]`,
          maxLength: maxKeyPointers,
          accepts: NdjsonDomain.isPointer
        })
      ),
      Option.none(),
      "JSON pointers of the keys that entries are found by, as a flag with commas between them; pinned at first start, then none unless set"
    ),
    keyFormat: setting(
      Kind.optional(Kind.oneOf(["hex", "text"])),
      Option.none(),
      "Whether 64 hex digits are the key, or the key is the SHA-256 of text; pinned at first start, then hex unless set"
    ),
    duplicates: setting(
      Kind.optional(Kind.oneOf(["error", "first", "last"])),
      Option.none(),
      "When two entries have one key: refuse the later one, or find the first or the last; pinned at first start, then error unless set"
    )
  },
  source: {
    kind: setting(Kind.oneOf(["ndjson", "demo"]), "ndjson", "Where entries come from"),
    path: setting(
      Kind.text('a file, a directory or "-"'),
      "./log.ndjson",
      'File, directory, or "-" for standard input'
    ),
    follow: setting(Kind.boolean, true, "Wait for more at the end of the source, as tail -F does"),
    onGap: setting(
      Kind.oneOf(["fail", "continue"]),
      "fail",
      "What to do when lines of a rotated file may have been missed"
    ),
    maxLine: setting(Kind.byteSize(1, 16 * 2 ** 20), 16 * 2 ** 20, "Longest line taken"),
    demoRate: setting(Kind.integer(1, 1_000_000), 50, "Entries a second of the demonstration log")
  },
  ingest: {
    batch: setting(Kind.integer(1, 100_000), 1, "Entries in a synced commit"),
    maxUnfrozen: setting(
      Kind.integer(1, 10_000),
      4,
      "Complete chunks that may wait to be frozen before ingestion waits for them"
    )
  },
  retention: {
    chunks: setting(Kind.integer(0, 100_000_000), 0, "Complete chunks to keep; 0 keeps all"),
    earliest: setting(
      Kind.optional(Kind.earliest),
      Option.none(),
      "First entry to keep: the log's first, the newest at first start, or a seq; pinned, then changed by setting another"
    ),
    grace: setting(
      Kind.durationMillis(1_000, 3_600_000),
      30_000,
      "How long files that nothing needs any more are left to those who read them; more than serve.deadline"
    )
  },
  backfill: {
    workers: setting(Kind.integer(1, 64), 2, "Chunks that are made at once"),
    maxRetries: setting(Kind.integer(0, 100), 3, "How often a chunk that failed is tried again")
  },
  workers: {
    count: setting(
      Kind.optional(Kind.integer(0, 64)),
      Option.none(),
      "Threads that compress, hash and sort; 0 does it beside everything else; one or two unless set"
    )
  },
  keys: {
    cache: setting(Kind.byteSize(0, 64 * gibibyte), 64 * 2 ** 20, "Most memory that key indexes are held in")
  },
  serve: {
    address: setting(Kind.listenAddress, { host: "127.0.0.1", port: 7420 }, "Where HTTP listens"),
    token: setting(Kind.optional(Kind.text("a token")), Option.none(), "Bearer token that every request must carry"),
    insecure: setting(Kind.boolean, false, "Allow a non-loopback address without a token"),
    maxConnections: setting(Kind.integer(1, 100_000), 512, "Connections open at once"),
    maxRequests: setting(Kind.integer(1, 100_000), 256, "Requests in work at once"),
    maxPages: setting(
      Kind.integer(1, 10_000),
      32,
      "Pages of entries in work at once, each up to max_response in memory"
    ),
    maxBody: setting(Kind.byteSize(0, gibibyte), 2 ** 20, "Largest request body"),
    maxHeaders: setting(Kind.byteSize(1_024, 2 ** 20), 16 * 2 ** 10, "Largest request head"),
    maxResponse: setting(Kind.byteSize(1_024, gibibyte), 8 * 2 ** 20, "Largest page of entries"),
    maxRows: setting(Kind.integer(1, 100_000), 1_000, "Entries in a page"),
    deadline: setting(Kind.durationMillis(1, 3_600_000), 10_000, "Longest a request may take"),
    maxViews: setting(Kind.integer(1, 800), 256, "Reads at once that each see one state of the store"),
    maxViewAge: setting(
      Kind.durationMillis(1_000, 86_400_000),
      300_000,
      "Longest that one read may go on; more than serve.deadline"
    )
  },
  logging: {
    level: setting(Kind.oneOf(["debug", "info", "warn", "error"]), "info", "Least severe message to log"),
    format: setting(Kind.oneOf(["pretty", "json"]), "pretty", "Form of the log")
  }
}

/** A setting as the file and the command line name it. */
export interface SettingInfo {
  /** Dotted path: the TOML key, and the flag behind two dashes. */
  readonly key: string
  readonly expected: string
  /** True or false: as a flag it may stand without a value. */
  readonly isBoolean: boolean
  /** The default as TOML; empty where leaving it out means something of its own. */
  readonly default: string
  readonly doc: string
}

interface Leaf {
  readonly section: string
  readonly field: string
  readonly key: string
  readonly setting: Setting<unknown>
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const leaves: ReadonlyArray<Leaf> = Object.entries(settings).flatMap(([section, fields]) =>
  Object.entries(fields as Readonly<Record<string, Setting<unknown>>>).map(([field, value]) => ({
    section,
    field,
    key: `${section}.${snakeCase(field)}`,
    setting: value
  }))
)

const leafByKey: ReadonlyMap<string, Leaf> = new Map(leaves.map((leaf) => [leaf.key, leaf]))

/** Every setting, in the order of the declaration. */
export const settingInfos: ReadonlyArray<SettingInfo> = leaves.map(({ key, setting }) => ({
  key,
  expected: setting.kind.expected,
  isBoolean: setting.kind === Kind.boolean,
  default: setting.kind.format(setting.default),
  doc: setting.doc
}))

export interface LoadOptions {
  readonly document?: ConfigDocument
  /** Text of flags by dotted key. */
  readonly flags?: Readonly<Record<string, string>>
}

/**
 * Combines file, flags and defaults. Every value is checked, also one in the file that a flag overrides. Fails with the
 * first {@link ConfigUnknownKey} or {@link ConfigInvalidValue}, in the order of the file; then what must fit together is checked.
 */
export const load: (options: LoadOptions) => Effect.Effect<Config, ConfigError> = Effect.fnUntraced(function* ({
  document,
  flags = {}
}: LoadOptions) {
  const values = new Map<string, unknown>()
  const places = new Map<string, () => ConfigPlace>()
  for (const [key, value] of document === undefined ? [] : flatten(document.table)) {
    const place = (): ConfigPlace => ({ kind: "file", path: document!.path, line: document!.lineOf(key) })
    const name = key.join(".")
    values.set(name, yield* check(name, place, (leaf) => leaf.setting.kind.parse(value), value))
    places.set(name, place)
  }
  for (const [key, value] of Object.entries(flags)) {
    const place = (): ConfigPlace => ({ kind: "flag" })
    values.set(key, yield* check(key, place, (leaf) => leaf.setting.kind.parseText(value), value))
    places.set(key, place)
  }
  const config: Record<string, Record<string, unknown>> = {}
  for (const { section, field, key, setting } of leaves) {
    config[section] = { ...config[section], [field]: values.has(key) ? values.get(key) : setting.default }
  }
  const loaded = config as unknown as Config
  for (const { longer, shorter } of orderedDurations) {
    const [long, short] = [leafByKey.get(longer)!, leafByKey.get(shorter)!]
    const [longMillis, shortMillis] = [Number(valueOf(loaded, long)), Number(valueOf(loaded, short))]
    if (longMillis > shortMillis) continue
    // One of the two was set, because the defaults fit. The error is about that one.
    const [wrong, other, relation] = places.has(longer) ? [long, short, "more"] : [short, long, "less"]
    return yield* new ConfigInvalidValue({
      place: places.get(wrong.key)!(),
      key: wrong.key,
      expected: `${relation} than ${other.key}, which is ${other.setting.kind.format(valueOf(loaded, other))}`,
      actual: wrong.setting.kind.format(valueOf(loaded, wrong))
    })
  }
  return loaded
})

/** What is in work must be over before its files may go. */
const orderedDurations = [
  { longer: "retention.grace", shorter: "serve.deadline" },
  { longer: "serve.max_view_age", shorter: "serve.deadline" }
] as const

const check = (
  key: string,
  place: () => ConfigPlace,
  parse: (leaf: Leaf) => Option.Option<unknown>,
  value: unknown
): Effect.Effect<unknown, ConfigError> => {
  const leaf = leafByKey.get(key)
  if (leaf === undefined) return Effect.fail(new ConfigUnknownKey({ place: place(), key, nearest: nearestKey(key) }))
  return Option.match(parse(leaf), {
    onNone: () =>
      Effect.fail(
        new ConfigInvalidValue({ place: place(), key, expected: leaf.setting.kind.expected, actual: describe(value) })
      ),
    onSome: Effect.succeed
  })
}

/** Every setting by its key, as the program sees it; none is `null`. A token is not shown. */
export const toRecord = (config: Config): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    leaves.map((leaf) => {
      const value = valueOf(config, leaf)
      const shown = Option.isOption(value) ? Option.getOrNull(value) : value
      return [leaf.key, leaf.key === tokenKey && shown !== null ? hidden : shown]
    })
  )

/** The configuration as TOML, every setting spelled out. A token is not shown. */
export const toToml = (config: Config): string => {
  const lines: Array<string> = []
  let section = ""
  for (const leaf of leaves) {
    if (leaf.section !== section) {
      if (section !== "") lines.push("")
      section = leaf.section
      lines.push(`[${section}]`)
    }
    const text = leaf.setting.kind.format(valueOf(config, leaf))
    if (text === "") continue
    const name = leaf.key.slice(section.length + 1)
    lines.push(`${name} = ${leaf.key === tokenKey ? JSON.stringify(hidden) : text}`)
  }
  return `${lines.join("\n")}\n`
}

const tokenKey = "serve.token"
const hidden = "(hidden)"

const valueOf = (config: Config, leaf: Leaf): unknown =>
  (config as unknown as Record<string, Record<string, unknown>>)[leaf.section]?.[leaf.field]

const isTable = (value: unknown): value is Record<string, unknown> =>
  Predicate.isObject(value) && !(value instanceof Date)

/** Leaves of a TOML table with their paths. A table where a setting belongs is a leaf, so that it is refused by name. */
const flatten = (
  table: Readonly<Record<string, unknown>>,
  prefix: ReadonlyArray<string> = []
): ReadonlyArray<readonly [ReadonlyArray<string>, unknown]> =>
  Object.entries(table).flatMap(([name, value]) => {
    const path = [...prefix, name]
    const isSection = prefix.length === 0 && Object.hasOwn(settings, name)
    return isSection && isTable(value) ? flatten(value, path) : [[path, value] as const]
  })

const describe = (value: unknown): string => {
  if (typeof value === "bigint") return String(value)
  if (isTable(value)) return "a table"
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

const nearestKey = (key: string): string => {
  let nearest = leaves[0]!.key
  let best = Number.POSITIVE_INFINITY
  for (const leaf of leaves) {
    const distance = Math.min(
      editDistance(key, leaf.key),
      editDistance(key, leaf.key.slice(leaf.section.length + 1)) + 1
    )
    if (distance < best) {
      best = distance
      nearest = leaf.key
    }
  }
  return nearest
}

/** Levenshtein distance over at most the first 64 characters, enough to rank the known keys. */
const editDistance = (left: string, right: string): number => {
  const source = left.slice(0, 64)
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= source.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const substitution = row[j - 1]! + (source[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[right.length]!
}
