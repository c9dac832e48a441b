import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { RecordType } from "@icecore/engine"
import { Effect, Schema } from "effect"
import { directory, engineNames } from "../support/LiveStore.ts"
import { archiveIn, linesOf, outputOf } from "./support/ArchiveCommand.ts"
import { type Ended, expect, failureLine, repository } from "./support/Command.ts"
import { filesBelow, textOf } from "./support/Logs.ts"

const Account = RecordType.make({
  name: "Account",
  fields: Schema.Struct({ id: Schema.String, owner: Schema.String, discovered_at: Schema.Int }),
  primaryKey: ["id"],
  indexes: { by_owner: { paths: ["owner"] } }
})

/** Accounts by their ids: who owns them, and when they were seen. */
type Accounts = Readonly<Record<string, readonly [string, number]>>

const monday: Accounts = { a: ["Ada", 5], b: ["Ada", 5], c: ["Cy", 5], "d e": ["Dee", 5] }
const tuesday: Accounts = { a: ["Late", 4], b: ["Bob", 5], c: ["Cy", 5], f: ["Flo", 1] }

const textOfAccounts = (accounts: Accounts): string =>
  textOf([
    JSON.stringify({ record_type: RecordType.describe(Account) }),
    ...Object.entries(accounts).map(([id, [owner, seen]]) =>
      JSON.stringify({ type: "Account", record: { id, owner, discovered_at: seen } })
    )
  ])

/** A directory with the stores `monday` and `tuesday`, each on another engine. */
const stores = Effect.gen(function* () {
  const root = yield* directory
  const archive = archiveIn(root)
  const icecore = (status: number, args: ReadonlyArray<string>) => expect(status, args, { cwd: root })
  const fill = (into: string, accounts: Accounts, ...flags: ReadonlyArray<string>) =>
    archive(0, ["import", "-", "--into", into, ...flags], textOfAccounts(accounts))
  yield* fill("monday", monday, "--engine=lmdb")
  yield* fill("tuesday", tuesday)
  const syncsOf = (path: string): Effect.Effect<ReadonlyArray<Run>> =>
    Effect.map(archive(0, ["info", path, "--json"]), (ended) => JSON.parse(outputOf(ended)).syncs)
  const accountsOf = (path: string, ...flags: ReadonlyArray<string>): Effect.Effect<Accounts> =>
    Effect.map(archive(0, ["list", path, "Account", "--index=by_owner", "--ndjson", ...flags]), (ended) => {
      const records = linesOf(ended).map((line) => JSON.parse(line))
      return Object.fromEntries(records.map(({ discovered_at: seen, id, owner }) => [id, [owner, seen]]))
    })
  return { root, archive, icecore, fill, syncsOf, accountsOf }
})

interface Run {
  readonly sync_id: string
  readonly type: string
  readonly parent_sync_id: string
  readonly source_sync_ids: ReadonlyArray<string>
  readonly finished: boolean
}

const tableOf = (ended: Ended): ReadonlyArray<ReadonlyArray<string>> =>
  linesOf(ended).map((line) => line.split(/ {2,}/))

