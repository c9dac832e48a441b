/** The catalog's rows, decoded strictly: what no catalog of this version writes is `CatalogCorrupt`, never skipped. */
import type { Reader, Row, ScanOptions, WriteBatch } from "@icecore/engine"
import { Effect, Option, Result, Stream } from "effect"
import * as Hex from "effect/encoding/Hex"
import { CatalogCorrupt, type CatalogReadError } from "../CatalogError.ts"
import * as CatalogKey from "../format/CatalogKey.ts"
import * as Geometry from "../Geometry.ts"

/** Where rows are read from, and what they are checked against. */
export interface Table {
  readonly path: string
  readonly geometry: Geometry.Geometry
  readonly reader: Reader
}

/** A row that was understood. */
export type Entry =
  | { readonly _tag: "Artifact"; readonly key: CatalogKey.ArtifactKey; readonly state: CatalogKey.ArtifactState }
  | { readonly _tag: "Hot"; readonly key: CatalogKey.HotKey; readonly state: CatalogKey.HotState }

/** How an error shows bytes: as text when they are printable ASCII, else the first of them in hexadecimal. */
export const display = (bytes: Uint8Array): string =>
  Option.getOrElse(CatalogKey.fromBytes(bytes), () => {
    const head = `0x${Hex.encode(bytes.subarray(0, 64))}`
    return bytes.length > 64 ? `${head}… (${bytes.length} bytes)` : head
  })

/** The error of a row. */
export const corrupt = (path: string, row: { key: Uint8Array; value?: Uint8Array }, detail: string): CatalogCorrupt =>
  new CatalogCorrupt({
    path,
    key: display(row.key),
    ...(row.value === undefined ? {} : { value: display(row.value) }),
    detail
  })

const placeFault = (geometry: Geometry.Geometry, key: CatalogKey.StorageKey): string | undefined =>
  key._tag === "Index" &&
  (Geometry.windowOf(geometry, key.lo) !== key.window || Geometry.windowOf(geometry, key.hi) !== key.window)
    ? "its chunks are not of its window"
    : undefined

/** Understands one row of the families `chunk:`, `index:` and `hot:`. */
export const decodeRow = (
  path: string,
  geometry: Geometry.Geometry,
  row: Row
): Result.Result<Entry, CatalogCorrupt> => {
  const key = Option.flatMap(CatalogKey.fromBytes(row.key), CatalogKey.decodeKey)
  if (Option.isNone(key)) return Result.fail(corrupt(path, row, "no such key is known"))
  const fault = placeFault(geometry, key.value)
  if (fault !== undefined) return Result.fail(corrupt(path, row, fault))
  const text = CatalogKey.fromBytes(row.value)
  if (key.value._tag === "Hot") {
    const state = Option.flatMap(text, CatalogKey.decodeHotState)
    return Option.isSome(state)
      ? Result.succeed({ _tag: "Hot", key: key.value, state: state.value })
      : Result.fail(corrupt(path, row, "expected is transient or ready"))
  }
  const state = Option.flatMap(text, CatalogKey.decodeArtifactState)
  return Option.isSome(state)
    ? Result.succeed({ _tag: "Artifact", key: key.value, state: state.value })
    : Result.fail(corrupt(path, row, "expected is freezing, frozen or pruning"))
}

/** Rows of a range, in key order. Decoded a batch at a time: a sweep reads every key there is. */
export const scan = (table: Table, options: ScanOptions): Stream.Stream<Entry, CatalogReadError> =>
  table.reader.scan(CatalogKey.keyspace, options).pipe(
    Stream.mapArrayEffect((rows) => {
      const entries: Array<Entry> = []
      for (const row of rows) {
        const entry = decodeRow(table.path, table.geometry, row)
        if (Result.isFailure(entry)) return Effect.fail(entry.failure)
        entries.push(entry.success)
      }
      return Effect.succeed(entries as [Entry, ...Array<Entry>])
    })
  )

