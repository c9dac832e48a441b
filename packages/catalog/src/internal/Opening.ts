/**
 * Opening the catalog: a fresh one is pinned, one that exists is checked against what is configured.
 *
 * First start: the database is made (durable on return); nothing may lie in the trees; all pins are put in one synced batch.
 * Until that batch is durable nothing else is written, so a database without pins is fresh.
 *
 * Later starts: the pins are read and compared; a sample of the frozen files is looked for; another earliest seq is pinned, last, in
 * one synced batch. What it makes superfluous or missing is derived from keys, so a crash after it loses nothing.
 */

import type { Database, EngineReadError, EngineWriteError } from "@icecore/engine"
import type { Disk, DiskError } from "@icecore/packfile"
import { Effect, Option, Result, Stream } from "effect"
import type { CatalogOptions } from "../Catalog.ts"
import {
  type ArtifactMissing,
  CatalogCorrupt,
  CatalogLost,
  CatalogPinInvalid,
  CatalogPinMismatch,
  type CatalogReadError,
  CatalogTooNew
} from "../CatalogError.ts"
import * as CatalogSnapshot from "../CatalogSnapshot.ts"
import * as CatalogKey from "../format/CatalogKey.ts"
import * as Pins from "../format/Pins.ts"
import * as Geometry from "../Geometry.ts"
import type { Layout } from "../Layout.ts"
import * as ArtifactFiles from "./ArtifactFiles.ts"
import * as CatalogTable from "./CatalogTable.ts"
import * as Paths from "./Paths.ts"

/** What a catalog was found to be. */
export interface Opened {
  readonly pins: Pins.Pins
  readonly fresh: boolean
  readonly previousEarliestSeq: Option.Option<number>
  readonly beginSeq: number
}

/** Every `config:` row as text. */
const readConfig = (database: Database): Effect.Effect<ReadonlyMap<string, string>, EngineReadError | CatalogCorrupt> =>
  database.scan(CatalogKey.keyspace, { prefix: CatalogKey.toBytes(CatalogKey.configPrefix) }).pipe(
    Stream.runFoldEffect(
      () => new Map<string, string>(),
      (texts, row) => {
        const key = CatalogKey.fromBytes(row.key)
        const value = CatalogKey.fromBytes(row.value)
        if (Option.isNone(key) || Option.isNone(value))
          return Effect.fail(CatalogTable.corrupt(database.path, row, "expected is printable ASCII"))
        return Effect.succeed(texts.set(key.value.slice(CatalogKey.configPrefix.length), value.value))
      }
    )
  )

/** Fails on a key between the families, which no catalog writes. `;` follows `:` in ASCII. */
const refuseUnknownKeys: (database: Database) => Effect.Effect<void, EngineReadError | CatalogCorrupt> =
  Effect.fnUntraced(function* (database) {
    const families = [
      CatalogKey.prefixes.chunks,
      CatalogKey.configPrefix,
      CatalogKey.prefixes.hot,
      CatalogKey.prefixes.indexes
    ]
    for (let gap = 0; gap <= families.length; gap++) {
      const before = families[gap - 1]
      const after = families[gap]
      const row = yield* database
        .scan(CatalogKey.keyspace, {
          ...(before === undefined ? {} : { gte: CatalogKey.toBytes(`${before.slice(0, -1)};`) }),
          ...(after === undefined ? {} : { lt: CatalogKey.toBytes(after) }),
          limit: 1
        })
        .pipe(Stream.runHead)
      if (Option.isSome(row)) return yield* CatalogTable.corrupt(database.path, row.value, "no such key is known")
    }
  })

