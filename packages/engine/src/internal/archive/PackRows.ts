/**
 * The rows of a `pack` archive, read in place as an engine's: what is read is one group of a packfile at a time, found by the
 * first keys of all groups, which are in memory.
 */
import { Zstd } from "@icecore/codec"
import { ByteSource, type DiskError, PackReader, RecordEncoding } from "@icecore/packfile"
import { Cause, Effect, Option, type Scope, Stream } from "effect"
import { ArchiveCorrupt, ArchiveLimitExceeded } from "../../ArchiveError.ts"
import {
  EngineCorrupt,
  EngineFailed,
  EngineMisuse,
  type EngineReadError,
  type Page,
  type Reader,
  type Row,
  type ScanOptions
} from "../../Engine.ts"
import type { ManifestPart } from "../../format/ArchiveFormat.ts"
import * as PackRowsFormat from "../../format/PackRowsFormat.ts"
import { storeKeyspaces } from "../../format/RecordLayout.ts"
import { boundsOf, compareBytes, contains } from "../Bounds.ts"
import { type PageBounds, pageBytes, pageRowCount } from "../Store.ts"
import { keyRefusal, keyspaceRefusal, limitRefusal } from "../StoreBatch.ts"
import { type ArchiveBounds, packFailure } from "./ArchiveBounds.ts"
import type { ArchiveOutside } from "./ArchiveOutside.ts"
import * as GroupCache from "./GroupCache.ts"

/** Bytes of decoded rows that are kept by default. */
const defaultCacheSizeBytes = 8 * 1024 * 1024

/** The packfiles of an archive. */
export interface PackRows {
  readonly reader: Reader
  /** Reads every group of every packfile, and holds their rows against the manifest. */
  readonly verify: Effect.Effect<void, ArchiveCorrupt | ArchiveLimitExceeded | DiskError>
}

interface Keyspace {
  readonly part: ManifestPart
  readonly pack: PackReader.PackReader
  readonly fences: PackRowsFormat.Fences
}

type OpenFailure = ArchiveCorrupt | ArchiveLimitExceeded | DiskError

export interface PackRowsOptions {
  readonly outside: ArchiveOutside
  readonly bounds: ArchiveBounds
  /** Default {@link defaultCacheSizeBytes}. */
  readonly cacheSizeBytes: number | undefined
}

/** Opens the packfiles for the scope: the end of each is read, and its fences are kept. */
export const open: (options: PackRowsOptions) => Effect.Effect<PackRows, OpenFailure, Zstd | Scope.Scope> =
  Effect.fnUntraced(function* ({ bounds, cacheSizeBytes = defaultCacheSizeBytes, outside }: PackRowsOptions) {
    const zstd = yield* Zstd
    const { path, manifest } = outside
    const keyspaces = new Map<string, Keyspace>()
    const names = manifest.parts.map(({ name }) => name)
    if (names.toSorted().join() !== storeKeyspaces.toSorted().join()) {
      const detail = `its keyspaces are ${names.join(", ")}, expected ${storeKeyspaces.join(", ")}`
      return yield* new ArchiveCorrupt({ path, part: "manifest", detail })
    }
    for (const part of manifest.parts) {
      keyspaces.set(part.name, yield* openKeyspace(outside, bounds, zstd, part))
    }
    let isClosed = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
      })
    )
    return {
      reader: makeReader(path, keyspaces, GroupCache.make(cacheSizeBytes), () => isClosed),
      verify: Effect.forEach(keyspaces.values(), (keyspace) => verifyKeyspace(path, keyspace), { discard: true })
    }
  })

const openKeyspace = Effect.fnUntraced(function* (
  { path, payload }: ArchiveOutside,
  bounds: ArchiveBounds,
  zstd: Zstd,
  part: ManifestPart
): Effect.fn.Return<Keyspace, OpenFailure> {
  const { maxIndexSizeBytes, maxRecordSizeBytes } = bounds
  const pack = yield* PackReader.open(ByteSource.slice(payload, part.offset_bytes, part.size_bytes), {
    encoding: RecordEncoding.zstd(zstd),
    maxRecordSizeBytes: Math.min(maxRecordSizeBytes, PackRowsFormat.maxGroupSizeBytes),
    maxIndexSizeBytes,
    maxAppDataSizeBytes: maxIndexSizeBytes
  }).pipe(Effect.mapError((error) => packFailure(path, part.name, error)))
  const corrupt = (detail: string) =>
    new ArchiveCorrupt({ path, part: "payload", detail: `pack ${part.name}: ${detail}` })
  const { format, itemsPerRecord } = pack.trailer
  if (format !== PackRowsFormat.packFormat || itemsPerRecord !== 1) {
    return yield* corrupt(`its format is ${format} with ${itemsPerRecord} items a record`)
  }
  const decoded = yield* zstd.decompress(pack.appData, { maxSizeBytes: maxIndexSizeBytes }).pipe(
    Effect.mapError((error) => {
      const { actual = 0, expected: maximum = 0, fault } = error
      return fault === "cap"
        ? new ArchiveLimitExceeded({ path, subject: "index size", actual, maximum })
        : corrupt(`its fences: ${error.detail}`)
    })
  )
  const fences = PackRowsFormat.decodeFences(decoded, pack.itemCount, maxIndexSizeBytes)
  return fences.kind === "fault" ? yield* corrupt(fences.detail) : { part, pack, fences }
})

