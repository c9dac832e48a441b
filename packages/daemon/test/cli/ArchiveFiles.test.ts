import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { Archive, StoreDirectory } from "@icecore/engine"
import * as SqliteEngine from "@icecore/engine/sqlite"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer } from "effect"
import { directory, engineNames } from "../support/LiveStore.ts"
import { archiveIn, linesOf, outputOf } from "./support/ArchiveCommand.ts"
import { failureLine } from "./support/Command.ts"
import { filesBelow, textOf } from "./support/Logs.ts"
import { lines, missingSamples, samples, syncIds } from "./support/RecordFiles.ts"

const [first, second] = syncIds

const services = Layer.provideMerge(
  SqliteEngine.layer,
  Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, ZstdStreamLive.layer)
)

interface Info {
  readonly format: string
  readonly encoding: string
  readonly syncs: ReadonlyArray<{
    readonly sync_id: string
    readonly finished: boolean
    readonly counts: Readonly<Record<string, number>>
  }>
}

const infoOf = (ended: { readonly stdout: Buffer }): Info => JSON.parse(outputOf(ended))

const sampled = (name: string, test: () => Effect.Effect<void>): void =>
  samples === undefined ? it.skip(`${name} (${missingSamples})`) : it.live(name, test)

describe("icecore archive, on archives", () => {
  for (const engine of engineNames) {
    it.live(`export makes archives of a store on ${engine} that are read, checked and compared as the store is`, () =>
      Effect.gen(function* () {
        const root = yield* directory
        const archive = archiveIn(root)
        Fs.writeFileSync(Path.join(root, "in.ndjson"), textOf(lines({ resourceCount: 30, grantCount: 1_200 })))
        yield* archive(0, ["import", "in.ndjson", "--into", "store", "--engine", engine])
        const exported = (yield* archive(0, ["export", "store", "--all-syncs"])).stdout
        for (const encoding of ["pack", "tar", "tar+zstd"]) {
          const file = `${encoding}.icearch`
          const saved = yield* archive(0, ["export", "store", `--as=${encoding}`, `--out=${file}`])
          assert.match(
            outputOf(saved),
            new RegExp(
              `^Saved 1,231 records of 1 sync, and all there is of 1 sync without an end, to ${file.replace("+", "\\+")}: `
            )
          )
          const { format, encoding: told, syncs } = infoOf(yield* archive(0, ["info", file, "--json"]))
          assert.deepStrictEqual([format, told], ["icearch", encoding])
          assert.deepStrictEqual(
            syncs.map(({ finished, sync_id: id }) => [id, finished]),
            [
              [first, true],
              [second, false]
            ]
          )
          yield* archive(0, ["verify", file])
          yield* archive(0, ["diff", "store", file])
          const again = (yield* archive(0, ["export", file, "--all-syncs"])).stdout
          assert.strictEqual(Buffer.compare(again, exported), 0, `${encoding} gives other lines than the store`)
        }
        const refused = yield* archive(1, ["export", "store", "--as=pack", "--out=pack.icearch"])
        assert.include(failureLine(refused), "Cannot save archive pack.icearch: a file is there")
        const got = yield* archive(0, ["get", "pack.icearch", "Grant", "g00017", "--json"])
        assert.deepInclude(JSON.parse(outputOf(got)), { external_id: "g00017", entitlement_id: "e3" })
        yield* archive(0, ["export", "store", "--as=pack", "--sync", first, "--out=one.icearch"])
        assert.lengthOf(infoOf(yield* archive(0, ["info", "one.icearch", "--json"])).syncs, 1)
        yield* archive(0, ["import", "one.icearch", "--into", "copy", "--engine", engine])
        yield* archive(0, ["diff", "one.icearch", "copy"])
      }).pipe(Effect.scoped)
    )
  }

  it.live("names what is damaged in an archive, and exits 1 with one line", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      yield* archive(0, ["import", "-", "--into", "store"], textOf(lines({ resourceCount: 30, grantCount: 300 })))
      yield* archive(0, ["export", "store", "--as=pack", "--out=whole.icearch"])
      const whole = Fs.readFileSync(Path.join(root, "whole.icearch"))
      const damaged = Buffer.from(whole)
      damaged[Math.floor(whole.length / 2)]! ^= 1
      Fs.writeFileSync(Path.join(root, "damaged.icearch"), damaged)
      Fs.writeFileSync(Path.join(root, "cut.icearch"), whole.subarray(0, -1))
      Fs.writeFileSync(Path.join(root, "junk"), "no archive at all, but long enough to be looked at as one")
      const before = filesBelow(root)
      assert.match(failureLine(yield* archive(1, ["verify", "damaged.icearch"])), /damaged\.icearch/)
      for (const command of ["info", "verify"]) {
        assert.match(failureLine(yield* archive(1, [command, "cut.icearch"])), /cut\.icearch: its .* is damaged/)
        assert.match(failureLine(yield* archive(1, [command, "junk"])), /Cannot open archive junk: it begins with 0x/)
      }
      assert.deepStrictEqual(filesBelow(root), before)
    }).pipe(Effect.scoped)
  )

  it.live("shows what an archive says of itself without steering the terminal", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      yield* archive(0, ["import", "-", "--into", "store"], textOf(lines({ resourceCount: 1, grantCount: 1 })))
      yield* Effect.gen(function* () {
        const { source } = yield* StoreDirectory.open(Path.join(root, "store"))
        const creator = "\u001b[2J\nkind  sound"
        yield* Archive.save({ source, path: Path.join(root, "creator"), creator })
        const engineName = "\u001b]0;x\u0007"
        yield* Archive.save({ source: { ...source, engineName }, path: Path.join(root, "engine"), encoding: "tar" })
      }).pipe(Effect.scoped, Effect.provide(services))
      assert.include(outputOf(yield* archive(0, ["info", "creator"])), "by \\u001b[2J\\nkind  sound\n")
      assert.include(failureLine(yield* archive(1, ["list", "engine", "Grant"])), "engine \\u001b]0;x\\u0007,")
    }).pipe(Effect.scoped)
  )

  sampled("reads archives of the older format: their counts, and grants by entitlement and by principal", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      const { expanded, unexpanded, unfinished } = samples!
      for (const [path, finished, grants] of [
        [expanded, true, 14_981],
        [unexpanded, false, 2_909]
      ] as const) {
        const { format, syncs } = infoOf(yield* archive(0, ["info", path, "--json"]))
        assert.strictEqual(format, "c1z")
        assert.lengthOf(syncs, 1)
        assert.strictEqual(syncs[0]!.finished, finished)
        assert.deepInclude(syncs[0]!.counts, { ResourceType: 4, Resource: 1_221, Entitlement: 342, Grant: grants })
      }
      const [run] = infoOf(yield* archive(0, ["info", unfinished, "--json"])).syncs
      assert.deepStrictEqual([run!.finished, run!.counts.ResourceType, run!.counts.Resource], [false, 5, 79])
      const refused = failureLine(yield* archive(1, ["list", unfinished, "Resource"]))
      assert.include(refused, `none has ended. It can be read all the same: --sync=${run!.sync_id}`)
      const named = yield* archive(0, ["list", unfinished, "Resource", "--sync", run!.sync_id, "--ndjson"])
      assert.lengthOf(linesOf(named), 79)

      const grants = linesOf(yield* archive(0, ["list", expanded, "Grant", "--ndjson"])).map((line) => JSON.parse(line))
      const grant = grants[7_000]
      for (const [index, paths] of [
        ["by_entitlement", ["entitlement_id"]],
        ["by_principal", ["principal_resource_type_id", "principal_resource_id"]]
      ] as const) {
        const values = paths.map((path) => grant[path])
        const prefix = values.map((value: string) => value.replaceAll(/[\\,]/g, "\\$&")).join(",")
        const found = yield* archive(0, [
          "list",
          expanded,
          "Grant",
          `--index=${index}`,
          `--prefix=${prefix}`,
          "--ndjson"
        ])
        const ids = linesOf(found).map((line) => JSON.parse(line).external_id)
        const expected = grants.filter((each) => paths.every((path, at) => each[path] === values[at]))
        assert.deepStrictEqual([...ids].sort(), expected.map((each) => each.external_id).sort())
      }
    }).pipe(Effect.scoped)
  )

  sampled("imports archives of the older format into each engine, record by record", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const archive = archiveIn(root)
      const { expanded, unexpanded, unfinished } = samples!
      for (const engine of engineNames) {
        yield* archive(0, ["import", expanded, unfinished, "--into", engine, "--engine", engine])
        yield* archive(0, ["diff", expanded, engine])
        yield* archive(0, ["verify", engine])
        const { syncs } = infoOf(yield* archive(0, ["info", engine, "--json"]))
        assert.deepStrictEqual(syncs.map(({ finished }) => finished).sort(), [false, true])
      }
      const changed = yield* archive(1, ["diff", unexpanded, expanded, "--sync-a", yield* onlySync(archive), "--json"])
      const { types } = JSON.parse(outputOf(changed))
      const grants = types.find((each: { readonly type: string }) => each.type === "Grant")
      assert.deepInclude(grants, { addedCount: 12_072, removedCount: 0 })
    }).pipe(Effect.scoped)
  )
})

const onlySync = (archive: ReturnType<typeof archiveIn>) =>
  Effect.map(archive(0, ["info", samples!.unexpanded, "--json"]), (ended) => infoOf(ended).syncs[0]!.sync_id)
