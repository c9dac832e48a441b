import { assert, describe, it } from "@effect/vitest"
import { ZstdLive } from "@icecore/codec"
import { ByteSource, Disk } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Layer, Option, Stream } from "effect"
import * as fc from "fast-check"
import { Engine, type Range, type Reader, type Row, type ScanOptions } from "../src/Engine.ts"
import { formatVersion } from "../src/format/ArchiveFormat.ts"
import { keyLayoutVersion, storeKeyspaces } from "../src/format/RecordLayout.ts"
import { boundsFor } from "../src/internal/archive/ArchiveBounds.ts"
import * as ArchiveFile from "../src/internal/archive/ArchiveFile.ts"
import * as ArchiveOutside from "../src/internal/archive/ArchiveOutside.ts"
import * as PackRows from "../src/internal/archive/PackRows.ts"
import * as PackWriting from "../src/internal/archive/PackWriting.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"

const path = "/rows.icearch"

const simulated = Layer.sync(Disk, () => SimulatedDisk.make(CrashRecorder.make()).disk)
const live = Layer.mergeAll(simulated, MemoryEngine.layer, ZstdLive.layer)

type Rows = Readonly<Record<string, ReadonlyArray<Row>>>

const written = Effect.fnUntraced(function* (reader: Reader, keeps: PackWriting.PackWritingOptions["keeps"]) {
  const parts = storeKeyspaces.map((name) => ({
    name,
    offset_bytes: 0,
    size_bytes: 0,
    decoded_size_bytes: 0,
    row_count: 0
  }))
  const draft = {
    format_version: formatVersion,
    creator: "test",
    created_at: 0,
    engine: "memory",
    key_layout_version: keyLayoutVersion,
    encoding: "pack" as const,
    types: [],
    syncs: [],
    parts
  }
  yield* Effect.scoped(
    Effect.gen(function* () {
      const archive = yield* ArchiveFile.make({ path, draft, overwrite: true })
      const found = yield* PackWriting.write({
        archive,
        reader,
        keyspaces: storeKeyspaces,
        keeps,
        level: undefined,
        onRows: () => undefined
      })
      yield* archive.publish({ ...draft, parts: found })
    })
  )
})

/** Opens what was written, counting the reads of the file. */
const opened = Effect.fnUntraced(function* (cacheSizeBytes: number) {
  const source = yield* ByteSource.fromFile(path)
  const reads: Array<number> = []
  const counting: ByteSource.ByteSource = {
    ...source,
    read: (offsetBytes, lengthBytes) => {
      reads.push(lengthBytes)
      return source.read(offsetBytes, lengthBytes)
    }
  }
  const bounds = boundsFor(undefined, source.sizeBytes)
  const outside = yield* ArchiveOutside.read(counting, bounds)
  const rows = yield* PackRows.open({ outside, bounds, cacheSizeBytes })
  return { rows, reads, sizeBytes: source.sizeBytes }
})

/** A database with these rows, and the same rows out of an archive. */
const both = Effect.fnUntraced(function* (rows: Rows, cacheSizeBytes = 100_000) {
  const engine = yield* Engine
  const database = yield* engine.open({ path: "/model", keyspaces: storeKeyspaces })
  yield* database.write((batch) => {
    for (const keyspace of storeKeyspaces) batch.deleteRange(keyspace, {})
    for (const [keyspace, list] of Object.entries(rows)) {
      for (const { key, value } of list) batch.put(keyspace, key, value)
    }
  })
  yield* written(database, () => true)
  const { rows: archived, ...rest } = yield* opened(cacheSizeBytes)
  return { database, archived, ...rest }
})

const key = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3 }),
  fc.array(fc.constantFrom(0, 1, 255), { minLength: 1, maxLength: 5 }).map((bytes) => Uint8Array.from(bytes)),
  fc.integer({ min: 0, max: 300 }).map((number) => new TextEncoder().encode(`long shared prefix ${number}`))
)
const value = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 30 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 90_000 }).map((size) => new Uint8Array(size).fill(size)) }
)
const rowsOf = fc.array(fc.record({ key, value }), { maxLength: 80, size: "max" })
const bound = fc.option(key, { nil: undefined })

const rangeOf = (bounds: Readonly<Record<string, Uint8Array | undefined>>): Range =>
  Object.fromEntries(Object.entries(bounds).filter(([, each]) => each !== undefined))

const hex = (bytes: Uint8Array): string => `${Buffer.from(bytes.subarray(0, 40)).toString("hex")}/${bytes.length}`
const hexRow = (row: Row): string => `${hex(row.key)}=${hex(row.value)}`
const hexAll = <A>(found: ReadonlyArray<Option.Option<A>>, text: (each: A) => string): ReadonlyArray<string> =>
  found.map((each) => (Option.isSome(each) ? text(each.value) : "none"))