const parse = ({ fences }: Keyspace, index: number, bytes: Uint8Array): ReturnType<typeof PackRowsFormat.parseGroup> =>
  PackRowsFormat.parseGroup(
    bytes,
    PackRowsFormat.fenceOf(fences, index),
    index + 1 < fences.count ? PackRowsFormat.fenceOf(fences, index + 1) : undefined
  )

const verifyKeyspace = Effect.fnUntraced(function* (path: string, keyspace: Keyspace) {
  const { pack, part } = keyspace
  const corrupt = (detail: string) =>
    new ArchiveCorrupt({ path, part: "payload", detail: `pack ${part.name}: ${detail}` })
  const failed = Effect.mapError((error: Parameters<typeof packFailure>[2]) => packFailure(path, part.name, error))
  yield* failed(pack.verify())
  let rowCount = 0
  let decodedSizeBytes = 0
  for (let index = 0; index < pack.itemCount; index++) {
    const group = parse(keyspace, index, yield* failed(pack.read(index)))
    if (group.kind === "fault") return yield* corrupt(`group ${index}: ${group.detail}`)
    rowCount += group.rowCount
    decodedSizeBytes += PackRowsFormat.contentSizeOf(group)
  }
  if (rowCount !== part.row_count || decodedSizeBytes !== part.decoded_size_bytes) {
    const found = `${rowCount} rows of ${decodedSizeBytes} bytes`
    return yield* corrupt(`it has ${found}, the manifest says ${part.row_count} of ${part.decoded_size_bytes}`)
  }
})

