/** What a listing asks for, checked against the store's types: pure, before anything is read. */
import { Result } from "effect"
import {
  headerOf,
  type IndexLayout,
  indexesKeyspace,
  recordsKeyspace,
  type TypeLayout
} from "../../../format/RecordLayout.ts"
import * as RecordType from "../../../RecordType.ts"
import { prefixOf } from "./KeyQuery.ts"

/**
 * How rows are found: by the rows of the primary key, by the entries of an index, or, where the entries are not there or not to be
 * relied on, by reading all records of the sync.
 */
export type Access =
  | { readonly _tag: "Primary" }
  | { readonly _tag: "Index"; readonly index: IndexLayout }
  | { readonly _tag: "Records"; readonly index: IndexLayout }

/** A checked listing, not yet of any sync. */
export interface ListQuery {
  readonly layout: TypeLayout
  readonly access: Access
  /** What page tokens call the index: its tag, or its position from 1 where the store has no such index; 0 for the primary key. */
  readonly indexTag: number
  /** Without the header. */
  readonly prefix: Uint8Array
  /** The prefix is the whole primary key of at most one record. */
  readonly isWhole: boolean
  /** The prefix is longer than any key: no record has it. */
  readonly isEmpty: boolean
}

export interface ListQueryOptions {
  readonly index?: string
  readonly prefix?: Readonly<Record<string, unknown>>
}

/** The listing, or what is wrong with it. */
export const makeQuery = (layout: TypeLayout, options: ListQueryOptions): Result.Result<ListQuery, string> => {
  const found = findAccess(layout, options.index)
  if (Result.isFailure(found)) return Result.fail(found.failure)
  const { access, indexTag } = found.success
  const parts = access._tag === "Primary" ? layout.keyParts : access.index.parts
  const prefix = prefixOf(parts, options.prefix ?? {}, access._tag === "Primary")
  return Result.map(prefix, (bytes) => ({
    layout,
    access,
    indexTag,
    prefix: bytes?.bytes ?? new Uint8Array(),
    isWhole: bytes?.isWhole === true,
    isEmpty: bytes === undefined
  }))
}

/** The same listing in a sync whose index entries are behind its records. */
export const withoutEntries = (query: ListQuery): ListQuery =>
  query.access._tag === "Index" ? { ...query, access: { ...query.access, _tag: "Records" } } : query

/** The keyspace that holds the rows which are listed, and the header of their keys. */
export const rowsOf = (
  query: ListQuery,
  sync: Uint8Array
): { readonly keyspace: string; readonly header: Uint8Array } =>
  query.access._tag === "Index"
    ? { keyspace: indexesKeyspace, header: headerOf(query.access.index.tag, sync) }
    : { keyspace: recordsKeyspace, header: headerOf(query.layout.tag, sync) }

interface FoundAccess {
  readonly access: Access
  readonly indexTag: number
}

const findAccess = ({ indexes, type }: TypeLayout, name: string | undefined): Result.Result<FoundAccess, string> => {
  if (name === undefined) return Result.succeed({ access: { _tag: "Primary" }, indexTag: 0 })
  const stored = indexes.find((each) => each.name === name)
  if (stored !== undefined) return Result.succeed({ access: { _tag: "Index", index: stored }, indexTag: stored.tag })
  const names = Object.keys(type.indexes)
  const position = names.indexOf(name)
  if (position < 0) {
    const expected = names.length === 0 ? "it has none" : `expected one of ${names.join(", ")}`
    return Result.fail(`record type ${type.name} has no index ${name}, ${expected}`)
  }
  const where = RecordType.conditionOf(type.indexes[name]!)
  const index: IndexLayout = { name, tag: position + 1, parts: type.indexParts[name]!, where }
  return Result.succeed({ access: { _tag: "Records", index }, indexTag: index.tag })
}
