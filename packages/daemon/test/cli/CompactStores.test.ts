import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { RecordType } from "@icecore/engine"
import { Effect, Schema } from "effect"
import { directory, engineNames } from "../support/LiveStore.ts"
import { archiveIn, linesOf, outputOf } from "./support/ArchiveCommand.ts"
import { eventually, expect, failureLine, start } from "./support/Command.ts"
import { filesBelow, textOf } from "./support/Logs.ts"
import { lines, syncIds } from "./support/RecordFiles.ts"

const [first, second] = syncIds

/** A directory with stores of two syncs of the same ids: `base` of 1,206 records, and `source` of 704 on the other engine. */
const stores = Effect.fnUntraced(function* (engine: (typeof engineNames)[number] = "sqlite") {
  const root = yield* directory
  const archive = archiveIn(root)
  const icecore = (status: number, args: ReadonlyArray<string>) => expect(status, args, { cwd: root })
  const other = engineNames.find((name) => name !== engine)!
  const fill = (into: string, on: string, options: Parameters<typeof lines>[0]) =>
    archive(0, ["import", "-", "--into", into, "--engine", on], textOf(lines(options)))
  yield* fill("base", engine, { resourceCount: 5, grantCount: 1_200 })
  yield* fill("source", other, { resourceCount: 3, grantCount: 700 })
  const exported = (path: string, sync: string = first) =>
    Effect.map(archive(0, ["export", path, "--sync", sync]), outputOf)
  return { root, archive, icecore, exported }
})

/** The files of a directory with their bytes. */
const bytesBelow = (root: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name) => Fs.readFileSync(Path.join(root, name)).toString("base64"))

