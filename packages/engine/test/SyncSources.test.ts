import { assert, it } from "@effect/vitest"
import { RecordCodec } from "@icecore/codec"
import { Effect, Option, Result, Stream } from "effect"
import * as ArchiveFormat from "../src/format/ArchiveFormat.ts"
import { manifestSync } from "../src/internal/archive/MakeManifest.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as RecordExport from "../src/RecordExport.ts"
import * as RecordImport from "../src/RecordImport.ts"
import * as RecordNdjson from "../src/RecordNdjson.ts"
import * as RecordType from "../src/RecordType.ts"
import { SyncRun } from "../src/SyncRun.ts"
import { item, Item as itemType, syncId } from "./PlantedStore.ts"
import { inMemory } from "./RecordStoreHarness.ts"
import { basePath, momentOf, openAt, sourcePath, syncA, syncB } from "./ReplaceHarness.ts"

const sources = [syncB, syncId(3)]

const start = { type: "full", syncId: syncA, startedAt: 1, sources } as const

it.effect("RecordStore.startSync keeps the runs that a run comes from, through its life and all ways to move it", () =>
  Effect.gen(function* () {
    const source = yield* openAt(sourcePath)
    assert.deepStrictEqual((yield* source.startSync(start)).source_sync_ids, sources)
    yield* source.put(itemType, [item(1)])
    yield* source.checkpointSync("t")
    const run = yield* source.endSync({ endedAt: 5 })
    assert.deepStrictEqual(run.source_sync_ids, sources)
    assert.deepStrictEqual(Option.getOrThrow(yield* source.getSync(syncA)), run)

    const copied = yield* openAt("/copied")
    yield* RecordImport.fromReader(copied, source, { syncs: [syncA] })
    assert.deepStrictEqual(Option.getOrThrow(yield* copied.getSync(syncA)), run)
    const replaced = yield* openAt(basePath)
    yield* replaced.replaceSync({ sync: syncA, source: yield* momentOf(source), sourcePath })
    assert.deepStrictEqual(Option.getOrThrow(yield* replaced.getSync(syncA)), run)

    const lines = yield* Stream.runCollect(RecordExport.chunks(source, { syncs: [syncA] }))
    const text = lines.map(({ bytes }) => new TextDecoder().decode(bytes)).join("")
    const runLine = text.split("\n").find((line) => line.includes("sync_run"))!
    assert.deepStrictEqual(JSON.parse(runLine).sync_run.source_sync_ids, sources)
    const imported = yield* openAt("/imported")
    const input = yield* RecordImport.openLines(
      "lines",
      Stream.fromArray(text.split("\n").map((line) => new TextEncoder().encode(line)))
    )
    yield* RecordImport.fromLines(imported, input)
    assert.deepStrictEqual(Option.getOrThrow(yield* imported.getSync(syncA)), { ...run, counts: { Item: 1 } })
  }).pipe(Effect.scoped, Effect.provide(MemoryEngine.layer))
)

it.effect("RecordStore.startSync refuses sources that are none", () =>
  inMemory((store) =>
    Effect.gen(function* () {
      for (const wrong of [[], ["short"], [syncB, ""]] as ReadonlyArray<ReadonlyArray<string>>) {
        const failure = yield* Effect.flip(store.startSync({ ...start, sources: wrong as ReadonlyArray<typeof syncA> }))
        assert.strictEqual(failure._tag, "RecordMisuse")
        assert.include(failure.message, "sources")
      }
      const many = Array.from({ length: 100_001 }, () => syncB)
      const failure = yield* Effect.flip(store.startSync({ ...start, sources: many }))
      assert.include(failure.message, "sources has 100001 ids, expected 1 to 100000")
      assert.deepStrictEqual(yield* store.listSyncs, [])
    })
  )
)

it("RecordNdjson.parse refuses a run whose sources are no ids", () => {
  const run = { sync_id: syncA, type: "full", started_at: 1, token: "", counts: {} }
  const parse = (source_sync_ids: unknown) =>
    RecordNdjson.parse(new TextEncoder().encode(JSON.stringify({ sync_run: { ...run, source_sync_ids } })))
  assert.isTrue(Result.isSuccess(parse(sources)))
  assert.match(Result.getOrThrow(Result.flip(parse(["short"]))), /Cannot read KSUID "short"/)
  assert.match(Result.getOrThrow(Result.flip(parse("short"))), /sync_run.source_sync_ids is/)
})

it("ArchiveFormat keeps the runs that a run came from, and refuses ones that are no ids", () => {
  const run: SyncRun = { sync_id: syncA, type: "full", started_at: 1, token: "t", counts: {}, source_sync_ids: sources }
  const decoded = (sync: ArchiveFormat.ManifestSync) => {
    const manifest: ArchiveFormat.Manifest = {
      format_version: ArchiveFormat.formatVersion,
      creator: "test",
      created_at: 1,
      engine: "memory",
      key_layout_version: 1,
      encoding: "tar",
      types: [RecordType.describe(itemType)],
      syncs: [sync],
      parts: [{ name: "database", offset_bytes: 0, size_bytes: 0, decoded_size_bytes: 0, row_count: 0 }]
    }
    const head = ArchiveFormat.encodeHead(manifest)
    return ArchiveFormat.decodeManifest(head, 0)
  }
  const { token: _, ...listed } = run
  assert.deepStrictEqual((decoded(manifestSync(run)) as ArchiveFormat.Manifest).syncs, [listed])
  const wrong = decoded({ ...listed, source_sync_ids: ["none" as never] })
  assert.include(JSON.stringify(wrong), "is no id of a sync")
})

it("SyncRun without sources has the bytes that it had before there were any, and is read from them", () => {
  const fields = SyncRun.shape.fields.filter(({ name }) => name !== "source_sync_ids")
  assert.lengthOf(fields, SyncRun.shape.fields.length - 1)
  const before = RecordCodec.make<SyncRun>({ kind: "struct", fields })
  for (const ended of [{}, { ended_at: 7, parent_sync_id: syncB }]) {
    const run: SyncRun = { sync_id: syncA, type: "full", started_at: 1, token: "", counts: { Item: 2 }, ...ended }
    const bytes = before.encodeUnsafe(run)
    assert.deepStrictEqual(SyncRun.codec.encodeUnsafe(run), bytes)
    assert.deepStrictEqual(SyncRun.codec.decodeUnsafe(bytes), run)
  }
})
