/** What the tests of archives under crashes and faults share: contents that are saved on a simulated disk, and told again. */
import { type Zstd, ZstdLive, type ZstdStream, ZstdStreamLive } from "@icecore/codec"
import { Disk, type DiskError } from "@icecore/packfile"
import { Effect, Layer, Stream } from "effect"
import * as Archive from "../src/Archive.ts"
import { ArchiveEngines } from "../src/ArchiveEngines.ts"
import type { Engine, Row } from "../src/Engine.ts"
import { storeKeyspaces } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as RecordReader from "../src/RecordReader.ts"
import { fill, open, textOf } from "./ArchiveFixtures.ts"
import * as FiledEngine from "./FiledEngine.ts"

export const directory: string = "/archives"

/** What is saved where. */
export interface Plan {
  readonly path: string
  readonly content: number
  readonly encoding: Archive.ArchiveEncoding
  readonly overwrite: boolean
}

/** What a store holds, as rows and as text. */
interface Content {
  readonly rows: ReadonlyArray<readonly [keyspace: string, row: Row]>
  readonly text: string
}

const contentOf = (count: number): Effect.Effect<Content, unknown> =>
  Effect.gen(function* () {
    const store = yield* open("/store")
    yield* fill(store, count)
    yield* store.flush
    const rows: Array<readonly [string, Row]> = []
    for (const keyspace of storeKeyspaces) {
      for (const row of yield* Stream.runCollect(store.database.scan(keyspace))) rows.push([keyspace, row])
    }
    return { rows, text: yield* textOf(store) }
  }).pipe(Effect.provide(MemoryEngine.layer), Effect.scoped)

/** The contents that are saved, different in size. */
export const contents: ReadonlyArray<Content> = await Effect.runPromise(Effect.forEach([3, 40, 90], contentOf))

/** What saving and opening need beside the disk. */
export const zstd: Layer.Layer<Zstd | ZstdStream, ZstdLive.ZstdUnavailable> = Layer.merge(
  ZstdLive.layer,
  ZstdStreamLive.layer
)
export type Needs = Disk | Zstd | ZstdStream

/** Saves a content, of an engine whose databases are files on the same disk. */
export const save = ({ content, encoding, overwrite, path }: Plan): Effect.Effect<void, unknown, Needs> =>
  Effect.gen(function* () {
    const engine = yield* FiledEngine.make
    const database = yield* engine.open({ path: "/store", keyspaces: storeKeyspaces })
    yield* database.write((batch) => {
      for (const [keyspace, { key, value }] of contents[content]!.rows) batch.put(keyspace, key, value)
    })
    const { checkpoint, snapshot } = database
    const source = { path: "/store", engineName: engine.name, snapshot, database: { engine, checkpoint } }
    yield* Archive.save({ source, path, encoding, overwrite })
  }).pipe(Effect.scoped)

/** The engine of the archives, and as the one that is there to open them. */
const withEngine = <A, E, R>(use: (engine: Engine) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(FiledEngine.make, (engine) =>
    Effect.provideService(use(engine), ArchiveEngines, new Map([[engine.name, engine]]))
  )

/** Which of the contents it is. */
const contentNumber = (reader: RecordReader.RecordReader): Effect.Effect<number, unknown> =>
  Effect.map(textOf(reader), (text) => contents.findIndex((content) => content.text === text))

/** Which content an archive holds. It opens: damage is a failure. */
export const contentAt = (path: string): Effect.Effect<number, unknown, Needs> =>
  withEngine(() =>
    Effect.flatMap(Archive.open(path, { temporaryDirectory: "/" }), ({ reader }) => contentNumber(reader))
  ).pipe(Effect.scoped)

/** Extracts an archive to a directory. */
export const extract = (path: string, target: string): Effect.Effect<void, unknown, Needs> =>
  withEngine(() => Archive.extract(path, { directory: target }))

/** Which content a database holds that an archive was extracted to. It opens: damage is a failure. */
export const contentOfDatabase = (path: string): Effect.Effect<number, unknown, Needs> =>
  withEngine((engine) =>
    Effect.gen(function* () {
      const { snapshot } = yield* engine.open({ path, keyspaces: storeKeyspaces, mode: "readOnly" })
      return yield* contentNumber(yield* RecordReader.make({ reader: snapshot, path }))
    })
  ).pipe(Effect.scoped)

export const prepare: Effect.Effect<void, DiskError, Disk> = Effect.gen(function* () {
  const disk = yield* Disk
  yield* disk.makeDirectory(directory)
  yield* disk.syncDirectory("/")
})

export const namesIn = (path: string): Effect.Effect<ReadonlyArray<string>, DiskError, Disk> =>
  Effect.flatMap(Disk, (disk) => Effect.map(disk.list(path), (entries) => entries.map(({ name }) => name)))

/** Removes what was on its way: nothing of it is an archive or a database. */
export const sweep: Effect.Effect<void, DiskError, Disk> = Effect.gen(function* () {
  const disk = yield* Disk
  const remove = (path: string): Effect.Effect<void, DiskError> =>
    Effect.gen(function* () {
      for (const { kind, name } of yield* disk.list(path)) {
        yield* kind === "directory" ? remove(`${path}/${name}`) : disk.unlink(`${path}/${name}`)
      }
      yield* disk.removeDirectory(path)
    })
  for (const { kind, name } of yield* disk.list(directory)) {
    if (kind === "directory" && name.startsWith("icecore-")) yield* remove(`${directory}/${name}`)
    else if (name.endsWith(".partial")) yield* disk.unlink(`${directory}/${name}`)
  }
  yield* disk.syncDirectory(directory)
})