describe("icecore compact", () => {
  for (const engine of engineNames) {
    it.live(
      `makes the sync of a store on ${engine} that of a store on the other engine, and no other sync another`,
      () =>
        Effect.gen(function* () {
          const { archive, exported, icecore } = yield* stores(engine)
          const before = yield* exported("base")
          const kept = yield* exported("base", second)
          const planned = yield* icecore(0, ["compact", "base", "source", "--dry-run"])
          assert.match(
            outputOf(planned),
            new RegExp(`^Would replace sync ${first} of base by that of source \\(full, `)
          )
          assert.match(outputOf(planned), /^Grant +copy +1,200 +700 /m)
          assert.match(outputOf(planned), /^Resource by_parent +copy +0 +0 /m)
          const plan = JSON.parse(outputOf(yield* icecore(0, ["compact", "base", "source", "--dry-run", "--json"])))
          assert.deepInclude(plan, { dryRun: true, base: "base", source: "source" })
          assert.deepInclude(plan.plan.steps[1], { type: "Grant", action: "copy", sourceRows: 700, baseRows: 1_200 })
          assert.strictEqual(yield* exported("base"), before)

          const done = yield* icecore(0, ["compact", "base", "source"])
          assert.deepStrictEqual(
            linesOf(done).map((line) => line.split(/ {2,}/).slice(0, 5)),
            [
              ["type", "added", "replaced", "removed", "unchanged"],
              ["Asset", "0", "0", "0", "1"],
              ["Grant", "0", "0", "500", "700"],
              ["Resource", "0", "0", "2", "3"],
              [linesOf(done)[4]!]
            ]
          )
          assert.match(
            linesOf(done)[4]!,
            new RegExp(`^Replaced sync ${first} of base \\(full, ended 2001.*entries, .* written$`)
          )
          assert.strictEqual(yield* exported("base"), yield* exported("source"))
          assert.strictEqual(yield* exported("base", second), kept)
          yield* archive(0, ["verify", "base"])
        }).pipe(Effect.scoped)
    )
  }

  it.live("changes the archive that a link leads to, and leaves the link", () =>
    Effect.gen(function* () {
      const { archive, exported, icecore, root } = yield* stores()
      Fs.mkdirSync(Path.join(root, "kept"))
      yield* archive(0, ["export", "base", "--as=pack", "--out=kept/base.icearch"])
      Fs.symlinkSync("kept/base.icearch", Path.join(root, "link"))
      const report = yield* icecore(0, ["compact", "link", "source", "--json"])
      assert.deepInclude(JSON.parse(outputOf(report)).output, { path: "link" })
      assert.isTrue(Fs.lstatSync(Path.join(root, "link")).isSymbolicLink())
      assert.strictEqual(yield* exported("kept/base.icearch"), yield* exported("source"))
    }).pipe(Effect.scoped)
  )

  it.live("changes an archive in its place and encoding, makes another of it, and leaves nothing else behind", () =>
    Effect.gen(function* () {
      const { archive, exported, icecore, root } = yield* stores()
      const expected = yield* exported("source")
      yield* archive(0, ["export", "source", "--as=pack", "--out=source.icearch"])
      for (const encoding of ["pack", "tar", "tar+zstd"]) {
        yield* archive(0, ["export", "base", `--as=${encoding}`, "--out=base.icearch"])
        const before = filesBelow(root)
        const report = yield* icecore(0, ["compact", "base.icearch", "source.icearch", "--json"])
        const { before: run, output, result, types } = JSON.parse(outputOf(report))
        assert.deepInclude(output, { path: "base.icearch", encoding })
        assert.deepStrictEqual([result, run.sync_id, run.token], ["SyncReplaced", first, undefined])
        assert.deepInclude(types[1], { type: "Grant", addedCount: 0, removedCount: 500, unchangedCount: 700 })
        assert.deepStrictEqual(filesBelow(root), before)
        assert.strictEqual(yield* exported("base.icearch"), expected)
        assert.strictEqual(
          JSON.parse(outputOf(yield* archive(0, ["info", "base.icearch", "--json"]))).encoding,
          encoding
        )
        yield* archive(0, ["verify", "base.icearch"])
        Fs.rmSync(Path.join(root, "base.icearch"))
      }
      const names = filesBelow(root).filter((name) => /^(base|source)/.test(name) && !name.includes("lock"))
      const bytes = bytesBelow(root, names)
      const saved = yield* icecore(0, ["compact", "base", "source.icearch", "--output=out.icearch", "--encoding=tar"])
      assert.match(linesOf(saved).at(-1)!, /^Saved to out\.icearch: tar, /)
      assert.deepStrictEqual(bytesBelow(root, names), bytes)
      assert.strictEqual(yield* exported("out.icearch"), expected)
      assert.strictEqual(yield* exported("out.icearch", second), yield* exported("base", second))
      const refused = yield* icecore(1, ["compact", "base", "source", "--output=out.icearch"])
      assert.match(failureLine(refused), /Cannot save archive out\.icearch: a file is there/)
      yield* icecore(1, ["compact", "base", "source", "--output=out.icearch", "--dry-run"])
      yield* icecore(0, ["compact", "base", "source", "--output=out.icearch", "--overwrite", "--dry-run"])
      assert.strictEqual(JSON.parse(outputOf(yield* archive(0, ["info", "out.icearch", "--json"]))).encoding, "tar")
    }).pipe(Effect.scoped)
  )

  it.live(
    "says that a source is empty and how much it removed, and takes a sync without an end only when told to",
    () =>
      Effect.gen(function* () {
        const { archive, exported, icecore } = yield* stores()
        const run = { sync_id: first, type: "full", started_at: 1e15, ended_at: 1e15 + 9, token: "", counts: {} }
        const types = linesOf({ stdout: Buffer.from(yield* exported("base")) }).filter((line) =>
          /"record_type"/.test(line)
        )
        yield* archive(0, ["import", "-", "--into", "empty"], textOf([...types, JSON.stringify({ sync_run: run })]))
        const emptied = outputOf(yield* icecore(0, ["compact", "base", "empty"]))
        assert.include(emptied, "The sync of empty is empty: 1,206 records were removed from base\n")
        const stats = JSON.parse(outputOf(yield* archive(0, ["info", "base", "--json"]))).syncs[0]
        assert.deepStrictEqual([stats.ended_at, stats.counts], [1e15 + 9, {}])

        const unfinished = ["compact", "empty", "base", "--sync", second]
        const refused = failureLine(yield* icecore(2, unfinished))
        assert.include(
          refused,
          `Cannot use --sync=${second}: the sync of base has not ended; --unfinished takes it as it is`
        )
        assert.include(
          outputOf(yield* icecore(0, [...unfinished, "--unfinished"])),
          `Added sync ${second} of empty (partial, without an end)`
        )
        assert.strictEqual(yield* exported("empty", second), yield* exported("base", second))
        yield* archive(0, ["verify", "empty"])
      }).pipe(Effect.scoped)
  )

  it.live("that is interrupted leaves the store as it was and nothing behind", () =>
    Effect.gen(function* () {
      const { archive, exported, root } = yield* stores()
      yield* archive(0, ["import", "-", "--into", "large"], textOf(lines({ resourceCount: 5, grantCount: 20_000 })))
      yield* archive(0, ["export", "base", "--as=pack", "--out=base.icearch"])
      const before = yield* exported("base")
      const names = filesBelow(root)
      for (const base of ["base", "base.icearch"]) {
        const running = yield* start(["compact", base, "large", "--rate=100000"], { cwd: root })
        yield* eventually("it copies", () => (/[1-9][\d,]* rows/.test(running.stderr()) ? true : undefined))
        yield* running.kill("SIGINT")
        const { signal, status } = yield* running.ended
        assert.deepStrictEqual([status, signal], [130, null])
        assert.deepStrictEqual(filesBelow(root), names)
        assert.strictEqual(yield* exported(base), before)
      }
      yield* archive(0, ["verify", "base"])
    }).pipe(Effect.scoped)
  )

  it.live("brings fields that a source has appended, and keeps the indexes that base has, as imports do", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      const fields = { id: Schema.String, owner: Schema.String }
      const declare = (type: RecordType.Any) => JSON.stringify({ record_type: RecordType.describe(type) })
      const short = RecordType.make({
        name: "Account",
        fields: Schema.Struct(fields),
        primaryKey: ["id"],
        indexes: { by_owner: { paths: ["owner"] } }
      })
      const long = RecordType.make({
        name: "Account",
        fields: Schema.Struct({ ...fields, note: Schema.optionalKey(Schema.String) }),
        primaryKey: ["id"],
        indexes: { by_note: { paths: ["note"] } }
      })
      const other = RecordType.make({ name: "Account", fields: Schema.Struct(fields), primaryKey: ["owner"] })
      const account = (record: object) => JSON.stringify({ type: "Account", record })
      const a = account({ id: "a", owner: "x" })
      for (const base of ["base", "base2"])
        yield* archive(0, ["import", "-", "--into", base], textOf([declare(short), a]))
      const b = account({ id: "b", owner: "x", note: "n" })
      yield* archive(0, ["import", "-", "--into", "long"], textOf([declare(long), b]))
      yield* archive(0, ["import", "-", "--into", "other"], textOf([declare(other), a]))
      yield* expect(0, ["compact", "base", "long"], { cwd: root })
      yield* archive(0, ["import", "long", "--into", "base2"])
      for (const base of ["base", "base2"]) {
        const listed = yield* archive(0, ["list", base, "Account", "--index=by_owner", "--ndjson"])
        assert.deepStrictEqual(linesOf(listed), ['{"id":"b","owner":"x","note":"n"}'])
        const { types } = JSON.parse(outputOf(yield* archive(0, ["info", base, "--json"])))
        assert.deepStrictEqual(Object.keys(types[0].indexes), ["by_owner"])
        yield* archive(0, ["verify", base])
      }
      const contradicted = yield* expect(1, ["compact", "base", "other"], { cwd: root })
      assert.include(
        failureLine(contradicted),
        "Cannot use other with base: of record type Account its primary key is owner, stored under id"
      )
    }).pipe(Effect.scoped)
  )

  it.live("refuses what makes no sense with one line, and changes nothing", () =>
    Effect.gen(function* () {
      const { archive, icecore, root } = yield* stores()
      yield* archive(0, ["import", "-", "--into", "open"], textOf(lines({ resourceCount: 1, grantCount: 1 }).slice(-2)))
      Fs.symlinkSync("base", Path.join(root, "link"))
      const absent = first.replace(/1$/, "9")
      const before = filesBelow(root)
      const cases: ReadonlyArray<readonly [number, ReadonlyArray<string>, RegExp]> = [
        [1, ["base", "./base"], /Cannot compact into base: the source is the same, expected another/],
        [1, ["base", "link"], /Cannot compact into base: the source is the same, expected another/],
        [1, ["base", "none"], /Cannot open none: it does not exist/],
        [1, ["none", "base"], /Cannot open none: it does not exist/],
        [1, ["base", "source", "--sync", absent], /Cannot read sync \S+9 of source: there is none/],
        [1, ["base", "open"], /Cannot choose a sync of open: none has ended\. .*: --sync=\S+2 /],
        [2, ["base", "source", "--encoding=tar"], /Cannot use --encoding=tar: base is a store and stays one/]
      ]
      for (const [status, args, message] of cases)
        assert.match(failureLine(yield* icecore(status, ["compact", ...args])), message, args.join(" "))
      for (const rate of ["0", "-5", "x"]) yield* icecore(2, ["compact", "base", "source", `--rate=${rate}`])
      assert.deepStrictEqual(filesBelow(root), before)
    }).pipe(Effect.scoped)
  )
})
