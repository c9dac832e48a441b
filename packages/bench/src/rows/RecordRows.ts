/**
 * The record store beside plain SQLite with the same fields and indexes: a run of a connector, and reading what it put.
 */
import { Archive, type RecordReader } from "@icecore/engine"
import { Grant } from "@icecore/engine/access"
import { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option, type Scope } from "effect"
import {
  type AccessShape,
  entitlementPages,
  grantPages,
  type PrincipalItem,
  principalPages,
  shapeOf
} from "../fixtures/AccessData.ts"
import { randomIndexes } from "../fixtures/KeyedRows.ts"
import { type EnginePeer, enginePeers } from "../peers/EnginePeers.ts"
import type { PlainGrants } from "../peers/PlainGrants.ts"
import * as Program from "../peers/Program.ts"
import {
  archiveServices,
  type Filled,
  fill,
  fillAndCompress,
  fillAndSave,
  fillPlain,
  openPlain,
  openStore
} from "../peers/RecordStores.ts"
import { type Figures, type Row, requireWork } from "../Row.ts"
import { fresh } from "./Fresh.ts"

const plainName = "bun:sqlite, plain: columns, five indexes, JSON payload, a transaction a page"
const pageSize = 10_000

const grantCountOf = (isQuick: boolean): number => (isQuick ? 50_000 : 1_000_000)

const putRow = ({ name, engine }: EnginePeer): Row => {
  const row = `engine/records/put/${name}`
  return {
    name: row,
    work: "put a million grants in pages of 1,000 with all indexes, end the sync, save it as one file",
    reference: `${plainName}; VACUUM INTO, zstd -3 -T0 of the file`,
    unit: "grants",
    targets: [{ kind: "time", atMost: 0.25 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      yield* Program.required(row, ["zstd"])
      const shape = shapeOf(grantCountOf(isQuick))
      const services = yield* Layer.build(Layer.merge(engine, archiveServices))
      const subject = yield* fresh(directory, (path) =>
        Effect.map(Effect.provideContext(openStore(path), services), (store) => ({ store, path }))
      )
      const reference = yield* fresh(directory, (path) => Effect.map(openPlain(path), (plain) => ({ plain, path })))
      const contender = (renew: Effect.Effect<void, unknown>, work: Effect.Effect<Filled, unknown>) => {
        let last: Filled | undefined
        return {
          prepare: renew,
          run: Effect.map(work, (filled) => {
            last = filled
          }),
          seconds: Effect.sync(() => last!.seconds),
          figures: Effect.sync((): Figures => bytesOf(last!, shape.grantCount))
        }
      }
      return {
        unitsPerRound: shape.grantCount,
        subject: contender(
          subject.renew,
          Effect.suspend(() => {
            const { path, store } = subject.current()
            return Effect.provideContext(fillAndSave(store, path, shape), services)
          })
        ),
        reference: contender(
          reference.renew,
          Effect.suspend(() => {
            const { path, plain } = reference.current()
            return fillAndCompress(plain, path, shape)
          })
        )
      }
    })
  }
}

const bytesOf = ({ archiveBytes, databaseBytes }: Filled, count: number): Figures => ({
  "database B/grant": databaseBytes / count,
  "archive B/grant": archiveBytes / count
})

/** How one row reads, on both sides. Both return how many grants they read. */
interface Reading {
  readonly name: string
  readonly work: string
  readonly targets: Row["targets"]
  readonly read: (reader: RecordReader.RecordReader, shape: AccessShape) => Effect.Effect<number, unknown>
  readonly readPlain: (plain: PlainGrants, shape: AccessShape) => number
}

/** Follows a listing to its end. */
const countListed = Effect.fnUntraced(function* (
  reader: RecordReader.RecordReader,
  options: Pick<RecordReader.ListOptions<typeof Grant>, "index" | "prefix"> = {}
) {
  let count = 0
  let pageToken: string | undefined
  do {
    const page: RecordReader.Page<Grant> = yield* reader.list(Grant, {
      ...options,
      pageSize,
      ...(pageToken === undefined ? {} : { pageToken })
    })
    count += page.items.length
    pageToken = Option.getOrUndefined(page.nextPageToken)
  } while (pageToken !== undefined)
  return count
})

