import { assert, describe, it } from "@effect/vitest"
import { type Catalog, CatalogKey, Geometry } from "@icecore/catalog"
import { Disk } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import { encodeSeq, entriesKeyspace, hotKeyspaces, keysKeyspace } from "../src/format/HotFormat.ts"
import type { History } from "../src/History.ts"
import { type Source, SourceMissing } from "../src/Source.ts"
import * as Store from "../src/Store.ts"
import * as StoreAudit from "../src/StoreAudit.ts"
import * as Built from "./support/BuiltStore.ts"

const { built, builtCount, entryAt, keyAt, layout, sourceOf } = Built

const pack = (chunk: number): string => `/store/entries/00000/0000000${chunk}.pack`
const run = (chunk: number): string => `/store/keys/run/00000/0000000${chunk}.bin`
const finished = "/store/keys/index/00000000/00000000-00000003.idx"
const rolling = "/store/keys/index/00000001/00000004-00000005.idx"

type Plant = Effect.Effect<unknown, unknown, Built.BuiltServices>

/** What an audit finds in a store that was sound before `plant`. */
const foundAfter = (
  plant: Plant,
  options: Partial<StoreAudit.AuditOptions> = {}
): Effect.Effect<ReadonlyArray<StoreAudit.AuditFinding>> =>
  Effect.gen(function* () {
    const { services } = yield* built()
    return yield* Effect.provide(
      Effect.andThen(Effect.orDie(plant), StoreAudit.findings({ layout, ...options })),
      services
    )
  })

const rows = (change: Parameters<typeof Built.meddle>[0]): Plant => Built.meddle(change)

const hot = (change: Parameters<typeof Built.meddleWith>[2]): Plant =>
  Built.meddleWith("/store/hot/00000006", hotKeyspaces, change)

const onDisk = (use: (disk: Disk) => Effect.Effect<unknown, unknown>): Plant => Effect.flatMap(Disk, use)

const copy = (source: string, target: string): Plant =>
  Effect.flatMap(Built.readFile(source), (bytes) => Built.writeFile(target, bytes))

const cut = (path: string, by: number): Plant =>
  Effect.flatMap(Built.readFile(path), (bytes) => Built.writeFile(path, bytes.slice(0, bytes.length - by)))

const inCatalog = (use: (catalog: Catalog.Catalog) => Effect.Effect<unknown, unknown, Built.BuiltServices>): Plant =>
  Effect.scoped(Effect.flatMap(Built.openCatalog(), use))

/** A name, what is planted, and each finding that must come of it: invariant, fault, and the key or path that it names. */
const violations: ReadonlyArray<
  readonly [string, Plant, ReadonlyArray<readonly [StoreAudit.Invariant, StoreAudit.AuditFault, string]>]
