/**
 * What the arguments of the commands on records mean: types by their names, syncs by their ids, keys by their parts.
 */
import { Ksuid } from "@icecore/codec"
import type { RecordReader, RecordType, SyncRun } from "@icecore/engine"
import { Data, Effect, Option } from "effect"
import * as KeyText from "./KeyText.ts"

/** An argument or a flag does not fit what is read. */
export class RecordArgumentInvalid extends Data.Error<{ readonly argument: string; readonly detail: string }> {
  readonly _tag = "RecordArgumentInvalid"
  override readonly name = "RecordArgumentInvalid"
  override get message(): string {
    return `Cannot use ${this.argument}: ${this.detail}`
  }
}

/** No sync was named, and none has ended. */
export class NoSyncChosen extends Data.Error<{
  readonly path: string
  readonly unfinished: ReadonlyArray<SyncRun.SyncRun>
  /** How one of them is named: `--sync=…`. */
  readonly remedy: string
}> {
  readonly _tag = "NoSyncChosen"
  override readonly name = "NoSyncChosen"
  override get message(): string {
    const [first] = this.unfinished
    return first === undefined
      ? `Cannot choose a sync of ${this.path}: it has none`
      : `Cannot choose a sync of ${this.path}: none has ended. It can be read all the same: ${this.remedy} ` +
          `(one of ${this.unfinished.length} without an end, type ${first.type})`
  }
}

/** There is no sync with this id. */
export class SyncAbsent extends Data.Error<{ readonly path: string; readonly sync: string }> {
  readonly _tag = "SyncAbsent"
  override readonly name = "SyncAbsent"
  override get message(): string {
    return `Cannot read sync ${this.sync} of ${this.path}: there is none; icecore archive info lists those that are there`
  }
}

/** The sync that was named, or the one that ended last. `flag` is what goes before an id on the command line. */
export const chooseSync: (
  reader: RecordReader.RecordReader,
  text: Option.Option<string>,
  flag?: string
) => Effect.Effect<SyncRun.SyncRun, RecordArgumentInvalid | NoSyncChosen | SyncAbsent | RecordReader.RecordReadError> =
  Effect.fnUntraced(function* (reader, text, flag = "--sync=") {
    if (Option.isSome(text)) {
      const run = yield* Effect.flatMap(syncId(text.value, flag), reader.getSync)
      return Option.isSome(run) ? run.value : yield* new SyncAbsent({ path: reader.path, sync: text.value })
    }
    const latest = yield* reader.latestFinishedSync()
    if (Option.isSome(latest)) return latest.value
    const unfinished = yield* reader.listSyncs
    return yield* new NoSyncChosen({ path: reader.path, unfinished, remedy: `${flag}${unfinished[0]?.sync_id}` })
  })

/** An id from the command line. */
const syncId = (text: string, flag: string): Effect.Effect<SyncRun.SyncId, RecordArgumentInvalid> =>
  Effect.mapError(
    Effect.fromResult(Ksuid.parse(text)),
    ({ expected }) => new RecordArgumentInvalid({ argument: `${flag}${text}`, detail: `expected ${expected}` })
  )

/** The syncs that were named, in this order. */
export const chooseSyncs = (
  reader: RecordReader.RecordReader,
  texts: ReadonlyArray<string>
): Effect.Effect<
  ReadonlyArray<SyncRun.SyncRun>,
  RecordArgumentInvalid | NoSyncChosen | SyncAbsent | RecordReader.RecordReadError
> => Effect.forEach(texts, (text) => chooseSync(reader, Option.some(text)))

