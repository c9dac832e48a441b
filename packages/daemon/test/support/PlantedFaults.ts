/** What an audit must find: faults that are planted in a store that was sound. */
import { type Catalog, Geometry } from "@icecore/catalog"
import { Disk } from "@icecore/packfile"
import { Effect, Option } from "effect"
import { encodeSeq, entriesKeyspace, hotKeyspaces, keysKeyspace } from "../../src/format/HotFormat.ts"
import * as StoreAudit from "../../src/StoreAudit.ts"
import * as Built from "./BuiltStore.ts"

const { built, entryAt, keyAt, layout } = Built

export const pack = (chunk: number): string => `/store/entries/00000/0000000${chunk}.pack`
export const run = (chunk: number): string => `/store/keys/run/00000/0000000${chunk}.bin`
export const finished: string = "/store/keys/index/00000000/00000000-00000003.idx"
const rolling = "/store/keys/index/00000001/00000004-00000005.idx"

export type Plant = Effect.Effect<unknown, unknown, Built.BuiltServices>

/** What an audit finds in a store that was sound before `plant`. */
export const foundAfter = (
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

export const rows = (change: Parameters<typeof Built.meddle>[0]): Plant => Built.meddle(change)

const hot = (change: Parameters<typeof Built.meddleWith>[2]): Plant =>
  Built.meddleWith("/store/hot/00000006", hotKeyspaces, change)

export const onDisk = (use: (disk: Disk) => Effect.Effect<unknown, unknown>): Plant => Effect.flatMap(Disk, use)

const copy = (source: string, target: string): Plant =>
  Effect.flatMap(Built.readFile(source), (bytes) => Built.writeFile(target, bytes))

const cut = (path: string, by: number): Plant =>
  Effect.flatMap(Built.readFile(path), (bytes) => Built.writeFile(path, bytes.slice(0, bytes.length - by)))

export const inCatalog = (
  use: (catalog: Catalog.Catalog) => Effect.Effect<unknown, unknown, Built.BuiltServices>
): Plant => Effect.scoped(Effect.flatMap(Built.openCatalog(), use))

/** A name, what is planted, and each finding that must come of it: invariant, fault, and the key or path that it names. */
export const violations: ReadonlyArray<
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
export const about = ({ key, path }: StoreAudit.AuditFinding): string => Option.getOrElse(key, () => path)
