import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "../support/LiveStore.ts"
import { awaitStatus, eventually, expect, failureLine, repository, start, startDaemon } from "./support/Command.ts"
import { filesBelow, lines, textOf } from "./support/Logs.ts"

const commands = [
  [],
  ["run"],
  ["ingest"],
  ["get"],
  ["status"],
  ["inspect"],
  ["verify"],
  ["archive"],
  ...["info", "list", "get", "export", "import", "verify", "diff"].map((name) => ["archive", name]),
  ["compact"],
  ["merge"],
  ["diff"],
  ["config"],
  ["config", "check"]
]

describe("icecore", () => {
  it.live("--help says how to use each command, and exits 0", () =>
    Effect.forEach(
      commands,
      (command) =>
        Effect.map(expect(0, [...command, "--help"]), ({ stdout, stderr }) => {
          assert.include(stdout.toString(), `USAGE\n  ${["icecore", ...command].join(" ")}`)
          assert.strictEqual(stderr, "")
        }),
      { concurrency: 2 }
    )
  )

  it.live("exits 2 on a command line or a configuration that cannot be used, and says where it is wrong", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const file = (name: string, text: string) => {
        const path = Path.join(root, name)
        Fs.writeFileSync(path, text)
        return path
      }
      const unknownKey = file("unknown.toml", '[storage]\ndata_dir = "x"\n\n[ingest]\nbach = 3\n')
      const wrongType = file("type.toml", '[geometry]\nentries_per_chunk = "many"\n')
      const noToml = file("syntax.toml", "[storage]\ndata_dir = \n")
      const cases: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
        [["frobnicate"], /Unknown subcommand "frobnicate"/],
        [["get"], /Missing required argument: seq/],
        [["get", "first"], /Cannot get "first": it is no sequence number, and entries of domain ndjson have no keys/],
        [["status", "--colour"], /Unrecognized flag: --colour/],
        [
          ["config", "check", "--config", unknownKey],
          /unknown\.toml, line 5: ingest\.bach .* did you mean ingest\.batch\?/
        ],
        [
          ["config", "check", "--config", wrongType],
          /type\.toml, line 2: geometry\.entries_per_chunk is "many", expected/
        ],
        [["status", "--config", noToml], /syntax\.toml, line 2, column \d+/],
        [["run", "--config", Path.join(root, "none.toml")], /none\.toml: it does not exist/],
        [["ingest", "--ingest.batch=0"], /--ingest\.batch is "0", expected a whole number from 1/]
      ]
      yield* Effect.forEach(
        cases,
        ([args, message]) => Effect.map(expect(2, args, { cwd: root }), ({ stderr }) => assert.match(stderr, message)),
        { concurrency: 2 }
      )
      assert.deepStrictEqual(filesBelow(root), ["syntax.toml", "type.toml", "unknown.toml"])
    }).pipe(Effect.scoped)
  )

  it.live("exits 1 with one line where there is nothing to read, and makes nothing", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const cases: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
        [["get", "0"], /Cannot open store .*: there is none/],
        [["status"], /Cannot open store .*: there is none/],
        [["verify"], /Cannot open store .*: there is none/],
        [["prune"], /Cannot open store .*: there is none/],
        [["prune", "--dry-run"], /Cannot open store .*: there is none/],
        [["inspect", "none.pack"], /Cannot open none\.pack: it does not exist/]
      ]
      for (const [args, message] of cases) assert.match(failureLine(yield* expect(1, args, { cwd: root })), message)
      assert.deepStrictEqual(filesBelow(root), [])
    }).pipe(Effect.scoped)
  )

  it.live("--json prints JSON wherever a program may read", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const log = Path.join(root, "log.ndjson")
      Fs.writeFileSync(log, Buffer.concat([Buffer.from(textOf(lines(0, 20))), Buffer.from([0xff, 0x00, 0x0a])]))
      const json = (...args: ReadonlyArray<string>) =>
        Effect.map(expect(0, [...args, "--json"], { cwd: root }), ({ stdout }) => JSON.parse(stdout.toString()))
      const ingested = yield* json("ingest", log, "--geometry.entries_per_chunk=10")
      assert.deepInclude(ingested, { entryCount: 21, frozenChunkCount: 2 })
      assert.deepInclude(yield* json("get", "3"), { seq: 3, text: lines(3, 4)[0]! })
      assert.deepStrictEqual(yield* json("get", "20"), { seq: 20, sizeBytes: 2, base64: "/wA=" })
      assert.deepInclude(yield* json("status"), { nextSeq: 21 })
      assert.deepInclude(yield* json("verify"), { entries: 21, findings: [] })
      const pack = Path.join("data", "entries", "00000", "00000000.pack")
      assert.deepInclude(yield* json("inspect", pack), { kind: "packfile", itemCount: 10 })
      const { settings } = yield* json("config", "check", "--ingest.batch=7")
      assert.deepInclude(settings, { "ingest.batch": 7, "engine.hot": "sqlite" })
      const shown = yield* expect(0, ["config", "check", "--ingest.batch=7"], { cwd: root })
      Fs.writeFileSync(Path.join(root, "icecore.toml"), shown.stdout)
      assert.deepStrictEqual((yield* json("config", "check")).settings, settings, "what it prints is a config file")
    }).pipe(Effect.scoped)
  )

  it.live("puts each tree where its setting says", () =>
    Effect.gen(function* () {
      const root = yield* directory
      Fs.writeFileSync(Path.join(root, "log.ndjson"), textOf(lines(0, 25)))
      const flags = ["catalog", "hot", "entries"].map((tree) => `--storage.${tree}_dir=elsewhere/${tree}`)
      yield* expect(0, ["ingest", "log.ndjson", "--geometry.entries_per_chunk=10", ...flags], { cwd: root })
      const files = filesBelow(Path.join(root, "elsewhere"))
      assert.includeMembers(
        [...files],
        ["catalog/data.sqlite", "hot/00000002/data.sqlite", "entries/00000/00000001.pack"]
      )
      assert.deepStrictEqual(
        filesBelow(Path.join(root, "data")).filter((name) => !name.endsWith("icecore.lock")),
        []
      )
      const { stdout } = yield* expect(0, ["get", "0", "--to", "24", ...flags], { cwd: root })
      assert.strictEqual(stdout.toString(), textOf(lines(0, 25)))
    }).pipe(Effect.scoped)
  )

  it.live("never answers for a store from the daemon of another one", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const daemonOf = (name: string) => {
        Fs.writeFileSync(Path.join(root, name), `${name}\n`)
        return startDaemon([`--storage.data_dir=${name}-store`, `--source.path=${name}`], { cwd: root })
      }
      const [one, other] = yield* Effect.all([daemonOf("one"), daemonOf("other")])
      for (const daemon of [one, other]) yield* awaitStatus(daemon, "its line is there", ({ nextSeq }) => nextSeq === 1)
      const own = yield* expect(0, ["get", "0", "--storage.data_dir=one-store", one.address], { cwd: root })
      assert.strictEqual(own.stdout.toString(), "one\n")
      for (const command of [["get", "0"], ["get", "0", "--to", "9"], ["get", "5"], ["status"]]) {
        const ended = yield* expect(1, [...command, "--storage.data_dir=one-store", other.address], { cwd: root })
        assert.strictEqual(ended.stdout.toString(), "")
        assert.include(failureLine(ended), "it serves another store than one-store")
      }
    }).pipe(Effect.scoped)
  )

  it.live("refuses a second writer of a store within a second, and names the directory", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const dataDir = Path.join(root, "data")
      Fs.writeFileSync(Path.join(root, "log.ndjson"), textOf(lines(0, 5)))
      const flags = [`--storage.data_dir=${dataDir}`]
      const daemon = yield* startDaemon([...flags, `--source.path=${Path.join(root, "log.ndjson")}`])
      const startedAt = performance.now()
      yield* expect(0, ["config", "check"])
      const startMillis = performance.now() - startedAt
      for (const args of [
        ["run", "--serve.address=127.0.0.1:0"],
        ["ingest", "log.ndjson"]
      ]) {
        const beganAt = performance.now()
        const refused = yield* expect(1, [...args, ...flags], { cwd: root })
        assert.isBelow(performance.now() - beganAt, 1_000 + 2 * startMillis)
        assert.include(failureLine(refused), dataDir)
      }
      const unreachable = yield* expect(1, ["get", "0", ...flags, "--serve.address=127.0.0.1:1"])
      assert.match(
        failureLine(unreachable),
        /Cannot ask the daemon at http:\/\/127\.0\.0\.1:1: .*another Icecore has it open/
      )
      assert.isFalse(daemon.hasEnded())
    }).pipe(Effect.scoped)
  )

  it.live("takes standard input, and ends quietly when its reader goes", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const count = 30_000
      const text = textOf(lines(0, count))
      yield* expect(0, ["ingest", "-", "--ingest.batch=1000"], { cwd: root, input: text })
      const get = yield* start(["get", "0", "--to", `${count - 1}`], { cwd: root })
      yield* eventually("it has written something", () => (get.stdout().length > 0 ? true : undefined))
      yield* get.closeOutput
      const { status, stderr } = yield* get.ended
      assert.deepStrictEqual([status, stderr], [0, ""])
    }).pipe(Effect.scoped)
  )
})

