import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Zlib from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Engine, RecordType } from "@icecore/engine"
import * as SqliteEngine from "@icecore/engine/sqlite"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Schema } from "effect"
import { directory, engineNames } from "../support/LiveStore.ts"
import { archiveIn, linesOf, outputOf } from "./support/ArchiveCommand.ts"
import { eventually, failureLine, repository, start } from "./support/Command.ts"
import { filesBelow, textOf } from "./support/Logs.ts"
import { lines, syncIds } from "./support/RecordFiles.ts"

const [first, second] = syncIds

const Account = RecordType.make({
  name: "Account",
  fields: Schema.Struct({ id: Schema.String, owner: Schema.String }),
  primaryKey: ["id"],
  indexes: { by_owner: { paths: ["owner"] } }
})

/** A directory with lines of two syncs, imported into `store`. */
const imported = Effect.fnUntraced(function* (options: Parameters<typeof lines>[0]) {
  const root = yield* directory
  const archive = archiveIn(root)
  Fs.writeFileSync(Path.join(root, "in.ndjson"), textOf(lines(options)))
  yield* archive(0, ["import", "in.ndjson", "--into", "store"])
  return { root, archive }
})

describe("icecore archive", () => {
  for (const engine of engineNames) {
    it.live(
      `import and export give the same syncs again, on ${engine}, from standard input, compressed and from a store`,
      () =>
        Effect.gen(function* () {
          const { archive, root } = yield* imported({ resourceCount: 40, grantCount: 1_500 })
          const exported = yield* archive(0, ["export", "store", "--all-syncs"])
          const into = ["--into", "copy", "--engine", engine, "--json"]
          const report = JSON.parse(outputOf(yield* archive(0, ["import", "-", ...into], exported.stdout)))
          assert.deepStrictEqual(report, { into: "copy", engine, syncs: 2, records: 1_542 })
          assert.strictEqual(
            Buffer.compare((yield* archive(0, ["export", "copy", "--all-syncs"])).stdout, exported.stdout),
            0
          )
          yield* archive(0, ["diff", "store", "copy"])
          yield* archive(0, ["diff", "store", "copy", "--sync-a", second, "--sync-b", second])
          yield* archive(0, ["verify", "copy"])

          Fs.writeFileSync(Path.join(root, "all.ndjson.gz"), Zlib.gzipSync(exported.stdout))
          yield* archive(0, ["import", "all.ndjson.gz", "--into", "unzipped", "--engine", engine])
          yield* archive(0, ["diff", "store", "unzipped"])
          yield* archive(0, ["import", "store", "--into", "one", "--engine", engine, "--sync", first])
          yield* archive(0, ["diff", "store", "one"])
          const syncs = JSON.parse(outputOf(yield* archive(0, ["info", "one", "--json"]))).syncs
          assert.deepStrictEqual(syncs, [
            {
              sync_id: first,
              type: "full",
              started_at: 1e15,
              ended_at: 1e15 + 5,
              counts: { Asset: 1, Grant: 1_500, Resource: 40 },
              finished: true
            }
          ])
        }).pipe(Effect.scoped)
    )
  }

  it.live("info shows types, keys, indexes and syncs, and which of them have no end", () =>
    Effect.gen(function* () {
      const { archive } = yield* imported({ resourceCount: 12, grantCount: 3 })
      const text = outputOf(yield* archive(0, ["info", "store"]))
      assert.match(text, /^kind {2}record store, sqlite$/m)
      assert.match(text, /^Resource +\(key\) +resource_type_id, resource_id$/m)
      assert.match(text, /^ +by_needs_expansion +needs_expansion where needs_expansion is true$/m)
      assert.match(text, /^sync +type +started +ended +Asset +Entitlement +Grant +Resource +ResourceType$/m)
      assert.match(
        text,
        new RegExp(`^${first}  full     2001-09-09T01:46:40Z  2001-09-09T01:46:40Z +1 +0 +3 +12 +0$`, "m")
      )
      assert.match(text, new RegExp(`^${second}  partial  2033-05-18T03:33:20Z  not finished +0 +0 +0 +1 +0$`, "m"))
    }).pipe(Effect.scoped)
  )

  it.live("list shows a table that stays in line and steers no terminal, whatever the values are", () =>
    Effect.gen(function* () {
      const { archive } = yield* imported({ resourceCount: 5, grantCount: 0 })
      const table = yield* archive(0, ["list", "store", "Resource", "--fields=resource_id,display_name,discovered_at"])
      assert.deepStrictEqual(linesOf(table), [
        "resource_id  display_name   discovered_at",
        "r0000        Zoë            2023-11-14T22:13:20Z",
        "r0001        名前           2023-11-14T22:13:20Z",
        "r0002        e\u0301te\u0301            2023-11-14T22:13:20Z",
        "r0003        \\u001b[31mred  2023-11-14T22:13:20Z",
        "r0004        plain          2023-11-14T22:13:20Z"
      ])
      assert.strictEqual(table.stderr, "")
      const assets = linesOf(yield* archive(0, ["list", "store", "Asset"]))
      assert.deepStrictEqual(assets.length, 2)
      assert.isBelow(assets[1]!.length, 120)
      assert.include(assets[1]!, "…")
      assert.deepStrictEqual(linesOf(yield* archive(0, ["list", "store", "Entitlement"])), ["external_id"])
      const got = outputOf(yield* archive(0, ["get", "store", "Resource", "user", "r0003"]))
      assert.match(got, /^display_name {6}\\u001b\[31mred$/m)
    }).pipe(Effect.scoped)
  )

  it.live("list gives every record once, whatever the size of a page, by key, by index and through a filter", () =>
    Effect.gen(function* () {
      const { archive } = yield* imported({ resourceCount: 30, grantCount: 700 })
      const ids = (ended: { readonly stdout: Buffer }) => linesOf(ended).map((line) => JSON.parse(line).external_id)
      const whole = ids(yield* archive(0, ["list", "store", "Grant", "--ndjson"]))
      assert.lengthOf(whole, 700)
      assert.deepStrictEqual(whole, [...whole].sort())
      const index = ["--index=by_entitlement", "--prefix=e3,user"]
      const byIndex = ids(yield* archive(0, ["list", "store", "Grant", "--ndjson", ...index, "--page-size=7"]))
      assert.lengthOf(byIndex, 100)
      const filtered = ["list", "store", "Grant", "--where=needs_expansion=true", "--where=entitlement_id!=e0"]
      const expected = whole.filter((_, at) => at % 11 === 0 && at % 7 !== 0)
      assert.deepStrictEqual(ids(yield* archive(0, [...filtered, "--ndjson"])), expected)
      const found: Array<string> = []
      let token: string | null = null
      do {
        const page: ReadonlyArray<string> = token === null ? [] : [`--page-token=${token}`]
        const answer = yield* archive(0, [...filtered, "--json", "--limit=13", "--page-size=5", ...page])
        const { count, nextPageToken, records } = JSON.parse(outputOf(answer))
        assert.strictEqual(count, records.length)
        found.push(...records.map((each: { readonly external_id: string }) => each.external_id))
        token = nextPageToken
      } while (token !== null)
      assert.deepStrictEqual(found, expected)
    }).pipe(Effect.scoped)
  )

  it.live("list as a table stops at a hundred, says where to go on, and goes on there", () =>
    Effect.gen(function* () {
      const { archive } = yield* imported({ resourceCount: 1, grantCount: 150 })
      const table = yield* archive(0, ["list", "store", "Grant"])
      assert.lengthOf(linesOf(table), 101)
      const token = /^Stopped after 100 records; there may be more: (--page-token=\S+)\n$/.exec(table.stderr)![1]!
      const rest = yield* archive(0, ["list", "store", "Grant", token])
      assert.match(linesOf(rest)[1]!, /^g00100 /)
      assert.deepStrictEqual([linesOf(rest).length, rest.stderr], [51, ""])
      const altered = yield* archive(2, ["list", "store", "Grant", `${token.slice(0, -1)}!`])
      assert.match(failureLine(altered), /Cannot use --page-token: it is /)
      const other = yield* archive(2, ["list", "store", "Resource", token])
      assert.match(failureLine(other), /Cannot use --page-token: it is /)
    }).pipe(Effect.scoped)
  )

  it.live("list, export and diff end quietly when their reader goes", () =>
    Effect.gen(function* () {
      const { archive, root } = yield* imported({ resourceCount: 1, grantCount: 30_000 })
      yield* archive(0, ["import", "store", "--into", "other", "--sync", second])
      const commands = [
        ["list", "store", "Grant", "--ndjson"],
        ["list", "store", "Grant", "--limit=30000"],
        ["list", "store", "Grant", "--json"],
        ["diff", "store", "other", "--sync-b", second, "--ndjson"]
      ]
      for (const args of commands) {
        const running = yield* start(["archive", ...args], { cwd: root })
        yield* eventually("it has written something", () => (running.stdout().length > 0 ? true : undefined))
        yield* running.closeOutput
        const { status, stderr } = yield* running.ended
        assert.deepStrictEqual([status, stderr.includes("icecore:")], [0, false], `${args.join(" ")}: ${stderr}`)
      }
    }).pipe(Effect.scoped)
  )

  it.live("diff counts, lists and prints what differs, and exits 1", () =>
    Effect.gen(function* () {
      const { archive } = yield* imported({ resourceCount: 3, grantCount: 0 })
      const sides = ["diff", "store", "store", "--sync-a", first, "--sync-b", second]
      const text = yield* archive(1, [...sides, "--list"])
      assert.deepStrictEqual(linesOf(text), [
        "- Asset logo",
        "- Resource group r0000",
        "~ Resource user r0001: display_name",
        "- Resource user r0002",
        "type          a  b  added  removed  changed  changed fields",
        "Asset         1  0      0        1        0",
        "Entitlement   0  0      0        0        0",
        "Grant         0  0      0        0        0",
        "Resource      3  1      0        2        1  display_name (1)",
        "ResourceType  0  0      0        0        0"
      ])
      assert.include(text.stderr, "icecore: store and store differ in 4 records")
      const json = yield* archive(1, [...sides, "--json", "--type=resource", "--ignore=display_name"])
      assert.deepStrictEqual(JSON.parse(outputOf(json)), {
        a: { path: "store", sync: first },
        b: { path: "store", sync: second },
        types: [
          {
            type: "Resource",
            leftCount: 3,
            rightCount: 1,
            addedCount: 0,
            removedCount: 2,
            changedCount: 0,
            changedFields: {}
          }
        ]
      })
      const reversed = ["diff", "store", "store", "--sync-a", second, "--sync-b", first, "--ndjson"]
      const [asset, group, changed] = linesOf(yield* archive(1, reversed)).map((line) => JSON.parse(line))
      assert.deepInclude(asset, { kind: "added", type: "Asset" })
      assert.deepStrictEqual([group.a, group.b.resource_id], [undefined, "r0000"])
      assert.deepStrictEqual(
        [changed.kind, changed.fields, changed.a.display_name, changed.b.display_name],
        ["changed", ["display_name"], "名前 (changed)", "名前"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("import that meets a bad line says which, leaves a sync without an end, and --resume finishes it", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      const all = lines({ resourceCount: 20, grantCount: 1_200 })
      const path = Path.join(root, "in.ndjson")
      Fs.writeFileSync(path, textOf([...all.slice(0, 1_100), '{"type":"Grant","record":{"external_id":7}}', ...all]))
      const bad = yield* archive(1, ["import", "in.ndjson", "--into", "store"])
      assert.match(failureLine(bad), /Cannot import in\.ndjson, line 1101: Grant\.\S+ is /)
      const none = yield* archive(1, ["list", "store", "Grant"])
      assert.match(failureLine(none), new RegExp(`none has ended\\. It can be read all the same: --sync=${first}`))
      assert.lengthOf(linesOf(yield* archive(0, ["list", "store", "Grant", "--ndjson", "--sync", first])), 1_000)

      Fs.writeFileSync(path, textOf(all))
      const again = yield* archive(1, ["import", "in.ndjson", "--into", "store"])
      assert.include(
        failureLine(again),
        `Cannot import sync ${first}: store has it already, without an end; --resume goes on with it`
      )
      const saved = outputOf(yield* archive(0, ["export", "store", "--as=pack", "--out=half.icearch"]))
      assert.match(
        saved,
        /^Saved 0 records of 0 syncs, and all there is of 1 sync without an end, to half\.icearch: pack/
      )
      yield* archive(0, ["import", "in.ndjson", "--into", "store", "--resume"])
      const whole = yield* archive(1, ["import", "in.ndjson", "--into", "store"])
      assert.match(failureLine(whole), new RegExp(`Cannot import sync ${first}: store has it already$`))
      assert.lengthOf(linesOf(yield* archive(0, ["list", "store", "Grant", "--ndjson"])), 1_200)
      yield* archive(0, ["verify", "store"])
    }).pipe(Effect.scoped)
  )

  it.live("import reads lines as long as export writes them: of 12 MiB of control characters", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      const type = JSON.stringify({ record_type: { ...RecordType.describe(Account), indexes: {} } })
      const account = `{"type":"Account","record":{"id":"a","owner":"${"\\u0001".repeat(12 * 2 ** 20)}"}}`
      Fs.writeFileSync(Path.join(root, "in.ndjson"), textOf([type, account]))
      yield* archive(0, ["import", "in.ndjson", "--into", "store"])
      yield* archive(0, ["export", "store", "--out=out.ndjson"])
      yield* archive(0, ["import", "out.ndjson", "--into", "copy"])
      yield* archive(0, ["diff", "store", "copy"])
    }).pipe(Effect.scoped)
  )

  it.live("reads its own archives of very repetitive records, once --max-decoded-size allows what they unpack to", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      const type = JSON.stringify({ record_type: { ...RecordType.describe(Account), indexes: {} } })
      const owner = "x".repeat(14 * 2 ** 20)
      const accounts = ["a", "b", "c", "d", "e"].map((id) => JSON.stringify({ type: "Account", record: { id, owner } }))
      yield* archive(0, ["import", "-", "--into", "store"], textOf([type, ...accounts]))
      yield* archive(0, ["export", "store", "--as=tar+zstd", "--out=store.icearch"])
      const refused = yield* archive(1, ["verify", "store.icearch"])
      assert.match(
        failureLine(refused),
        /it unpacks to 7\d{7} bytes, the limit is 67108864; --max-decoded-size=BYTES sets/
      )
      for (const args of [
        ["verify", "store.icearch"],
        ["import", "store.icearch", "--into", "copy"],
        ["diff", "store.icearch", "copy"]
      ])
        yield* archive(0, [...args, "--max-decoded-size=100000000"])
    }).pipe(Effect.scoped)
  )

  it.live("import says what to do with a directory in which an import was stopped as it began", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const open = Effect.flatMap(Engine, (engine) =>
        engine.open({ path: Path.join(root, "store"), keyspaces: ["records", "indexes", "syncs", "meta"] })
      )
      yield* Effect.scoped(open).pipe(Effect.provide(Layer.provide(SqliteEngine.layer, LiveDisk.layer)))
      Fs.writeFileSync(Path.join(root, "in.ndjson"), textOf(lines({ resourceCount: 1, grantCount: 1 })))
      const ended = yield* archiveIn(root)(1, ["import", "in.ndjson", "--into", "store"])
      assert.match(
        failureLine(ended),
        /it has a database that is no record store; if a command .* remove the directory/
      )
    }).pipe(Effect.scoped)
  )

  it.live("export says that standard output is full", (context) =>
    Effect.gen(function* () {
      if (!Fs.existsSync("/dev/full")) return context.skip("there is no /dev/full")
      const { root } = yield* imported({ resourceCount: 1, grantCount: 1 })
      const main = Path.join(repository, "packages/daemon/src/main.ts")
      const ended = spawnSync(
        "/bin/sh",
        ["-c", '"$0" "$@" > /dev/full', process.execPath, main, "archive", "export", "store"],
        {
          cwd: root,
          encoding: "utf8"
        }
      )
      assert.strictEqual(ended.status, 1)
      assert.match(ended.stderr, /icecore: Cannot use standard input or output: .*(ENOSPC|no space)/i)
    }).pipe(Effect.scoped)
  )

  it.live("import takes records without a sync for a new one, of types that the store has", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      const type = JSON.stringify({ record_type: RecordType.describe(Account) })
      const account = (id: string) => JSON.stringify({ type: "Account", record: { id, owner: "x" } })
      yield* archive(0, ["import", "-", "--into", "store"], textOf([type, account("a")]))
      yield* archive(0, ["import", "-", "--into", "store", "--sync-type=manual"], textOf([account("b"), account("c")]))
      const { syncs } = JSON.parse(outputOf(yield* archive(0, ["info", "store", "--json"])))
      const counts = syncs.map((sync: { readonly type: string; readonly counts: { readonly Account: number } }) => [
        sync.type,
        sync.counts.Account
      ])
      assert.deepStrictEqual(new Set(counts.map(String)), new Set(["full,1", "manual,2"]))
      const found = yield* archive(0, ["list", "store", "acc", "--index=by_owner", "--prefix=x", "--ndjson"])
      assert.isNotEmpty(linesOf(found))
    }).pipe(Effect.scoped)
  )

  it.live("export --out has its name only when it is whole, and replaces nothing unless told to", () =>
    Effect.gen(function* () {
      const { archive, root } = yield* imported({ resourceCount: 5, grantCount: 5 })
      const out = ["export", "store", "--type=Resource", "--out=out.ndjson"]
      yield* archive(0, out)
      const text = Fs.readFileSync(Path.join(root, "out.ndjson"), "utf8")
      assert.lengthOf(text.trimEnd().split("\n"), 1 + 1 + 5)
      const refused = yield* archive(1, out)
      assert.include(failureLine(refused), "Cannot write out.ndjson: it exists; --overwrite replaces it")
      yield* archive(0, [...out, "--overwrite"])
      const failed = yield* archive(1, ["export", "store", "--sync", "2QYHtvXq0000000000000000009", "--out=other"])
      assert.include(failureLine(failed), "there is none")
      assert.deepStrictEqual(
        filesBelow(root).filter((name) => !name.startsWith("store/")),
        ["in.ndjson", "out.ndjson"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("exits 2 on arguments that do not fit what is read, and 1 on what is not there, with one line", () =>
    Effect.gen(function* () {
      const { archive, root } = yield* imported({ resourceCount: 2, grantCount: 2 })
      const empty = Path.join(root, "empty")
      Fs.mkdirSync(empty)
      Fs.writeFileSync(Path.join(root, "junk"), "junk junk junk")
      const before = filesBelow(root)
      const cases: ReadonlyArray<readonly [number, ReadonlyArray<string>, RegExp]> = [
        [2, ["list", "store", "res"], /Cannot use type "res": it could be Resource, ResourceType/],
        [2, ["list", "store", "Grant", "--index=by_x"], /Grant has no such index, expected by_entitlement, /],
        [2, ["list", "store", "Grant", "--prefix=a,b"], /it has 2 parts, expected at most 1: external_id/],
        [2, ["list", "store", "Grant", "--page-size=10001"], /expected a whole number from 1 to 10000/],
        [2, ["list", "store", "Grant", "--sync=x"], /Cannot use --sync=x: expected /],
        [2, ["get", "store", "Resource", "user"], /a key of Resource has 2 parts: resource_type_id resource_id/],
        [2, ["diff", "store", "store", "--ignore=x"], /Cannot use --ignore=x: no record has such a field/],
        [2, ["export", "store", "--as=pack"], /Cannot use --as=pack: an archive needs --out=FILE/],
        [
          2,
          ["export", "store", "--as=tar", "--out=x", "--sync", first],
          /Cannot use --sync: tar holds the whole database/
        ],
        [2, ["export", "store", "--as=pack", "--out=x", "--type=Grant"], /Cannot use --type: an archive has all types/],
        [2, ["export", "store", "--all-syncs", "--sync", first], /Cannot use --all-syncs: it does not go with --sync/],
        [
          2,
          ["import", "in.ndjson", "--into", "x", "--sync", first],
          /it goes with archives and stores, and in\.ndjson has lines/
        ],
        [2, ["import", "in.ndjson", "--into", "store", "--engine=lmdb"], /the store in store is on sqlite/],
        [
          1,
          ["list", "store", "Grant", `--sync=${first.replace(/1$/, "9")}`],
          /there is none; icecore archive info lists/
        ],
        [1, ["get", "store", "Grant", "none"], /Cannot get Grant "none" of store: sync 2QYH\S+ has no such record/],
        [1, ["info", "none"], /Cannot open none: it does not exist/],
        [1, ["info", "empty"], /Cannot open empty: the directory has no record store, and it is no archive/],
        [1, ["import", "none", "--into", "x"], /Cannot open none: it does not exist/],
        [1, ["import", "-", "--into", "x"], /Cannot import standard input: it is empty/]
      ]
      yield* Effect.forEach(
        cases,
        ([status, args, message]) =>
          Effect.map(archive(status, args), (ended) => assert.match(failureLine(ended), message, args.join(" "))),
        { concurrency: 2 }
      )
      assert.deepStrictEqual(filesBelow(root), before)
    }).pipe(Effect.scoped)
  )
})