/** A type by its name, or by the beginning of it in any case, where that leads to one type only. */
export const chooseType = (
  types: ReadonlyArray<RecordType.Any>,
  text: string
): Effect.Effect<RecordType.Any, RecordArgumentInvalid> => {
  const exact = types.find(({ name }) => name === text)
  const wanted = text.toLowerCase()
  const whole = types.filter(({ name }) => name.toLowerCase() === wanted)
  const begun = types.filter(({ name }) => wanted !== "" && name.toLowerCase().startsWith(wanted))
  const found = exact === undefined ? (whole.length > 0 ? whole : begun) : [exact]
  if (found.length === 1) return Effect.succeed(found[0]!)
  const namesOf = (some: ReadonlyArray<RecordType.Any>): string =>
    some
      .map(({ name }) => name)
      .sort()
      .join(", ")
  const detail =
    found.length > 1
      ? `it could be ${namesOf(found)}`
      : types.length === 0
        ? "there are no record types"
        : `there is no such record type, expected ${namesOf(types)}`
  return Effect.fail(new RecordArgumentInvalid({ argument: `type ${JSON.stringify(text)}`, detail }))
}

/** The key that the parts are of, as an object by dotted paths nested. */
export const parseKey = (
  type: RecordType.Any,
  texts: ReadonlyArray<string>
): Effect.Effect<RecordType.Key<RecordType.Any>, RecordArgumentInvalid> => {
  const paths = type.primaryKey.join(" ")
  if (texts.length !== type.keyParts.length)
    return Effect.fail(
      new RecordArgumentInvalid({
        argument: `key ${texts.map((text) => JSON.stringify(text)).join(" ")}`,
        detail: `a key of ${type.name} has ${type.keyParts.length === 1 ? "1 part" : `${type.keyParts.length} parts`}: ${paths}`
      })
    )
  return Effect.map(parseParts(type.keyParts, texts), (values) => {
    const key: Record<string, unknown> = {}
    type.keyParts.forEach(({ path }, index) => {
      let target = key
      for (const name of path.slice(0, -1)) {
        target[name] ??= {}
        target = target[name] as Record<string, unknown>
      }
      target[path.at(-1)!] = values[index]
    })
    return key
  })
}

/** Values of the leading parts of an index, or of the primary key, by dotted path. */
export const parsePrefix = (
  type: RecordType.Any,
  index: Option.Option<string>,
  text: string
): Effect.Effect<Readonly<Record<string, unknown>>, RecordArgumentInvalid> => {
  const parts = Option.match(index, { onNone: () => type.keyParts, onSome: (name) => type.indexParts[name]! })
  const texts = KeyText.split(text)
  if (texts.length > parts.length)
    return Effect.fail(
      new RecordArgumentInvalid({
        argument: `--prefix=${text}`,
        detail: `it has ${texts.length} parts, expected at most ${parts.length}: ${parts.map(({ path }) => path.join(".")).join(",")} (put \\, for a comma)`
      })
    )
  return Effect.map(parseParts(parts, texts), (values) =>
    Object.fromEntries(values.map((value, at) => [parts[at]!.path.join("."), value]))
  )
}

const parseParts = (
  parts: ReadonlyArray<RecordType.KeyPart>,
  texts: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<unknown>, RecordArgumentInvalid> =>
  Effect.forEach(texts, (text, index) => {
    const { path, kind } = parts[index]!
    return Effect.mapError(
      Effect.fromResult(KeyText.parse(kind, text)),
      (expected) =>
        new RecordArgumentInvalid({
          argument: `${path.join(".")} ${JSON.stringify(text)}`,
          detail: `expected ${expected}`
        })
    )
  })

/** The index of this name, if one was named. */
export const chooseIndex = (
  type: RecordType.Any,
  name: Option.Option<string>
): Effect.Effect<Option.Option<string>, RecordArgumentInvalid> => {
  const names = Object.keys(type.indexes).sort()
  if (Option.isNone(name) || names.includes(name.value)) return Effect.succeed(name)
  const detail =
    names.length === 0 ? `${type.name} has no indexes` : `${type.name} has no such index, expected ${names.join(", ")}`
  return Effect.fail(new RecordArgumentInvalid({ argument: `--index=${name.value}`, detail }))
}