const scanOf = (reader: Reader, keyspace: string, options: ScanOptions) =>
  Effect.gen(function* () {
    const rows = yield* Stream.runCollect(reader.scan(keyspace, options))
    const paged: Array<Row> = []
    for (let isEnd = false, range = options; !isEnd && range.limit !== 0; ) {
      const page = yield* reader.page(keyspace, range)
      paged.push(...page.rows)
      isEnd = page.isEnd
      const last = paged.at(-1)
      if (last !== undefined)
        range = { ...options, ...(options.reverse === true ? { lt: last.key } : { gt: last.key }) }
      if (options.limit !== undefined) range = { ...range, limit: options.limit - paged.length }
      assert.isTrue(isEnd || page.rows.length > 0)
    }
    assert.deepStrictEqual(paged.map(hexRow), rows.map(hexRow))
    return rows.map(hexRow)
  })

describe("PackRows", () => {
  it.effect(
    "PackRows gives what the engine's reader gives: get, getMany, floor, floorMany and scans with all bounds, both ways",
    () =>
      Effect.gen(function* () {
        const context = yield* Effect.context<Disk | Engine | Layer.Success<typeof ZstdLive.layer>>()
        let groups = 0
        const property = fc.asyncProperty(
          fc.record({ records: rowsOf, indexes: rowsOf, syncs: rowsOf }),
          fc.array(key, { minLength: 1, maxLength: 20 }),
          fc.array(
            fc.record({
              gte: bound,
              gt: bound,
              lte: bound,
              lt: bound,
              prefix: bound,
              reverse: fc.boolean(),
              limit: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined })
            }),
            { minLength: 1, maxLength: 12 }
          ),
          fc.constantFrom(0, 100_000, 10_000_000),
          (rows, keys, scans, cacheSizeBytes) =>
            Effect.runPromise(
              Effect.scoped(
                Effect.gen(function* () {
                  const { archived, database } = yield* both(rows, cacheSizeBytes)
                  yield* archived.verify
                  const { reader } = archived
                  for (const keyspace of storeKeyspaces) {
                    const there = (rows as Rows)[keyspace] ?? []
                    groups = Math.max(groups, there.length)
                    const asked = [...keys, ...there.map((row) => row.key)]
                    const [left, right] = [database, reader] as const
                    assert.deepStrictEqual(
                      hexAll(yield* right.getMany(keyspace, asked), hex),
                      hexAll(yield* left.getMany(keyspace, asked), hex)
                    )
                    assert.deepStrictEqual(
                      hexAll(yield* right.floorMany(keyspace, asked), hexRow),
                      hexAll(yield* left.floorMany(keyspace, asked), hexRow)
                    )
                    for (const each of keys.slice(0, 3)) {
                      const gets = [yield* right.get(keyspace, each), yield* left.get(keyspace, each)].map((found) =>
                        hexAll([found], hex)
                      )
                      assert.deepStrictEqual(gets[0], gets[1])
                      const floors = [yield* right.floor(keyspace, each), yield* left.floor(keyspace, each)]
                      assert.deepStrictEqual(hexAll([floors[0]!], hexRow), hexAll([floors[1]!], hexRow))
                    }
                    for (const { limit, reverse, ...bounds } of [{ reverse: false, limit: undefined }, ...scans]) {
                      const options = { ...rangeOf(bounds), reverse, ...(limit === undefined ? {} : { limit }) }
                      assert.deepStrictEqual(
                        yield* scanOf(right, keyspace, options),
                        yield* scanOf(left, keyspace, options)
                      )
                    }
                  }
                })
              ).pipe(Effect.provide(context))
            )
        )
        yield* Effect.promise(() => fc.assert(property, { numRuns: 60 }))
        assert.isAbove(groups, 20)
      }).pipe(Effect.provide(live)),
    120_000
  )

  it.effect("PackRows refuses what an engine refuses, with the same errors", () =>
    Effect.gen(function* () {
      const { archived, database } = yield* both({ meta: [{ key: Uint8Array.of(1), value: new Uint8Array(1) }] })
      const long = new Uint8Array(2000)
      const tagOf = (effect: Effect.Effect<unknown, { readonly _tag: string }>) =>
        Effect.map(Effect.flip(effect), ({ _tag }) => _tag)
      for (const reader of [database, archived.reader]) {
        const tags = [
          yield* tagOf(reader.get("none", long.subarray(0, 1))),
          yield* tagOf(reader.get("meta", long)),
          yield* tagOf(reader.getMany("meta", [new Uint8Array(0)])),
          yield* tagOf(reader.floor("meta", long)),
          yield* tagOf(Stream.runDrain(reader.scan("none"))),
          yield* tagOf(Stream.runDrain(reader.scan("none", { gt: long, lt: long }))),
          yield* tagOf(Stream.runDrain(reader.scan("meta", { limit: 0.5 })))
        ]
        assert.deepStrictEqual(tags, [
          "EngineMisuse",
          "EngineKeySize",
          "EngineKeySize",
          "EngineKeySize",
          "EngineMisuse",
          "EngineMisuse",
          "EngineMisuse"
        ])
      }
    }).pipe(Effect.scoped, Effect.provide(live))
  )

  it.effect("PackRows.reader fails once its scope is closed", () =>
    Effect.gen(function* () {
      const { archived } = yield* Effect.scoped(both({}))
      const failure = yield* Effect.flip(archived.reader.get("meta", Uint8Array.of(1)))
      assert.strictEqual(failure._tag, "EngineMisuse")
    }).pipe(Effect.provide(live))
  )

  it.effect("PackRows reads a few records of a large archive to open it and to get a row", () =>
    Effect.gen(function* () {
      let state = 1
      const noise = (size: number) =>
        new Uint8Array(size).map(() => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
          return state >>> 24
        })
      const records = Array.from({ length: 4000 }, (_, at) => ({
        key: new TextEncoder().encode(`key ${String(at).padStart(6, "0")}`),
        value: noise(4000)
      }))
      const { archived, reads, sizeBytes } = yield* both({ records, indexes: records.slice(0, 500) })
      assert.isAbove(sizeBytes, 16_000_000)
      // The head twice, the footer, and the end of each of four packfiles.
      assert.isAtMost(reads.length, 3 + 4)
      assert.isAtMost(
        reads.reduce((sum, read) => sum + read, 0),
        4 * 256 * 1024 + 8192
      )
      for (const [at, expected] of [
        [3000, 1],
        [3000, 0],
        [10, 1]
      ] as const) {
        reads.length = 0
        const { key, value } = records[at]!
        assert.deepStrictEqual(yield* archived.reader.get("records", key), Option.some(value))
        assert.strictEqual(reads.length, expected)
        assert.isAtMost(
          reads.reduce((sum, read) => sum + read, 0),
          70_000
        )
      }
      reads.length = 0
      const some = yield* Stream.runCollect(archived.reader.scan("records", { gte: records[100]!.key, limit: 20 }))
      assert.strictEqual(some.length, 20)
      assert.isAtMost(reads.length, 3)
      const all = yield* archived.reader.getMany("records", records.map((row) => row.key).toReversed())
      assert.isTrue(all.every(Option.isSome))
      // Each group once, though the cache holds one of them.
      assert.isAtMost(reads.length, 4000 / 16 + 10)
    }).pipe(Effect.scoped, Effect.provide(live))
  )

  it.effect("PackRows gives buffers that are the caller's: changing them changes nothing that is read later", () =>
    Effect.gen(function* () {
      const row = { key: Uint8Array.of(1, 2), value: Uint8Array.of(3, 4) }
      const { archived } = yield* both({ meta: [row] })
      const { reader } = archived
      for (let round = 0; round < 2; round++) {
        const value = Option.getOrThrow(yield* reader.get("meta", row.key))
        const floor = Option.getOrThrow(yield* reader.floor("meta", row.key))
        const [scanned] = yield* Stream.runCollect(reader.scan("meta"))
        assert.deepStrictEqual([value, floor, scanned], [row.value, row, row])
        for (const bytes of [value, floor.key, floor.value, scanned!.key, scanned!.value]) bytes.fill(9)
      }
    }).pipe(Effect.scoped, Effect.provide(live))
  )

  it.effect("PackWriting leaves out what is not to be kept", () =>
    Effect.gen(function* () {
      const engine = yield* Engine
      const database = yield* engine.open({ path: "/model", keyspaces: storeKeyspaces })
      yield* database.write((batch) => {
        for (let at = 0; at < 100; at++) batch.put("records", Uint8Array.of(at + 1), new Uint8Array(3000))
      })
      yield* written(database, (keyspace, [first]) => keyspace === "records" && first! % 7 === 0)
      const { rows } = yield* opened(0)
      yield* rows.verify
      const keys = (yield* Stream.runCollect(rows.reader.scan("records"))).map(({ key: [first] }) => first!)
      assert.deepStrictEqual(
        keys,
        Array.from({ length: 14 }, (_, at) => 7 * (at + 1))
      )
    }).pipe(Effect.scoped, Effect.provide(live))
  )
})