> = [
  ["a flipped bit in a record", Built.flip(pack(1), 3), [["I1", "damaged", "chunk:00000001:entries"]]],
  ["a flipped bit in a trailer", Built.flip(pack(1), -60), [["I1", "damaged", "chunk:00000001:entries"]]],
  ["a flipped bit in the app data", Built.flip(pack(1), -78), [["I1", "damaged", "chunk:00000001:entries"]]],
  ["a truncated pack", cut(pack(2), 5), [["I1", "damaged", "chunk:00000002:entries"]]],
  ["an empty pack", Built.writeFile(pack(2), new Uint8Array(0)), [["I1", "damaged", "chunk:00000002:entries"]]],
  ["the pack of another chunk", copy(pack(0), pack(1)), [["I1", "damaged", "chunk:00000001:entries"]]],
  ["a pack that is gone", onDisk((disk) => disk.unlink(pack(3))), [["I3", "missing", "chunk:00000003:entries"]]],
  ["a flipped bit in a run", Built.flip(run(4), 20), [["I1", "damaged", "chunk:00000004:keys"]]],
  ["a truncated run", cut(run(4), 20), [["I1", "damaged", "chunk:00000004:keys"]]],
  ["the run of another chunk", copy(run(4), run(5)), [["I1", "damaged", "chunk:00000005:keys"]]],
  ["a run that is gone", onDisk((disk) => disk.unlink(run(5))), [["I3", "missing", "chunk:00000005:keys"]]],
  [
    "a flipped bit in an index",
    Effect.flatMap(Built.readFile(finished), (bytes) => Built.flip(finished, bytes.length >> 1)),
    [["I1", "damaged", "index:00000000:00000000:00000003"]]
  ],
  ["a truncated index", cut(finished, 1), [["I1", "damaged", "index:00000000:00000000:00000003"]]],
  ["the index of another window", copy(finished, rolling), [["I1", "damaged", "index:00000001:00000004:00000005"]]],
  [
    "an index that is gone",
    onDisk((disk) => disk.unlink(rolling)),
    [["I3", "missing", "index:00000001:00000004:00000005"]]
  ],
  [
    "a file that no key names",
    copy(pack(0), "/store/entries/00000/00000077.pack"),
    [["I3", "stray", "/store/entries/00000/00000077.pack"]]
  ],
  [
    "a file in another chunk's bucket",
    copy(pack(0), "/store/entries/00001/00000000.pack"),
    [["I3", "stray", "/store/entries/00001/00000000.pack"]]
  ],
  [
    "a file of a name that there is not",
    Built.writeFile("/store/keys/run/notes.txt", new Uint8Array(1)),
    [["I3", "stray", "/store/keys/run/notes.txt"]]
  ],
  [
    "a hot directory that no key names",
    Built.writeFile("/store/hot/00000042/data", new Uint8Array(1)),
    [["I3", "stray", "/store/hot/00000042"]]
  ],
  [
    "a chunk that is nowhere",
    Effect.andThen(
      rows((_, remove) => remove("chunk:00000002:entries")),
      onDisk((disk) => disk.unlink(pack(2)))
    ),
    [["I1", "hole", "/store/catalog"]]
  ],
  [
    "a freeze that was begun",
    rows((put) => put("chunk:00000006:entries", "freezing")),
    [["I2", "unsettled", "chunk:00000006:entries"]]
  ],
  [
    "a removal that was begun",
    rows((put) => put("index:00000000:00000000:00000002", "pruning")),
    [["I2", "unsettled", "index:00000000:00000000:00000002"]]
  ],
  [
    "a hot database that was begun",
    rows((put) => put("hot:00000009", "transient")),
    [["I2", "unsettled", "hot:00000009"]]
  ],
  [
    "a row that is none of ours",
    rows((put) => put("chunk:7:entries", "frozen")),
    [["I2", "catalog", "chunk:7:entries"]]
  ],
  ["a state that there is not", rows((put) => put("hot:00000009", "warm")), [["I2", "catalog", "hot:00000009"]]],
  ["a pin that is no number", rows((put) => put("config:first_seq", "zero")), [["I2", "catalog", "config:first_seq"]]],
  [
    "two frozen indexes of a window",
    Effect.andThen(
      copy(rolling, "/store/keys/index/00000001/00000004-00000004.idx"),
      rows((put) => put("index:00000001:00000004:00000004", "frozen"))
    ),
    [
      ["I1", "damaged", "index:00000001:00000004:00000004"],
      ["I2", "coverage", "index:00000001:00000004:00000005"],
      ["I2", "uncovered", "/store/catalog"]
    ]
  ],
  [
    "a hot database of a frozen chunk",
    inCatalog((catalog) => Built.heat(catalog, 5, 4)),
    [["I2", "superseded", "hot:00000005"]]
  ],
  [
    "a hot database of a frozen chunk with a hole",
    Effect.andThen(
      inCatalog((catalog) => Built.heat(catalog, 5, 4)),
      Built.meddleWith("/store/hot/00000005", hotKeyspaces, (batch) => batch.delete(entriesKeyspace, encodeSeq(21)))
    ),
    [
      ["I1", "hot", "hot:00000005"],
      ["I2", "superseded", "hot:00000005"]
    ]
  ],
  [
    "a complete chunk that is not frozen",
    inCatalog((catalog) =>
      Effect.gen(function* () {
        yield* catalog.discardHot(Geometry.ChunkId(6))
        yield* Built.heat(catalog, 6, 4)
        yield* Built.heat(catalog, 7, 1)
      })
    ),
    [["I2", "unsettled", "hot:00000006"]]
  ],
  [
    "a hot chunk that ends before the next begins",
    inCatalog((catalog) => Built.heat(catalog, 7, 1)),
    [
      ["I1", "hot", "hot:00000006"],
      ["I2", "unsettled", "hot:00000006"]
    ]
  ],
  [
    "a run of a finished window",
    inCatalog((catalog) => Effect.andThen(Built.freeze(catalog, 2), Effect.void)),
    [["I2", "superseded", "chunk:00000002:keys"]]
  ],
  [
    "a frozen chunk that no index covers",
    inCatalog((catalog) =>
      Effect.gen(function* () {
        yield* catalog.discardHot(Geometry.ChunkId(6))
        yield* Built.freeze(catalog, 6)
        yield* Built.heat(catalog, 7, 1)
      })
    ),
    [["I2", "uncovered", "/store/catalog"]]
  ],
  [
    "a hot entry that is missing",
    hot((batch) => batch.delete(entriesKeyspace, encodeSeq(24))),
    [["I1", "hot", "hot:00000006"]]
  ],
  [
    "a hot entry of another chunk",
    hot((batch) => batch.put(entriesKeyspace, encodeSeq(99), entryAt(99))),
    [["I1", "hot", "hot:00000006"]]
  ],
  [
    "a hot key that is missing",
    hot((batch) => batch.delete(keysKeyspace, keyAt(25).slice(0, 16))),
    [["I1", "hot", "hot:00000006"]]
  ],
  [
    "a hot key that names another entry",
    hot((batch) =>
      batch.put(keysKeyspace, keyAt(25).slice(0, 16), Buffer.concat([keyAt(25).slice(16), encodeSeq(24)]))
    ),
    [["I1", "hot", "hot:00000006"]]
  ],
  [
    "a hot key that no entry has",
    hot((batch) => batch.put(keysKeyspace, keyAt(3).slice(0, 16), Buffer.concat([keyAt(3).slice(16), encodeSeq(24)]))),
    [["I1", "hot", "hot:00000006"]]
  ],
  [
    "a hot database that is gone",
    rows((put) => put("hot:00000007", "ready")),
    [
      ["I1", "hot", "hot:00000006"],
      ["I1", "hot", "hot:00000007"],
      ["I2", "unsettled", "hot:00000006"]
    ]
  ]
]