const decodePins: (
  path: string,
  texts: ReadonlyMap<string, string>
) => Effect.Effect<Pins.Pins, CatalogCorrupt | CatalogTooNew> = Effect.fnUntraced(function* (path, texts) {
  const damaged = (name: string, detail: string): CatalogCorrupt => {
    const value = texts.get(name)
    return new CatalogCorrupt({
      path,
      key: `${CatalogKey.configPrefix}${name}`,
      ...(value === undefined ? {} : { value }),
      detail
    })
  }
  const version = Pins.decodeInteger(texts.get("catalog_version") ?? "")
  if (version > Pins.catalogVersion) return yield* new CatalogTooNew({ path, version, supported: Pins.catalogVersion })
  if (!(version >= 1)) return yield* damaged("catalog_version", `expected is 1 to ${Pins.catalogVersion}`)
  const names: ReadonlyArray<string> = Pins.pinNamesOf(version)
  for (const name of texts.keys())
    if (!names.includes(name) && !(version > 1 && name === Pins.beginName))
      return yield* damaged(name, "no such pin is known")
  const begin = texts.get(Pins.beginName)
  if (begin !== undefined && Number.isNaN(Pins.decodeInteger(begin)))
    return yield* damaged(Pins.beginName, "expected is a decimal number of at most 2^53 - 1")
  const pins = Pins.decode(texts)
  return Result.isSuccess(pins)
    ? pins.success
    : yield* damaged(pins.failure.name, `expected is ${pins.failure.expected}`)
})

const bucketName = /^\d{5}$/
const databaseName = /^\d{8}$/
const keysName = /^(?:run|index)$/

/** The first thing in the trees of files that only a catalog can explain. */
const findData: (disk: Disk, layout: Layout) => Effect.Effect<Option.Option<string>, DiskError> = Effect.fnUntraced(
  function* (disk, layout) {
    const expected = [
      ["hot", databaseName],
      ["entries", bucketName],
      ["events", bucketName],
      ["keys", keysName]
    ] as const
    for (const [tree, pattern] of expected) {
      const names = yield* disk.list(layout.roots[tree]).pipe(Effect.catchTag("DiskNotFound", () => Effect.succeed([])))
      const found = names.find((entry) => pattern.test(entry.name))
      if (found !== undefined) return Option.some(Paths.join(layout.roots[tree], found.name))
    }
    return Option.none()
  }
)

/** Puts all pins and, when it is given, the mark where history begins: one synced batch, of the newest version. */
export const putPins = (
  database: Database,
  pins: Pins.Pins,
  beginSeq?: number
): Effect.Effect<void, EngineWriteError> =>
  Effect.uninterruptible(
    database.write((batch) => {
      const put = (name: string, text: string): void =>
        batch.put(
          CatalogKey.keyspace,
          CatalogKey.toBytes(`${CatalogKey.configPrefix}${name}`),
          CatalogKey.toBytes(text)
        )
      for (const [name, text] of Object.entries(Pins.encode(pins))) put(name, text)
      if (beginSeq !== undefined) put(Pins.beginName, beginSeq.toString())
    })
  )

/**
 * Samples the ends of what is frozen: a tree that is not mounted, or was removed, shows there. Only the ends, because a start
 * must not take longer with every chunk. What retention demoted is not frozen any more, however far its removal came.
 */
const refuseMissing: (
  disk: Disk,
  layout: Layout,
  table: CatalogTable.Table
) => Effect.Effect<void, CatalogReadError | DiskError | ArtifactMissing> = Effect.fnUntraced(
  function* (disk, layout, table) {
    const snapshot = CatalogSnapshot.make(table)
    for (const reverse of [false, true]) {
      const end = yield* snapshot.artifacts({ state: "frozen", reverse }).pipe(Stream.runHead)
      if (Option.isSome(end)) {
        const { chunk } = end.value.key
        yield* snapshot
          .artifacts({ from: chunk, to: chunk, state: "frozen" })
          .pipe(Stream.runForEach(({ key }) => ArtifactFiles.requireAll(disk, layout, key)))
      }
      const index = yield* CatalogTable.indexes(table, {
        prefix: CatalogKey.toBytes(CatalogKey.prefixes.indexes),
        reverse
      }).pipe(
        Stream.filter(({ state }) => state === "frozen"),
        Stream.runHead
      )
      if (Option.isSome(index)) yield* ArtifactFiles.requireAll(disk, layout, index.value.key)
    }
  }
)