/** The entry of a key; none when the catalog has no such key. */
export const get = (
  table: Table,
  key: CatalogKey.StorageKey
): Effect.Effect<Option.Option<Entry>, CatalogReadError> => {
  const bytes = CatalogKey.toBytes(CatalogKey.encodeKey(key))
  return Effect.flatMap(table.reader.get(CatalogKey.keyspace, bytes), (value) => {
    if (Option.isNone(value)) return Effect.succeed(Option.none())
    const entry = decodeRow(table.path, table.geometry, { key: bytes, value: value.value })
    return Result.isSuccess(entry) ? Effect.succeed(Option.some(entry.success)) : Effect.fail(entry.failure)
  })
}

/** The state of an artifact. */
export const artifactState = (
  table: Table,
  key: CatalogKey.ArtifactKey
): Effect.Effect<Option.Option<CatalogKey.ArtifactState>, CatalogReadError> =>
  Effect.map(get(table, key), (entry) =>
    Option.flatMap(entry, (found) => (found._tag === "Artifact" ? Option.some(found.state) : Option.none()))
  )

/** The state of a hot database. */
export const hotState = (
  table: Table,
  chunk: Geometry.ChunkId
): Effect.Effect<Option.Option<CatalogKey.HotState>, CatalogReadError> =>
  Effect.map(get(table, CatalogKey.hotKey(chunk)), (entry) =>
    Option.flatMap(entry, (found) => (found._tag === "Hot" ? Option.some(found.state) : Option.none()))
  )

/** A key index and its state. */
export interface Index {
  readonly key: CatalogKey.IndexKey
  readonly state: CatalogKey.ArtifactState
}

/** Key indexes of a range, in key order or, when `reverse`, against it. */
export const indexes = (table: Table, options: ScanOptions): Stream.Stream<Index, CatalogReadError> =>
  scan(table, options).pipe(
    Stream.filterMap((entry) =>
      entry._tag === "Artifact" && entry.key._tag === "Index"
        ? Result.succeed({ key: entry.key, state: entry.state })
        : Result.failVoid
    )
  )

/** Frozen key indexes of a range. Two of one window, which follow one another in either direction, are `CatalogCorrupt`. */
export const coverages = (table: Table, options: ScanOptions): Stream.Stream<CatalogKey.IndexKey, CatalogReadError> =>
  indexes(table, options).pipe(
    Stream.filter(({ state }) => state === "frozen"),
    Stream.mapAccumEffect(
      (): CatalogKey.IndexKey | undefined => undefined,
      (former, { key, state }) =>
        former?.window === key.window
          ? Effect.fail(
              new CatalogCorrupt({
                path: table.path,
                key: CatalogKey.encodeKey(key),
                value: state,
                detail: `${CatalogKey.encodeKey(former)} of the same window is frozen, too`
              })
            )
          : Effect.succeed([key, [key]] as const)
    )
  )

/** The frozen key index of a window. */
export const coverage = (
  table: Table,
  window: Geometry.WindowId
): Effect.Effect<Option.Option<CatalogKey.IndexKey>, CatalogReadError> =>
  coverages(table, { prefix: CatalogKey.toBytes(CatalogKey.prefixes.window(window)) }).pipe(Stream.runLast)

/** Puts a state into a batch. */
export const put = (
  batch: WriteBatch,
  key: CatalogKey.StorageKey,
  state: CatalogKey.ArtifactState | CatalogKey.HotState
): void => batch.put(CatalogKey.keyspace, CatalogKey.toBytes(CatalogKey.encodeKey(key)), CatalogKey.toBytes(state))

/** Deletes a key in a batch. */
export const remove = (batch: WriteBatch, key: CatalogKey.StorageKey): void =>
  batch.delete(CatalogKey.keyspace, CatalogKey.toBytes(CatalogKey.encodeKey(key)))
