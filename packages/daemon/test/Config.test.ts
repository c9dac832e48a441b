import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Option } from "effect"
import fc from "fast-check"
import * as Config from "../src/config/Config.ts"
import type { ConfigError } from "../src/config/ConfigError.ts"
import * as ConfigFile from "../src/config/ConfigFile.ts"

const loadText = (text: string, flags?: Record<string, string>): Effect.Effect<Config.Config, ConfigError> =>
  Effect.flatMap(ConfigFile.parseText("icecore.toml", text), (document) =>
    Config.load(flags === undefined ? { document } : { document, flags })
  )

const failure = (text: string, flags?: Record<string, string>): Effect.Effect<ConfigError, unknown> =>
  Effect.flip(loadText(text, flags))

const sample = `# The whole of it
[storage]
data_dir = "./elsewhere"

[engine]
hot = "lmdb"

[geometry]
entries_per_chunk = 1_000

[serve]
address = "[::1]:80"
max_body = "2 MiB"
deadline = "25 seconds"
`

describe("Config.load", () => {
  it.effect("gives the defaults when there is neither file nor flag", () =>
    Effect.gen(function* () {
      const config = yield* Config.load({})
      assert.strictEqual(config.storage.dataDir, "./data")
      assert.isTrue(Option.isNone(config.geometry.entriesPerChunk))
      assert.deepStrictEqual(config.serve.address, { host: "127.0.0.1", port: 7420 })
    })
  )

  it.effect("lets flags beat the file and the file beat the defaults", () =>
    Effect.gen(function* () {
      const config = yield* loadText(sample, { "engine.hot": "sqlite", "geometry.first_seq": "2" })
      assert.strictEqual(config.engine.hot, "sqlite")
      assert.deepStrictEqual(config.geometry.firstSeq, Option.some(2))
      assert.deepStrictEqual(config.geometry.entriesPerChunk, Option.some(1_000))
      assert.strictEqual(config.serve.maxBody, 2 * 2 ** 20)
      assert.strictEqual(config.serve.deadline, 25_000)
      assert.strictEqual(config.storage.dataDir, "./elsewhere")
      assert.isTrue(Option.isNone(config.storage.hotDir))
    })
  )

  it.effect("names an unknown key, its line and the nearest known one", () =>
    Effect.gen(function* () {
      const error = yield* failure(sample.replace("max_body", "max_bdy"))
      assert.strictEqual(error._tag, "ConfigUnknownKey")
      assert.strictEqual(
        error.message,
        "Cannot use config icecore.toml, line 13: serve.max_bdy is not a setting; did you mean serve.max_body?"
      )
    })
  )

  it.effect("finds the section of a key that stands in none", () =>
    Effect.gen(function* () {
      const error = yield* failure("follow = true\n")
      assert.strictEqual(
        error.message,
        "Cannot use config icecore.toml, line 1: follow is not a setting; did you mean source.follow?"
      )
    })
  )

  it.effect("names the first line of a value that spans several", () =>
    Effect.gen(function* () {
      const error = yield* failure("[ingest]\n\n# why\nbatch = [\n  1,\n  2\n]\n")
      assert.strictEqual(
        error.message,
        "Cannot use config icecore.toml, line 4: ingest.batch is [1,2], expected a whole number from 1 to 100000"
      )
    })
  )

  it.effect("refuses a table where a value belongs and a value where a table belongs", () =>
    Effect.gen(function* () {
      assert.include((yield* failure("[ingest.batch]\nx = 1\n")).message, "ingest.batch is a table")
      assert.include((yield* failure("ingest = 3\n")).message, "line 1: ingest is not a setting")
    })
  )

  it.effect("refuses impossible values, from the file and from a flag", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [string, string]> = [
        ["[ingest]\nbatch = 0", "ingest.batch is 0"],
        ["[ingest]\nbatch = 1.5", "ingest.batch is 1.5"],
        ["[ingest]\nbatch = 99999999999999999999", "ingest.batch is 99999999999999999999"],
        ["[geometry]\nfirst_seq = -1", "geometry.first_seq is -1"],
        ['[serve]\naddress = "7420"', 'serve.address is "7420"'],
        ['[serve]\naddress = "localhost:70000"', 'serve.address is "localhost:70000"'],
        ["[serve]\nmax_body = 5", "serve.max_body is 5"],
        ['[serve]\nmax_body = "5"', 'serve.max_body is "5"'],
        ['[serve]\ndeadline = "-5 seconds"', 'serve.deadline is "-5 seconds"'],
        ['[serve]\ndeadline = "Infinity"', 'serve.deadline is "Infinity"'],
        ['[storage]\ndata_dir = ""', 'storage.data_dir is ""'],
        ['[engine]\nhot = "rocksdb"', 'engine.hot is "rocksdb", expected "sqlite" or "lmdb"'],
        ['[domain]\nkeys = ["hash"]', 'domain.keys is ["hash"], expected up to 16 JSON pointers'],
        ['[domain]\nkeys = "/hash"', 'domain.keys is "/hash", expected up to 16 JSON pointers'],
        ['[domain]\nkeys = ["/a~2"]', 'domain.keys is ["/a~2"]'],
        ["[domain]\nkeys = [3]", "domain.keys is [3]"],
        [`[domain]\nkeys = [${'"/a",'.repeat(17)}]`, "domain.keys is "],
        ['[domain]\nkey_format = "base64"', 'domain.key_format is "base64", expected "hex" or "text"'],
        ['[domain]\nduplicates = "any"', 'domain.duplicates is "any", expected "error" or "first" or "last"'],
        ["[retention]\nchunks = -1", "retention.chunks is -1"],
        ['[retention]\nearliest = "yesterday"', 'retention.earliest is "yesterday", expected "genesis", "now" or a'],
        ["[retention]\nearliest = 1.5", "retention.earliest is 1.5"],
        ['[retention]\ngrace = "10 millis"', 'retention.grace is "10 millis"'],
        ["[backfill]\nworkers = 0", "backfill.workers is 0"],
        ["[workers]\ncount = 65", "workers.count is 65"],
        ["[serve]\nmax_views = 0", "serve.max_views is 0"],
        ["[keys]\ncache = 64", "keys.cache is 64"],
        ['[source]\nfollow = "yes"', 'source.follow is "yes", expected true or false']
      ]
      for (const [text, message] of cases) {
        const error = yield* failure(text)
        assert.strictEqual(error._tag, "ConfigInvalidValue")
        assert.include(error.message, message)
        assert.include(error.message, "icecore.toml, line 2")
      }
      const error = yield* failure("", { "ingest.batch": "many" })
      assert.strictEqual(
        error.message,
        'Cannot use config --ingest.batch is "many", expected a whole number from 1 to 100000'
      )
    })
  )

  it.effect("checks a value of the file that a flag overrides", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* failure("[ingest]\nbatch = 0", { "ingest.batch": "1" }))._tag, "ConfigInvalidValue")
    })
  )

  it.effect("takes lists, words and numbers in the file and as flags", () =>
    Effect.gen(function* () {
      const file = '[domain]\nkeys = ["/hash", "/a,b", ""]\n[retention]\nearliest = 7\n[workers]\ncount = 0\n'
      const config = yield* loadText(file)
      assert.deepStrictEqual(config.domain.keys, Option.some(["/hash", "/a,b", ""]))
      assert.deepStrictEqual(config.retention.earliest, Option.some(7))
      assert.deepStrictEqual(config.workers.count, Option.some(0))
      assert.deepStrictEqual(yield* loadText(Config.toToml(config)), config)
      const flags: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
        ["/hash", ["/hash"]],
        ["/hash,/id", ["/hash", "/id"]],
        ['["/a,b", ""]', ["/a,b", ""]],
        ["", []]
      ]
      for (const [text, keys] of flags)
        assert.deepStrictEqual((yield* loadText(file, { "domain.keys": text })).domain.keys, Option.some(keys))
      for (const text of ["hash", "/a,b", "[", "[1]", '{"0":"/a"}'])
        assert.strictEqual((yield* failure("", { "domain.keys": text }))._tag, "ConfigInvalidValue")
      const earliest = (text: string) =>
        Effect.map(loadText(file, { "retention.earliest": text }), ({ retention }) =>
          Option.getOrNull(retention.earliest)
        )
      assert.deepStrictEqual(
        [yield* earliest("now"), yield* earliest("genesis"), yield* earliest("1_000")],
        ["now", "genesis", 1_000]
      )
    })
  )

  it.effect("refuses times that do not fit together, and names the one that was set", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [string, string]> = [
        [
          '[serve]\nmax_rows = 5\ndeadline = "40 seconds"',
          'line 3: serve.deadline is "40000 millis", expected less than retention.grace, which is "30000 millis"'
        ],
        [
          '[retention]\ngrace = "10 seconds"',
          'line 2: retention.grace is "10000 millis", expected more than serve.deadline, which is "10000 millis"'
        ],
        [
          '[serve]\nmax_view_age = "2 seconds"',
          'line 2: serve.max_view_age is "2000 millis", expected more than serve.deadline, which is "10000 millis"'
        ]
      ]
      for (const [text, message] of cases) assert.include((yield* failure(text)).message, message)
      const both = '[serve]\ndeadline = "40 seconds"\n[retention]\ngrace = "41 seconds"'
      assert.strictEqual((yield* loadText(both)).retention.grace, 41_000)
      assert.include((yield* failure(both, { "serve.deadline": "41 seconds" })).message, "retention.grace is")
    })
  )

  it.effect("names line and column of a syntax error", () =>
    Effect.gen(function* () {
      const error = yield* failure("[storage]\ndata_dir = \n")
      assert.strictEqual(error._tag, "ConfigSyntax")
      assert.include(error.message, "icecore.toml, line 2")
    })
  )

  it.effect("refuses keys that would reach into a prototype", () =>
    Effect.gen(function* () {
      assert.isDefined(yield* failure("[__proto__]\nx = 1"))
      assert.isDefined(yield* failure("[constructor]\nx = 1"))
      assert.isDefined(yield* failure("[toString]\nx = 1"))
      assert.isDefined(yield* failure("[serve]\n__proto__ = 1"))
    })
  )

  it.effect("reads back what toToml writes", () =>
    Effect.gen(function* () {
      const config = yield* loadText(sample)
      assert.deepStrictEqual(yield* loadText(Config.toToml(config)), config)
    })
  )

  it.effect("declares every default so that its own check accepts it", () =>
    Effect.gen(function* () {
      for (const { key, default: value } of Config.settingInfos) {
        if (value === "") continue
        yield* loadText(`${key} = ${value}\n`)
      }
    })
  )

  it.effect("answers mutated files with a config or a typed error", () =>
    Effect.gen(function* () {
      const mutations = fc.sample(
        fc.array(
          fc.tuple(
            fc.nat(sample.length - 1),
            fc.constantFrom("delete", "replace", "insert"),
            fc.integer({ min: 9, max: 126 })
          ),
          {
            minLength: 1,
            maxLength: 6
          }
        ),
        { numRuns: 60_000, seed: 7 }
      )
      const tags = new Map<string, number>()
      for (const mutation of mutations) {
        let text = sample
        for (const [at, what, code] of mutation) {
          const character = what === "delete" ? "" : String.fromCharCode(code)
          text = text.slice(0, at) + character + text.slice(what === "insert" ? at : at + 1)
        }
        const tag = yield* Effect.match(loadText(text), { onFailure: (error) => error._tag, onSuccess: () => "config" })
        tags.set(tag, (tags.get(tag) ?? 0) + 1)
      }
      assert.sameMembers([...tags.keys()], ["config", "ConfigSyntax", "ConfigUnknownKey", "ConfigInvalidValue"])
    })
  )
})

describe("ConfigFile.read", () => {
  it.effect("refuses a missing, a too large, a too long and a binary file", () =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const directory = yield* fileSystem.makeTempDirectoryScoped()
      const path = `${directory}/icecore.toml`
      assert.include((yield* Effect.flip(ConfigFile.read(path))).message, "does not exist")
      yield* fileSystem.writeFileString(path, "#".repeat(ConfigFile.maxFileSizeBytes + 1))
      assert.include((yield* Effect.flip(ConfigFile.read(path))).message, "65537 bytes")
      yield* fileSystem.writeFileString(path, "\n".repeat(ConfigFile.maxFileLineCount))
      assert.include((yield* Effect.flip(ConfigFile.read(path))).message, "1001 lines")
      yield* fileSystem.writeFile(path, new Uint8Array([0xff, 0xfe]))
      assert.include((yield* Effect.flip(ConfigFile.read(path))).message, "not UTF-8")
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