describe("the demonstration", () => {
  it.live("takes entries, freezes chunks within seconds, and prints curl lines that work", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const { scripts } = JSON.parse(Fs.readFileSync(Path.join(repository, "package.json"), "utf8"))
      const words: ReadonlyArray<string> = scripts.start.split(" ")
      assert.deepStrictEqual(words.slice(0, 3), ["bun", "packages/daemon/src/main.ts", "run"])
      const beganAt = performance.now()
      const daemon = yield* startDaemon([...words.slice(3), `--storage.data_dir=${Path.join(root, "data")}`], {
        cwd: repository
      })
      yield* eventually("a chunk is frozen", () => /chunks [1-9]\d* frozen/.exec(daemon.stderr())?.[0], {
        describe: daemon.stderr
      })
      assert.isBelow(performance.now() - beganAt, 15_000)
      const printed = [...daemon.stderr().matchAll(/^ *curl '?(http\S+?)'?$/gm)].map((match) => match[1]!)
      assert.lengthOf(printed, 3)
      yield* Effect.promise(async () => {
        const [status, first, newest] = await Promise.all(
          printed.map(async (url) => {
            const response = await fetch(url)
            assert.strictEqual(response.status, 200, url)
            return response.text()
          })
        )
        assert.isAbove(JSON.parse(status!).chunks.frozen, 0)
        assert.isObject(JSON.parse(first!))
        assert.lengthOf(newest!.trimEnd().split("\n"), 5)
      })
    }).pipe(Effect.scoped)
  )
})