const makeReader = (
  path: string,
  keyspaces: ReadonlyMap<string, Keyspace>,
  cache: GroupCache.GroupCache,
  isClosed: () => boolean
): Reader => {
  const misuse = (detail: string): EngineMisuse => new EngineMisuse({ path, detail })

  const groupAt = (keyspace: Keyspace, index: number): Effect.Effect<PackRowsFormat.Group, EngineReadError> =>
    Effect.suspend(() => {
      const { name } = keyspace.part
      const cached = cache.get(name, index)
      if (cached !== undefined) return Effect.succeed(cached)
      return keyspace.pack.read(index).pipe(
        Effect.mapError(
          (error): EngineReadError =>
            error._tag === "PackCorrupt"
              ? new EngineCorrupt({ path, keyspace: name, detail: error.message })
              : new EngineFailed({ path, operation: "read", detail: error.message })
        ),
        Effect.flatMap((bytes) => {
          const group = parse(keyspace, index, bytes)
          if (group.kind === "fault") {
            const detail = `group ${index}: ${group.detail}`
            return Effect.fail(new EngineCorrupt({ path, keyspace: name, detail }))
          }
          cache.put(name, index, group)
          return Effect.succeed(group)
        })
      )
    })

  const keyspaceOf = (name: string, keys: ReadonlyArray<Uint8Array>): Effect.Effect<Keyspace, EngineReadError> =>
    Effect.suspend((): Effect.Effect<Keyspace, EngineReadError> => {
      if (isClosed()) return Effect.fail(misuse("it is closed"))
      const keyspace = keyspaces.get(name)
      if (keyspace === undefined) return Effect.fail(keyspaceRefusal(path, name))
      for (const key of keys) {
        const refusal = keyRefusal(name, key)
        if (refusal !== undefined) return Effect.fail(refusal)
      }
      return Effect.succeed(keyspace)
    })

  /** What `pick` takes of the row at or below each key. Groups are read in order, each once. */
  const lookUp = <A>(
    name: string,
    keys: ReadonlyArray<Uint8Array>,
    pick: (group: PackRowsFormat.Group, row: number, key: Uint8Array) => Option.Option<A>
  ): Effect.Effect<ReadonlyArray<Option.Option<A>>, EngineReadError> =>
    Effect.flatMap(keyspaceOf(name, keys), (keyspace) => {
      const found = new Array<Option.Option<A>>(keys.length).fill(Option.none())
      const groups = keys.map((key) => PackRowsFormat.groupOf(keyspace.fences, key))
      const order = groups.map((_, at) => at).filter((at) => groups[at]! >= 0)
      order.sort((left, right) => groups[left]! - groups[right]!)
      let next = 0
      const step = (group: PackRowsFormat.Group): void => {
        const index = groups[order[next]!]!
        for (; next < order.length && groups[order[next]!] === index; next++) {
          const at = order[next]!
          // Not below the first row of the group: its key is the fence.
          found[at] = pick(group, PackRowsFormat.rowAtOrBelow(group, keys[at]!), keys[at]!)
        }
      }
      return Effect.as(
        Effect.whileLoop({
          while: () => next < order.length,
          body: () => groupAt(keyspace, groups[order[next]!]!),
          step
        }),
        found
      )
    })

  const getMany: Reader["getMany"] = (name, keys) => lookUp(name, keys, valueIn)
  const floorMany: Reader["floorMany"] = (name, keys) => lookUp(name, keys, rowIn)

  /** Gives the rows of one group after the other; undefined at the end. */
  const openScan = Effect.fnUntraced(function* (
    name: string,
    options: ScanOptions
  ): Effect.fn.Return<Effect.Effect<readonly [Row, ...Array<Row>] | undefined, EngineReadError>, EngineReadError> {
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    const refusal = limitRefusal(path, limit)
    if (refusal !== undefined) return yield* refusal
    const keyspace = yield* keyspaceOf(name, [])
    const bounds = boundsOf(options)
    const reverse = options.reverse === true
    const range = bounds === undefined ? undefined : groupsWithin(keyspace.fences, bounds)
    let index = range === undefined ? 0 : reverse ? range.last : range.first
    let left = limit
    return Effect.gen(function* () {
      for (;;) {
        if (bounds === undefined || range === undefined || left === 0) return undefined
        if (index < range.first || index > range.last) return undefined
        yield* keyspaceOf(name, [])
        const rows = rowsWithin(yield* groupAt(keyspace, index), bounds, reverse, left)
        index += reverse ? -1 : 1
        left -= rows.length
        if (isFilled(rows)) return rows
      }
    })
  })

  const scan = (name: string, options: ScanOptions): Stream.Stream<Row, EngineReadError> =>
    Stream.fromPull(
      Effect.map(openScan(name, options), (next) =>
        Effect.flatMap(next, (rows) => (rows === undefined ? Cause.done() : Effect.succeed(rows)))
      )
    )

  const page = Effect.fnUntraced(function* (
    name: string,
    options: ScanOptions
  ): Effect.fn.Return<Page, EngineReadError> {
    const most = Math.min(pageRowCount, options.limit ?? pageRowCount)
    const next = yield* openScan(name, { ...options, limit: most })
    const rows: Array<Row> = []
    let bytes = 0
    while (rows.length < most && bytes < pageBytes) {
      const some = yield* next
      if (some === undefined) return { rows, isEnd: true }
      for (const row of some) {
        if (bytes >= pageBytes) break
        rows.push(row)
        bytes += row.key.length + row.value.length
      }
    }
    return { rows, isEnd: false }
  })

  return {
    moment: {},
    get: (name, key) => Effect.map(getMany(name, [key]), (found) => found[0]!),
    getMany,
    floor: (name, key) => Effect.map(floorMany(name, [key]), (found) => found[0]!),
    floorMany,
    page: (name, options = {}) => page(name, options),
    scan: (name, options = {}) => scan(name, options)
  }
}

const isFilled = (rows: ReadonlyArray<Row>): rows is readonly [Row, ...Array<Row>] => rows.length > 0

/** Rows are copied: what is given is the caller's, and groups are kept. */
const rowOf = (group: PackRowsFormat.Group, row: number): Row => ({
  key: new Uint8Array(PackRowsFormat.keyOf(group, row)),
  value: new Uint8Array(PackRowsFormat.valueOf(group, row))
})

const rowIn = (group: PackRowsFormat.Group, row: number): Option.Option<Row> => Option.some(rowOf(group, row))

const valueIn = (group: PackRowsFormat.Group, row: number, key: Uint8Array): Option.Option<Uint8Array> =>
  compareBytes(PackRowsFormat.keyOf(group, row), key) === 0
    ? Option.some(new Uint8Array(PackRowsFormat.valueOf(group, row)))
    : Option.none()

/** The groups that may have rows within the bounds: the first may lie before them as a whole. */
const groupsWithin = (
  fences: PackRowsFormat.Fences,
  { lower, upper }: PageBounds
): { readonly first: number; readonly last: number } => ({
  first: lower === undefined ? 0 : Math.max(0, PackRowsFormat.groupOf(fences, lower)),
  last: upper === undefined ? fences.count - 1 : PackRowsFormat.groupOf(fences, upper)
})

const rowsWithin = (
  group: PackRowsFormat.Group,
  bounds: PageBounds,
  reverse: boolean,
  limit: number
): ReadonlyArray<Row> => {
  const rows: Array<Row> = []
  const step = reverse ? -1 : 1
  for (
    let row = reverse ? group.rowCount - 1 : 0;
    row >= 0 && row < group.rowCount && rows.length < limit;
    row += step
  ) {
    if (contains(bounds, PackRowsFormat.keyOf(group, row))) rows.push(rowOf(group, row))
  }
  return rows
}
