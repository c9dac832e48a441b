/**
 * Records as lines of JSON (NDJSON, UTF-8, one line feed behind each): the portable text form of whole sync runs.
 *
 * ```json
 * {"record_type":{"name":"Account","version":1,"schema":{…},"primaryKey":["id"],"indexes":{…}}}
 * {"sync_run":{"sync_id":"2QYHtv…","type":"full","started_at":1700000000000000,"ended_at":…,"token":"","counts":{"Account":2}}}
 * {"type":"Account","sync":"2QYHtv…","record":{"id":"a","owner":"x","active":true}}
 * ```
 *
 * - A `record_type` line declares a type, as {@link RecordType.describe} gives it. All of them come first.
 * - A `sync_run` line begins a run; its records follow, before those of any other run. The counts are those of the lines that
 *   follow, so that a file that was cut off does not pass for a whole one.
 * - A record line has the fields of its type as `RecordShape.toJson` of `@icecore/codec` writes them: bytes as base64,
 *   64-bit integers as decimal text, dates as ISO 8601. `sync` may be left out.
 * - Members are in any order, and more of them than these are refused. An empty line says nothing.
 */
import { Ksuid, RecordShape } from "@icecore/codec"
import { Option, Predicate, Result } from "effect"
import * as RecordType from "./RecordType.ts"
import { SyncRun } from "./SyncRun.ts"

/** Declares a type. */
export interface TypeLine {
  readonly kind: "type"
  readonly type: RecordType.Any
}

/** Begins a run. */
export interface RunLine {
  readonly kind: "run"
  readonly run: SyncRun
}

/** One record of a run, or of none in particular. Its fields are not yet checked: see {@link decodeRecord}. */
export interface RecordLine {
  readonly kind: "record"
  readonly type: string
  readonly sync: Option.Option<string>
  readonly json: unknown
}

export type Line = TypeLine | RunLine | RecordLine

/** The line that declares a type, without its line feed. */
export const encodeType = (type: RecordType.Any): string => JSON.stringify({ record_type: RecordType.describe(type) })

/** The line that begins a run, without its line feed. */
export const encodeRun = (run: SyncRun): string => JSON.stringify({ sync_run: toJson(SyncRun, run) })

/** The line of a record, without its line feed. */
export const encodeRecord = <T extends RecordType.Any>(type: T, sync: string, record: RecordType.Record<T>): string =>
  JSON.stringify({ type: type.name, sync, record: toJson(type, record) })

/** The `record` of a line. The record is of its type, as those that were read are: otherwise it throws. */
export const toJson = <T extends RecordType.Any>(type: T, record: RecordType.Record<T>): Record<string, unknown> =>
  Result.getOrThrow(RecordShape.toJson(type.shape, record))

/**
 * Reads a line, with or without its line feed; none for an empty one. A failure says what is wrong with it, as the end of a
 * sentence that begins with where the line is.
 */
export const parse = (line: Uint8Array): Result.Result<Option.Option<Line>, string> =>
  Result.flatMap(parseJson(line), (json) =>
    json === undefined ? Result.succeed(Option.none()) : Result.map(parseObject(json), Option.some)
  )

/** The record of a line whose type is known; a failure says which field is not as the type has it. */
export const decodeRecord = <T extends RecordType.Any>(
  type: T,
  { json }: RecordLine
): Result.Result<RecordType.Record<T>, string> =>
  Result.mapBoth(RecordShape.fromJson(type.shape, json), {
    onFailure: ({ path, expected, actual }) =>
      `${type.name}${path === "" ? "" : `.${path}`} is ${actual}, expected ${expected}`,
    onSuccess: (record) => record as RecordType.Record<T>
  })

const decoder = new TextDecoder("utf-8", { fatal: true })

/** The value of the line; undefined, which no JSON is, for an empty one. */
const parseJson = (line: Uint8Array): Result.Result<unknown, string> =>
  Result.try({
    try: (): unknown => {
      const text = decoder.decode(line)
      return text.trim() === "" ? undefined : JSON.parse(text)
    },
    catch: (error) =>
      error instanceof SyntaxError ? "it is no JSON, expected an object on one line" : "it is no UTF-8"
  })

const parseObject = (json: unknown): Result.Result<Line, string> => {
  if (!Predicate.isReadonlyObject(json) || Array.isArray(json)) return Result.fail("it is no JSON object")
  if ("record_type" in json) return Result.flatMap(only(json, ["record_type"]), () => parseType(json.record_type))
  if ("sync_run" in json) return Result.flatMap(only(json, ["sync_run"]), () => parseRun(json.sync_run))
  return Result.flatMap(only(json, ["type", "sync", "record"]), () => parseRecord(json))
}

/** Refuses members that nobody would read: they would be dropped in silence. */
const only = (json: object, names: ReadonlyArray<string>): Result.Result<void, string> => {
  const other = Object.keys(json).find((name) => !names.includes(name))
  return other === undefined
    ? Result.void
    : Result.fail(`it has a member ${JSON.stringify(other.slice(0, 64))}, expected ${names.join(", ")}`)
}

const parseType = (json: unknown): Result.Result<TypeLine, string> =>
  Result.mapBoth(RecordType.fromDescription(json), {
    onFailure: (detail) => `record_type: ${detail}`,
    onSuccess: (type) => ({ kind: "type", type })
  })

const parseRun = (json: unknown): Result.Result<RunLine, string> =>
  Result.flatMap(RecordShape.fromJson(SyncRun.shape, json), (record) => {
    const run = record as unknown as SyncRun
    const others = run.parent_sync_id === undefined ? [] : [run.parent_sync_id]
    const ids = [run.sync_id, ...others, ...(run.source_sync_ids ?? [])]
    return Result.map(Result.all(ids.map(Ksuid.parse)), (): RunLine => ({ kind: "run", run }))
  }).pipe(
    Result.mapError((error) =>
      error._tag === "RecordInvalid"
        ? `sync_run${error.path === "" ? "" : `.${error.path}`} is ${error.actual}, expected ${error.expected}`
        : `sync_run: ${error.message}`
    )
  )

const parseRecord = (json: {
  readonly type?: unknown
  readonly sync?: unknown
  readonly record?: unknown
}): Result.Result<RecordLine, string> => {
  const { type, sync } = json
  if (typeof type !== "string") return Result.fail("it has no type, expected the name of a record type")
  if (sync !== undefined && typeof sync !== "string")
    return Result.fail("its sync is no text, expected the id of a sync")
  if (!("record" in json)) return Result.fail("it has no record, expected an object")
  return Result.succeed({ kind: "record", type, sync: Option.fromUndefinedOr(sync), json: json.record })
}