/** The key that a finding is about, or else its path. */
const about = ({ key, path }: StoreAudit.AuditFinding): string => Option.getOrElse(key, () => path)

describe("StoreAudit.audit", () => {
  it.effect("finds nothing in a store at rest, with keys and without", () =>
    Effect.gen(function* () {
      for (const options of [{ keys: ["/hash"] }, {}]) {
        const { services } = yield* built(options)
        const source = sourceOf(builtCount)
        assert.deepStrictEqual(yield* Effect.provide(StoreAudit.findings({ layout, source }), services), [])
      }
    })
  )

  for (const [name, plant, expected] of violations)
    it.effect(`finds ${name}`, () =>
      Effect.map(foundAfter(plant), (found) => {
        const actual = found.map((each) => [each.invariant, each.fault, about(each)] as const)
        const order = (all: ReadonlyArray<ReadonlyArray<string>>) => all.map((each) => each.join(" ")).sort()
        assert.deepStrictEqual(order(actual), order(expected), found.map(({ message }) => message).join("\n"))
      })
    )

  it.effect("finds what lies wholly below the floor, by chunks kept and by the earliest seq", () =>
    Effect.gen(function* () {
      const expected = ["chunk:00000000:entries", "chunk:00000001:entries", "chunk:00000002:entries"]
      const kept = yield* foundAfter(Effect.void, { keptChunks: 3 })
      assert.deepStrictEqual(kept.map(about), expected)
      const pinned = yield* foundAfter(rows((put) => put("config:earliest_seq", "13")))
      assert.deepStrictEqual(pinned.map(about), expected)
      const window = yield* foundAfter(Effect.void, { keptChunks: 2 })
      assert.deepStrictEqual(window.map(about), [
        "index:00000000:00000000:00000003",
        ...expected,
        "chunk:00000003:entries"
      ])
      assert.isTrue([...kept, ...pinned, ...window].every(({ invariant }) => invariant === "I4"))
    })
  )

  it.effect("finds an index whose keys are not those of the entries, though all its checksums hold", () =>
    Effect.gen(function* () {
      const withRun = (bytes: (other: Uint8Array) => Uint8Array) =>
        inCatalog((catalog) =>
          Effect.gen(function* () {
            yield* catalog.demote([CatalogKey.indexKey(Geometry.WindowId(1), Geometry.ChunkId(4), Geometry.ChunkId(5))])
            yield* catalog.sweep()
            const right = yield* Built.readFile(run(5))
            yield* Built.writeFile(run(5), bytes(yield* Built.readFile(run(4))))
            yield* Built.index(catalog, 4, 5)
            yield* Built.writeFile(run(5), right)
          })
        )
      const stranger = (bytes: Uint8Array): Uint8Array => {
        const changed = new Uint8Array(bytes)
        changed[23] = changed[23]! ^ 1
        return changed
      }
      for (const change of [() => new Uint8Array(8), (other: Uint8Array) => other, stranger]) {
        const found = yield* foundAfter(withRun(change))
        assert.deepStrictEqual(
          found.map((each) => [each.invariant, each.fault, about(each)]),
          [["I1", "damaged", "index:00000001:00000004:00000005"]]
        )
      }
    })
  )

  it.effect("finds an index that holds a key more than its entries have", () =>
    Effect.gen(function* () {
      const extra = inCatalog((catalog) =>
        Effect.gen(function* () {
          yield* catalog.demote([CatalogKey.indexKey(Geometry.WindowId(1), Geometry.ChunkId(4), Geometry.ChunkId(5))])
          yield* catalog.sweep()
          const right = yield* Built.readFile(run(5))
          const longer = new Uint8Array(right.length + 20).fill(0xff)
          longer.set(right)
          const view = new DataView(longer.buffer)
          view.setBigUint64(0, view.getBigUint64(0, true) + 1n, true)
          view.setUint32(longer.length - 4, 7, true)
          yield* Built.writeFile(run(5), longer)
          yield* Built.index(catalog, 4, 5)
          yield* Built.writeFile(run(5), right)
        })
      )
      const found = yield* foundAfter(extra)
      assert.match(
        found.map(({ message }) => message).join("\n"),
        /it has 17 keys, the entries that it covers have 16$/
      )
    })
  )

  it.effect("finds an entry that is not the one of the source, and a source that ends too early", () =>
    Effect.gen(function* () {
      const other = (seq: number) => entryAt(seq === 9 ? 10 : seq)
      const unequal = yield* foundAfter(Effect.void, { source: sourceOf(builtCount, other) })
      assert.deepStrictEqual(
        unequal.map(({ fault, message }) => [fault, message]),
        [["unequal", "Entry 9 is not the one that source test gives"]]
      )
      const short = yield* foundAfter(Effect.void, { source: sourceOf(22) })
      assert.deepStrictEqual(
        short.map(({ message }) => message),
        ["Source test ends before entry 22, which is stored"]
      )
      const behindDamage = yield* foundAfter(Built.flip(pack(1), 3), { source: sourceOf(builtCount, other) })
      assert.deepStrictEqual(
        behindDamage.map(({ fault }) => fault),
        ["damaged", "unequal"]
      )
    })
  )

  it.effect("holds a source that cannot be read against the source, and goes on without it", () =>
    Effect.gen(function* () {
      const gone: Source = {
        ...sourceOf(builtCount),
        entries: () => Stream.fail(new SourceMissing({ path: "gone.ndjson", detail: "it does not exist" }))
      }
      const found = yield* foundAfter(Built.flip(pack(1), 3), { source: gone })
      assert.deepStrictEqual(
        found.map(({ fault, message }) => [fault, fault === "source" ? message : ""]),
        [
          ["source", "Cannot compare with source test from entry 0 on: Cannot read gone.ndjson: it does not exist"],
          ["damaged", ""]
        ]
      )
    })
  )

  it.effect("takes a store that need not be at rest for sound when only work is left", () =>
    Effect.gen(function* () {
      const plant = rows((put) => {
        put("chunk:00000006:entries", "freezing")
        put("index:00000000:00000000:00000002", "pruning")
        put("hot:00000009", "transient")
      })
      assert.deepStrictEqual(yield* foundAfter(plant, { settled: false, keptChunks: 3 }), [])
      // As a backfill leaves it that was killed after retention had passed the chunk that took no entries meanwhile.
      const passed = rows((put, remove) => {
        put("config:begin_seq", "12")
        remove("chunk:00000001:entries")
      })
      const taken = inCatalog((catalog) =>
        Effect.scoped(catalog.openHot(Geometry.ChunkId(1), { keyspaces: hotKeyspaces, seed: () => undefined }))
      )
      const emptied = Effect.andThen(
        passed,
        Effect.andThen(
          onDisk((disk) => disk.unlink(pack(1))),
          taken
        )
      )
      assert.deepStrictEqual(yield* foundAfter(emptied, { settled: false, keptChunks: 3 }), [])
      const removed = Effect.andThen(plant, Built.flip(pack(1), 3))
      assert.lengthOf(yield* foundAfter(removed, { settled: false }), 1)
    })
  )

  it.effect("says that there is no store, and how much it has read of one", () =>
    Effect.gen(function* () {
      const { services } = yield* built()
      const nowhere = Built.layoutAt("/nowhere")
      const found = yield* Effect.provide(StoreAudit.findings({ layout: nowhere }), services)
      assert.deepStrictEqual(
        found.map(({ message }) => message),
        ["Cannot open database /nowhere/catalog: there is none"]
      )
      const steps = yield* Effect.provide(Stream.runCollect(StoreAudit.audit({ layout })), services)
      assert.strictEqual(
        steps.reduce((sum, { entryCount }) => sum + entryCount, 0),
        builtCount
      )
      assert.deepStrictEqual(
        steps.filter(({ kind }) => kind === "chunk").map(({ id }) => Option.getOrNull(id)),
        [0, 1, 2, 3, 4, 5, 6]
      )
    })
  )

  it.effect("asks an open history, and finds each way in which it can answer wrongly", () =>
    Effect.gen(function* () {
      const { services } = yield* built()
      yield* Effect.gen(function* () {
        const { history, settled, catalog } = yield* Store.make({
          dataDir: "/store",
          geometry: Built.geometry,
          graceMillis: 0,
          retention: { chunks: 5, earliest: 2 }
        })
        yield* history.append(Array.from({ length: 8 }, (_, at) => entryAt(builtCount + at)))
        yield* settled
        const findings = (asked: History) =>
          StoreAudit.findings({ layout: catalog.layout, keptChunks: 5, history: asked })
        assert.deepStrictEqual(yield* findings(history), [])
        assert.deepStrictEqual(yield* history.served, Option.some({ floor: 12, latest: 33 }))
        const nothing = Effect.succeedNone
        const lies: ReadonlyArray<readonly [string, Partial<History>, RegExp]> = [
          ["served", { served: Effect.succeedSome({ floor: 12, latest: 32 }) }, /serves 12 to 32, stored is 12 to 33/],
          [
            "get",
            { get: (seq) => (seq === 20 ? Effect.succeed(entryAt(21)) : history.get(seq)) },
            /^Entry 20 is read as other bytes than are stored$/
          ],
          [
            "range",
            {
              range: (options) => Stream.map(history.range(options), (batch) => batch.filter(({ seq }) => seq !== 18))
            },
            /^Entry 18 is read as other bytes than are stored$/
          ],
          [
            "find, nothing",
            { find: (key) => (Buffer.compare(key, keyAt(25)) === 0 ? nothing : history.find(key)) },
            /of entry 25 finds nothing$/
          ],
          [
            "find, another",
            {
              find: (key) =>
                Effect.map(
                  history.find(key),
                  Option.map((found) => (found.seq === 13 ? { ...found, seq: 14 } : found))
                )
            },
            /of entry 13 finds entry 14$/
          ],
          [
            "find, a stranger",
            {
              find: (key) =>
                Effect.map(
                  history.find(key),
                  Option.orElseSome(() => ({ seq: 1, bytes: entryAt(1) }))
                )
            },
            /^A key that no entry has finds entry 1$/
          ],
          [
            "below the floor",
            { get: (seq) => (seq === 11 ? Effect.succeed(entryAt(11)) : history.get(seq)) },
            /^Entry 11 lies below the floor and is not answered so$/
          ],
          [
            "behind the latest",
            { get: (seq) => (seq === 34 ? Effect.succeed(entryAt(34)) : history.get(seq)) },
            /^Entry 34 lies behind the latest and is not answered so$/
          ]
        ]
        for (const [name, lie, message] of lies) {
          const found = yield* findings({ ...history, ...lie })
          assert.isTrue(
            found.every(({ invariant, fault }) => invariant === "I1" && fault === "wrong-read"),
            name
          )
          assert.isTrue(
            found.some((each) => message.test(each.message)),
            `${name}: ${found.map((f) => f.message)}`
          )
        }
      }).pipe(Effect.scoped, Effect.provide(services))
    })
  )

  it.effect("takes the failures of a history over a damaged store for what they are", () =>
    Effect.gen(function* () {
      const { services } = yield* built()
      yield* Effect.gen(function* () {
        yield* Effect.flatMap(Disk, (disk) => disk.unlink(finished))
        yield* Built.flip(pack(4), 3)
        const { history } = yield* Store.make({ dataDir: "/store", mode: "readOnly" })
        const found = yield* StoreAudit.findings({ layout, history })
        assert.deepStrictEqual(
          found.map((each) => [each.fault, about(each)]),
          [
            ["missing", "index:00000000:00000000:00000003"],
            ["damaged", "chunk:00000004:entries"]
          ]
        )
      }).pipe(Effect.scoped, Effect.provide(services))
    })
  )
})
