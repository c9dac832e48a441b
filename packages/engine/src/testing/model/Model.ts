/** The plain thing that an engine must agree with: maps from strings to strings, one character a byte. */
import type { Range, ScanOptions } from "../../Engine.ts"

export type ModelKeyspace = ReadonlyMap<string, string>

/** Contents of all keyspaces. A change makes a new value. */
export type Model = ReadonlyMap<string, ModelKeyspace>

export type ModelChange =
  | { readonly kind: "put"; readonly keyspace: string; readonly key: string; readonly value: string }
  | { readonly kind: "delete"; readonly keyspace: string; readonly key: string }
  | { readonly kind: "deleteRange"; readonly keyspace: string; readonly range: ModelRange }

/** {@link Range} in the model's strings. */
export type ModelRange = { readonly [Bound in keyof Range]?: string }

export type ModelRow = readonly [key: string, value: string]

export const emptyModel = (keyspaces: ReadonlyArray<string>): Model =>
  new Map(keyspaces.map((keyspace) => [keyspace, new Map()]))

export const applyChanges = (model: Model, changes: ReadonlyArray<ModelChange>): Model => {
  const next = new Map([...model].map(([keyspace, rows]) => [keyspace, new Map(rows)]))
  for (const change of changes) {
    const rows = next.get(change.keyspace)!
    if (change.kind === "put") rows.set(change.key, change.value)
    else if (change.kind === "delete") rows.delete(change.key)
    else for (const key of [...rows.keys()].filter((each) => isInside(each, change.range))) rows.delete(key)
  }
  return next
}

/** What a scan with these options gives. */
export const scanModel = (
  model: Model,
  keyspace: string,
  range: ModelRange,
  { limit, reverse = false }: Pick<ScanOptions, "limit" | "reverse">
): ReadonlyArray<ModelRow> => {
  const rows = [...model.get(keyspace)!]
    .filter(([key]) => isInside(key, range))
    .sort(([left], [right]) => (left < right ? -1 : 1))
  return (reverse ? rows.reverse() : rows).slice(0, limit)
}

/** The row with the greatest key up to the given one. */
export const floorModel = (model: Model, keyspace: string, key: string): ModelRow | undefined =>
  scanModel(model, keyspace, { lte: key }, { limit: 1, reverse: true })[0]

/** All rows of all keyspaces as text, to compare. */
export const describeModel = (model: Model): string =>
  JSON.stringify([...model.keys()].map((keyspace) => [keyspace, scanModel(model, keyspace, {}, {})]))

/** Strings of characters up to 0xff compare as their bytes do. */
export const isInside = (key: string, { gt, gte, lt, lte, prefix }: ModelRange): boolean =>
  (gte === undefined || key >= gte) &&
  (gt === undefined || key > gt) &&
  (lte === undefined || key <= lte) &&
  (lt === undefined || key < lt) &&
  (prefix === undefined || key.startsWith(prefix))

export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

export const textOf = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

export const rangeOf = (range: ModelRange): Range =>
  Object.fromEntries(Object.entries(range).map(([bound, key]) => [bound, bytesOf(key)]))