describe("icecore merge", () => {
  for (const engine of engineNames) {
    it.live(
      `makes one sync of the newest records on ${engine}, ties to the source that comes last, and names its sources`,
      () =>
        Effect.gen(function* () {
          const { accountsOf, archive, icecore, root, syncsOf } = yield* stores
          const first = (yield* syncsOf("monday"))[0]!.sync_id
          const second = (yield* syncsOf("tuesday"))[0]!.sync_id
          const before = filesBelow(root)
          const into = ["merge", "monday", "tuesday", "--into=both", `--engine=${engine}`]
          const planned = yield* icecore(0, [...into, "--dry-run"])
          assert.deepStrictEqual(
            tableOf(planned).map((row) => [row[0], row[1], row.at(-2)]),
            [
              ["source", "sync", "records"],
              ["monday", first, "4"],
              ["tuesday", second, "4"],
              [linesOf(planned)[3], undefined, undefined]
            ]
          )
          assert.match(
            linesOf(planned)[3]!,
            /^Would merge 8 records and 0 changes \(about .* into a sync of type full in both$/
          )
          assert.deepStrictEqual(filesBelow(root), before)

          const merged = yield* icecore(0, into)
          assert.deepStrictEqual(tableOf(merged).slice(0, 2), [
            ["type", "read", "superseded", "removed", "written"],
            ["Account", "8", "3", "0", "5"]
          ])
          assert.deepStrictEqual(yield* accountsOf("both"), {
            a: ["Ada", 5],
            b: ["Bob", 5],
            c: ["Cy", 5],
            "d e": ["Dee", 5],
            f: ["Flo", 1]
          })
          const [run] = yield* syncsOf("both")
          assert.deepInclude(run, {
            type: "full",
            finished: true,
            parent_sync_id: second,
            source_sync_ids: [first, second]
          })
          assert.include(
            outputOf(yield* archive(0, ["info", "both"])),
            `\n${run!.sync_id} is made of ${first}, ${second}\n`
          )
          yield* archive(0, ["verify", "both"])
        }).pipe(Effect.scoped)
    )
  }

  it.live("takes syncs that are named, of the store that it writes to as well, and of files named like a sync", () =>
    Effect.gen(function* () {
      const { accountsOf, archive, fill, icecore, root, syncsOf } = yield* stores
      for (const store of ["monday", "tuesday"]) {
        yield* fill(store, { a: ["Newest", 9] })
        const [older, newest] = (yield* syncsOf(store)).map(({ sync_id: id }) => id)
        const ended = yield* icecore(0, [
          "merge",
          `${store}#${older}`,
          store,
          "--into",
          store,
          "--sync-type=x",
          "--json"
        ])
        assert.strictEqual(ended.stderr.includes("INFO"), false)
        const { into, output, run, sources, types } = JSON.parse(outputOf(ended))
        assert.deepStrictEqual([into, output, sources], [store, null, [`${store}#${older}`, store]])
        assert.deepInclude(run, { type: "x", source_sync_ids: [older, newest] })
        assert.notProperty(run, "token")
        assert.deepStrictEqual(types, [
          { type: "Account", readCount: 5, writtenCount: 4, supersededCount: 1, removedCount: 0 }
        ])
        assert.deepStrictEqual((yield* accountsOf(store)).a, ["Newest", 9])
        assert.lengthOf(Object.keys(yield* accountsOf(store)), 4)
        yield* archive(0, ["verify", store])
      }
      const [{ sync_id: id }] = (yield* syncsOf("monday")) as [Run]
      const name = `tuesday#${id}`
      yield* archive(0, ["export", "monday", "--as=pack", "--sync", id, `--out=${name}`])
      yield* icecore(0, ["merge", name, "--output=out.icearch"])
      assert.deepStrictEqual(yield* accountsOf("out.icearch"), monday)
      assert.deepStrictEqual(
        filesBelow(root).filter((file) => !/^(monday|tuesday)\//.test(file)),
        ["out.icearch", name]
      )
    }).pipe(Effect.scoped)
  )

  it.live("reads more archives than a process may have files open", (context) =>
    Effect.gen(function* () {
      if (process.platform === "win32") return context.skip("there is no ulimit")
      const { accountsOf, archive, root } = yield* stores
      yield* archive(0, ["export", "monday", "--as=pack", "--out=0.icearch"])
      const names = Array.from({ length: 300 }, (_, index) => `${index}.icearch`)
      for (const name of names.slice(1)) Fs.copyFileSync(Path.join(root, names[0]!), Path.join(root, name))
      const main = Path.join(repository, "packages/daemon/src/main.ts")
      const merge = ["merge", ...names, "tuesday", "--output=all.icearch"]
      const limited = 'ulimit -n 256; exec "$0" "$@"'
      const ended = spawnSync("/bin/sh", ["-c", limited, process.execPath, main, ...merge], { cwd: root })
      assert.strictEqual(ended.status, 0, ended.stderr.toString())
      assert.match(ended.stdout.toString(), /^Merged 301 sources into sync /m)
      assert.deepStrictEqual((yield* accountsOf("all.icearch")).b, ["Bob", 5])
    }).pipe(Effect.scoped)
  )

  it.live("refuses what makes no sense with one line, and leaves neither store nor archive", () =>
    Effect.gen(function* () {
      const { archive, icecore, root, syncsOf } = yield* stores
      const run = { sync_id: "2QYHtvXq0000000000000000002", type: "full", started_at: 1, token: "", counts: {} }
      const types = JSON.stringify({ record_type: RecordType.describe(Account) })
      yield* archive(0, ["import", "-", "--into", "open"], textOf([types, JSON.stringify({ sync_run: run })]))
      const Other = RecordType.make({ name: "Account", fields: Schema.Struct({ id: Schema.Int }), primaryKey: ["id"] })
      yield* archive(
        0,
        ["import", "-", "--into", "other"],
        textOf([JSON.stringify({ record_type: RecordType.describe(Other) }), '{"type":"Account","record":{"id":1}}'])
      )
      const before = filesBelow(root)
      const cases: ReadonlyArray<readonly [number, ReadonlyArray<string>, RegExp]> = [
        [2, ["monday"], /Cannot use icecore merge: the result needs a place: --into=DIRECTORY or --output=FILE/],
        [
          1,
          ["monday", "--output=none/y"],
          /Cannot write none\/y: the work is done in \S+none beside it, and it does not exist$/
        ],
        [1, ["monday", "--output=tuesday", "--overwrite"], /Cannot write tuesday: it is a directory$/],
        [2, ["monday", "--into=x", "--output=y"], /Cannot use --output: it does not go with --into/],
        [2, ["monday", "--into=x", "--encoding=tar"], /Cannot use --encoding=tar: it goes with --output/],
        [
          2,
          ["monday", "--into=tuesday", "--engine=lmdb"],
          /Cannot use --engine=lmdb: the store in tuesday is on sqlite/
        ],
        [1, ["monday", "none", "--into=x"], /Cannot open none: it does not exist/],
        [
          1,
          ["monday", "open", "--into=x"],
          /Cannot choose a sync of open: none has ended\. .*: open#2QYH\S+2 \(one of 1/
        ],
        [1, ["monday#2QYHtvXq0000000000000000009", "--into=x"], /Cannot read sync \S+9 of monday: there is none/],
        [
          1,
          ["monday", "other", "--into=x"],
          /Cannot use other with monday: of record type Account field id is int, stored as string/
        ],
        [
          1,
          ["monday", "--output=out", "--sync-type=partial"],
          /Cannot merge into out: its type is partial, expected one/
        ]
      ]
      for (const [status, args, message] of cases)
        assert.match(failureLine(yield* icecore(status, ["merge", ...args])), message, args.join(" "))
      assert.deepStrictEqual(filesBelow(root), before)
      assert.lengthOf(yield* syncsOf("monday"), 1)
    }).pipe(Effect.scoped)
  )
})

describe("icecore diff", () => {
  it.live("prints what archive diff prints, by other names, and exits 1 on a difference", () =>
    Effect.gen(function* () {
      const { archive, icecore } = yield* stores
      for (const flags of [[], ["--list"], ["--list", "--ignore=owner"], ["--json", "--type=acc"], ["--ndjson"]]) {
        const ended = yield* icecore(1, ["diff", "monday", "tuesday", ...flags])
        const named = outputOf(ended)
          .replaceAll(/"base":/g, '"a":')
          .replaceAll(/"applied":/g, '"b":')
          .replace(/base +applied/, "a  b")
        const expected = outputOf(yield* archive(1, ["diff", "monday", "tuesday", ...flags]))
        assert.strictEqual(named.replaceAll(/ +/g, " "), expected.replaceAll(/ +/g, " "))
        assert.include(ended.stderr, "icecore: monday and tuesday differ in ")
      }
      yield* icecore(0, ["diff", "monday", "monday"])
      assert.match(
        failureLine(yield* icecore(2, ["diff", "monday", "tuesday", "--ignore=x"])),
        /no record has such a field/
      )
    }).pipe(Effect.scoped)
  )

  it.live("makes a sync of what differs, which merged with the one gives the other", () =>
    Effect.gen(function* () {
      const { accountsOf, archive, icecore, root, syncsOf } = yield* stores
      const before = filesBelow(root)
      const kept = ["diff", "monday", "tuesday", "--output=changes.icearch"]
      const planned = yield* icecore(0, [...kept, "--dry-run", "--list"])
      assert.deepStrictEqual(linesOf(planned).slice(0, 4), [
        "~ Account a: owner, discovered_at",
        "~ Account b: owner",
        "- Account d e",
        "+ Account f"
      ])
      const would = "Would make a sync of type partial_diff in changes.icearch: 3 records, 4 changes"
      assert.strictEqual(linesOf(planned).at(-1), would)
      const asJson = JSON.parse(outputOf(yield* icecore(0, [...kept, "--dry-run", "--json"])))
      assert.deepInclude(asJson, { dryRun: true, into: "changes.icearch" })
      assert.deepStrictEqual(filesBelow(root), before)
      const made = yield* icecore(0, [...kept, "--list"])
      assert.deepStrictEqual(linesOf(made).slice(0, 6), [
        ...linesOf(planned).slice(0, 4),
        "type     base  applied  added  removed  changed  changed fields",
        "Account     4        4      1        1        2  discovered_at (1), owner (2)"
      ])
      const [run] = yield* syncsOf("changes.icearch")
      const ids = [(yield* syncsOf("monday"))[0]!.sync_id, (yield* syncsOf("tuesday"))[0]!.sync_id]
      assert.deepInclude(run, { type: "partial_diff", parent_sync_id: ids[0]!, source_sync_ids: ids })
      assert.match(
        linesOf(made)[6]!,
        new RegExp(`^Made sync ${run!.sync_id} of changes\\.icearch .*: 3 records, 4 changes$`)
      )
      assert.match(linesOf(made)[7]!, /^Saved to changes\.icearch: pack, /)
      const changes = yield* archive(0, ["list", "changes.icearch", "SyncChange", "--fields=record_key,kind,fields"])
      assert.deepStrictEqual(tableOf(changes).slice(1), [
        ["a", "changed", "discovered_at, owner"],
        ["b", "changed", "owner"],
        ["d e", "removed"],
        ["f", "added"]
      ])
      yield* icecore(0, ["merge", "monday", "changes.icearch", "--into=again"])
      assert.deepStrictEqual(yield* accountsOf("again"), tuesday)
      yield* icecore(0, ["diff", "again", "tuesday"])
      yield* archive(0, ["verify", "again"])
    }).pipe(Effect.scoped)
  )

  it.live("--into puts the sync into a store, of which one side may be, and says in JSON what it made", () =>
    Effect.gen(function* () {
      const { archive, icecore, root, syncsOf } = yield* stores
      for (const [into, ...flags] of [["monday"], ["tuesday", "--ignore=owner"]] as const) {
        const { base, run, types, ...rest } = JSON.parse(
          outputOf(yield* icecore(0, ["diff", "monday", "tuesday", `--into=${into}`, "--json", ...flags]))
        )
        assert.deepInclude(types[0], { addedCount: 1, removedCount: 1, changedCount: flags.length === 0 ? 2 : 1 })
        assert.deepStrictEqual([base.path, rest.into, rest.output], ["monday", into, null])
        const runs = yield* syncsOf(into)
        assert.deepStrictEqual(runs.map(({ sync_id: id }) => id).includes(run.sync_id), true)
        assert.lengthOf(runs, 2)
        // The one that ended last is now the diff, which is no side of another.
        const [whole] = runs.filter(({ type }) => type === "full")
        const refused = yield* icecore(1, ["diff", into, into, "--into", into, "--sync-applied", whole!.sync_id])
        assert.include(failureLine(refused), "holds changes of another, expected a whole one: merge the two")
        yield* archive(0, ["verify", into])
        yield* archive(0, ["import", "-", "--into", into], textOfAccounts(into === "monday" ? monday : tuesday))
      }
      assert.match(
        failureLine(yield* icecore(2, ["diff", "monday", "tuesday", "--into=x", "--type=Account"])),
        /Cannot use --type: a diff that is kept has all types/
      )
      const lines = yield* icecore(0, ["diff", "monday", "tuesday", "--into=new", "--ndjson"])
      // What is refused leaves no store, and a dry run is refused as well.
      for (const flags of [["--into=refused"], ["--into=refused", "--dry-run"]]) {
        const ended = yield* icecore(1, ["diff", "new", "monday", ...flags])
        assert.match(failureLine(ended), /^icecore: Cannot diff into refused: sync \S+ of new holds changes of another/)
      }
      yield* icecore(2, ["diff", "monday", "tuesday", "--into=refused", "--ignore=none"])
      assert.isFalse(Fs.existsSync(Path.join(root, "refused")))
      assert.lengthOf(linesOf(lines), 4)
      assert.match(lines.stderr, /^Made sync \S+ of new \(partial_diff, .*: 3 records, 4 changes$/m)
    }).pipe(Effect.scoped)
  )
})