const countPlain = (plain: PlainGrants): number => {
  let count = 0
  plain.list(pageSize, (page) => {
    count += page.length
  })
  return count
}

/** A fifth of the entitlements of a million grants, and a tenth of the principals, in no order. */
const entitlementsOf = (shape: AccessShape): ReadonlyArray<string> => {
  const all = [...entitlementPages(shape)].flat()
  return Array.from(randomIndexes(Math.ceil(all.length / 5), all.length), (at) => all[at]!.external_id)
}
const principalsOf = (shape: AccessShape): ReadonlyArray<PrincipalItem> => {
  const all = [...principalPages(shape)].flat()
  return Array.from(randomIndexes(Math.ceil(all.length / 10), all.length), (at) => all[at]!)
}

const sumOf = (counts: ReadonlyArray<number>): number => counts.reduce((sum, each) => sum + each, 0)

const byKey: Reading = {
  name: "list",
  work: "read a million grants in pages of 10,000",
  targets: [{ kind: "time", atMost: 0.35 }],
  read: (reader) => countListed(reader),
  readPlain: countPlain
}

const readings: ReadonlyArray<Reading> = [
  byKey,
  {
    name: "by-entitlement",
    work: "read all grants of 400 entitlements in order of their principals",
    targets: [],
    read: (reader, shape) =>
      Effect.map(
        Effect.forEach(entitlementsOf(shape), (entitlement_id) =>
          countListed(reader, { index: "by_entitlement", prefix: { entitlement_id } })
        ),
        sumOf
      ),
    readPlain: (plain, shape) => sumOf(entitlementsOf(shape).map((id) => plain.byEntitlement(id).length))
  },
  {
    name: "by-principal",
    work: "read all grants of 5,000 principals, which lie all over the store",
    targets: [],
    read: (reader, shape) =>
      Effect.map(
        Effect.forEach(principalsOf(shape), ({ resource_id, resource_type_id }) =>
          countListed(reader, {
            index: "by_principal",
            prefix: { principal_resource_type_id: resource_type_id, principal_resource_id: resource_id }
          })
        ),
        sumOf
      ),
    readPlain: (plain, shape) =>
      sumOf(
        principalsOf(shape).map(
          ({ resource_id, resource_type_id }) => plain.byPrincipal(resource_type_id, resource_id).length
        )
      )
  }
]

/** A reading over what `open` makes of the store in a directory, beside plain SQLite with the same grants. */
const readRow = (
  variant: string,
  reading: Reading,
  open: (directory: string, shape: AccessShape) => Effect.Effect<RecordReader.RecordReader, unknown, Scope.Scope>
): Row => {
  const row = `engine/records/${reading.name}/${variant}`
  return {
    name: row,
    work: reading.work,
    reference: plainName,
    unit: "grants",
    targets: reading.targets,
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const shape = shapeOf(grantCountOf(isQuick))
      const reader = yield* open(directory, shape)
      const plain = yield* openPlain(directory)
      yield* Effect.sync(() => fillPlain(plain, shape))
      const expected = reading.readPlain(plain, shape)
      const requireAll = (actual: number) => requireWork(row, "grants read", { expected, actual })
      return {
        unitsPerRound: expected,
        subject: { run: Effect.flatMap(reading.read(reader, shape), requireAll) },
        reference: { run: Effect.suspend(() => requireAll(reading.readPlain(plain, shape))) }
      }
    })
  }
}

/** A filled store on an engine. */
const openFilled = ({ engine }: EnginePeer) =>
  Effect.fnUntraced(function* (directory: string, shape: AccessShape) {
    const store = yield* Effect.provideContext(openStore(directory), yield* Layer.build(engine))
    yield* fill(store, shape)
    return store
  })

/** Saves an archive of a filled store, and says where. */
const saved = Effect.fnUntraced(function* (peer: EnginePeer, directory: string, shape: AccessShape) {
  const path = `${directory}/store.icearch`
  const save = Effect.gen(function* () {
    const store = yield* openFilled(peer)(directory, shape)
    yield* Archive.save({ source: yield* Archive.sourceOf(store), path })
  })
  yield* Effect.provide(Effect.scoped(save), Layer.merge(archiveServices, peer.engine))
  return path
})