const invalid = (pins: Pins.Pins): Effect.Effect<void, CatalogPinInvalid> => {
  const fault = Pins.pinFault(pins)
  return fault === undefined
    ? Effect.void
    : Effect.fail(
        new CatalogPinInvalid({ pin: fault.name, actual: Pins.encode(pins)[fault.name], expected: fault.expected })
      )
}

/** The pins of a catalog; none when it has none yet. */
export const readPins: (
  database: Database
) => Effect.Effect<Option.Option<Pins.Pins>, EngineReadError | CatalogCorrupt | CatalogTooNew> = Effect.fnUntraced(
  function* (database) {
    const texts = yield* readConfig(database)
    return texts.size === 0 ? Option.none() : Option.some(yield* decodePins(database.path, texts))
  }
)

/** Pins a fresh catalog, or compares. */
export const open: <E, R>(
  database: Database,
  disk: Disk,
  options: CatalogOptions<E, R>
) => Effect.Effect<
  Opened,
  | E
  | CatalogReadError
  | EngineWriteError
  | DiskError
  | CatalogPinInvalid
  | CatalogPinMismatch
  | CatalogTooNew
  | CatalogLost
  | ArtifactMissing,
  R
> = Effect.fnUntraced(function* <E, R>(database: Database, disk: Disk, options: CatalogOptions<E, R>) {
  const { layout, earliestSeq } = options
  const { path } = database
  const domain: Pins.DomainPin = { ...options.domain, options: Pins.optionsText(options.domain.options ?? "") }
  const texts = yield* readConfig(database)
  if (texts.size === 0) {
    const first = yield* database.scan(CatalogKey.keyspace, { limit: 1 }).pipe(Stream.runHead)
    if (Option.isSome(first)) return yield* CatalogTable.corrupt(path, first.value, "the pins are missing")
    const data = yield* findData(disk, layout)
    if (Option.isSome(data)) return yield* new CatalogLost({ path, found: data.value })
    const geometry: Geometry.Geometry = { ...(options.geometryDefaults ?? Geometry.defaults), ...options.geometry }
    const earliest =
      earliestSeq === undefined || earliestSeq === "genesis"
        ? geometry.firstSeq
        : typeof earliestSeq === "number"
          ? earliestSeq
          : yield* earliestSeq.onFirstStart
    const pins: Pins.Pins = { geometry, earliestSeq: earliest, domain }
    yield* invalid(pins)
    yield* putPins(database, pins)
    return { pins, fresh: true, previousEarliestSeq: Option.none(), beginSeq: earliest }
  }
  const pinned = yield* decodePins(path, texts)
  yield* refuseUnknownKeys(database)
  const geometry: Geometry.Geometry = { ...pinned.geometry, ...options.geometry }
  const wantedEarliest = earliestSeq === "genesis" ? geometry.firstSeq : earliestSeq
  const pins: Pins.Pins = {
    geometry,
    earliestSeq: typeof wantedEarliest === "number" ? wantedEarliest : pinned.earliestSeq,
    domain
  }
  const pinnedTexts = Pins.encode(pinned)
  const configuredTexts = Pins.encode(pins)
  for (const pin of Pins.pinNames)
    if (pin !== "earliest_seq" && pinnedTexts[pin] !== configuredTexts[pin])
      return yield* new CatalogPinMismatch({ path, pin, pinned: pinnedTexts[pin], configured: configuredTexts[pin] })
  yield* invalid(pins)
  if (options.checkFiles !== false)
    yield* refuseMissing(disk, layout, { path, geometry: pins.geometry, reader: database })
  const beginSeq = Pins.decodeInteger(texts.get(Pins.beginName) ?? pinnedTexts.earliest_seq)
  if (pins.earliestSeq === pinned.earliestSeq)
    return { pins, fresh: false, previousEarliestSeq: Option.none(), beginSeq }
  yield* putPins(database, pins, beginSeq)
  return { pins, fresh: false, previousEarliestSeq: Option.some(pinned.earliestSeq), beginSeq }
})