/** The archive of a filled store, read in place. */
const openSaved = (peer: EnginePeer) =>
  Effect.fnUntraced(function* (directory: string, shape: AccessShape) {
    const path = yield* saved(peer, directory, shape)
    const { reader } = yield* Effect.provideContext(Archive.open(path), yield* Layer.build(archiveServices))
    return reader
  })

const openGetName = "engine/records/open-get/pack"
const getsPerRound = 20

/** The disk with every read counted. */
const countingDisk = Effect.gen(function* () {
  const disk = yield* Effect.provide(Disk, LiveDisk.layer)
  const counts = { reads: 0, bytes: 0 }
  const counting: Disk = {
    ...disk,
    open: (path, mode) =>
      Effect.map(disk.open(path, mode), (file) => ({
        ...file,
        readAt: (target, offsetBytes) => {
          counts.reads++
          counts.bytes += target.length
          return file.readAt(target, offsetBytes)
        }
      }))
  }
  return { counts, disk: counting }
})

/** Most reads of the disk, and the largest share of the file, that opening an archive and getting one grant may take. */
const maxReads = 24
const maxShare = 0.02

const openGetRow: Row = {
  name: openGetName,
  work: `open a pack archive of a million grants, get one, close it: at most ${maxReads} reads and ${maxShare * 100} % of the file`,
  reference: "bun:sqlite, plain: open the file, get one, close it",
  unit: "opens",
  targets: [],
  setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
    const shape = shapeOf(grantCountOf(isQuick))
    const path = yield* saved(enginePeers[0]!, directory, shape)
    yield* Effect.scoped(Effect.map(openPlain(directory), (plain) => fillPlain(plain, shape)))
    const { counts, disk } = yield* countingDisk
    const services = yield* Layer.build(archiveServices)
    const archive = yield* Effect.provideContext(Archive.info(path), services)
    const ids = grantIdsOf(shape, getsPerRound)
    let figures: Figures = {}
    return {
      unitsPerRound: ids.length,
      subject: {
        run: Effect.gen(function* () {
          let [reads, bytes] = [0, 0]
          for (const external_id of ids) {
            counts.reads = 0
            counts.bytes = 0
            const found = yield* Effect.scoped(
              Effect.flatMap(Archive.open(path), ({ reader }) => reader.get(Grant, { external_id }))
            ).pipe(Effect.provideService(Disk, disk), Effect.provideContext(services))
            yield* requireWork(openGetName, "grants found", { expected: 1, actual: Option.isSome(found) ? 1 : 0 })
            reads = Math.max(reads, counts.reads)
            bytes = Math.max(bytes, counts.bytes)
          }
          figures = {
            "reads an open": reads,
            "KB read an open": bytes / 1_000,
            "KB of the file": archive.sizeBytes / 1_000
          }
          yield* requireWork(openGetName, "reads over the limit", {
            expected: 0,
            actual: Math.max(0, reads - maxReads)
          })
          if (!isQuick)
            yield* requireWork(openGetName, "bytes over the limit", {
              expected: 0,
              actual: Math.max(0, bytes - archive.sizeBytes * maxShare)
            })
        }),
        figures: Effect.sync(() => figures)
      },
      reference: {
        run: Effect.forEach(ids, (id) =>
          Effect.scoped(
            Effect.flatMap(openPlain(directory), (plain) =>
              requireWork(openGetName, "grants found", { expected: 1, actual: plain.get(id) === undefined ? 0 : 1 })
            )
          )
        )
      }
    }
  })
}

/** Some of the ids, all over the store. */
const grantIdsOf = (shape: AccessShape, count: number): ReadonlyArray<string> => {
  const every = Math.floor(shape.grantCount / count)
  let number = 0
  return [...grantPages(shape)].flatMap((page) =>
    page.flatMap(({ external_id }) => (number++ % every === 3 ? [external_id] : []))
  )
}

export const recordRows: ReadonlyArray<Row> = [
  ...enginePeers.flatMap((peer) => [
    putRow(peer),
    ...readings.map((reading) => readRow(peer.name, reading, openFilled(peer)))
  ]),
  ...readings.map((reading) => readRow("pack", reading, openSaved(enginePeers[0]!))),
  openGetRow
]
