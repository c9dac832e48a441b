/** What a conformance case is written with: an engine under test and short ways to say bytes, rows and failures. */
import * as assert from "node:assert/strict"
import { Cause, Effect, Exit, Option, Result, type Scope, Stream } from "effect"
import { Hex } from "effect/encoding"
import type {
  Database,
  Engine,
  EngineOpenError,
  EngineReadError,
  EngineWriteError,
  OpenOptions,
  Reader,
  Row,
  ScanOptions
} from "../../Engine.ts"

/** How the test environment makes the engine's next commit or sync of a database fail once, with an I/O error or a full disk. */
export interface EngineFaults {
  readonly failNext: (fault: {
    readonly path: string
    readonly point: "commit" | "sync"
    readonly code: "EIO" | "ENOSPC"
  }) => Effect.Effect<void>
}

/** One case runs over one of these. */
export interface Subject {
  readonly engine: Engine
  /** A path of this case's own under which nothing is at the start. */
  readonly path: (name: string) => string
  /** Opens path `db` with the keyspaces `a` and `b`, unless told otherwise. */
  readonly open: (options?: Partial<OpenOptions>) => Effect.Effect<Database, EngineOpenError, Scope.Scope>
}

export interface CaseDefinition<Context = Subject> {
  readonly name: string
  readonly run: (subject: Context) => Effect.Effect<void, unknown, Scope.Scope>
}

export const define = (
  name: string,
  run: (subject: Subject) => Effect.Effect<void, unknown, Scope.Scope>
): CaseDefinition => ({ name, run })

export const makeSubject = (engine: Engine, directory: string): Subject => {
  const path = (name: string): string => `${directory}/${name}`
  return {
    engine,
    path,
    open: (options) => engine.open({ path: path("db"), keyspaces: ["a", "b"], ...options })
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const text = (value: Uint8Array): string => new TextDecoder().decode(value)

/** The bytes of hex digits. */
export const unhex = (digits: string): Uint8Array => Result.getOrThrow(Hex.decode(digits))

export const optionText = (value: Option.Option<Uint8Array>): string | undefined =>
  Option.getOrUndefined(Option.map(value, text))

/** `k=v` for each row. */
export const rowTexts = (rows: ReadonlyArray<Row>): ReadonlyArray<string> =>
  rows.map(({ key, value }) => `${text(key)}=${text(value)}`)

export const getText = (
  reader: Reader,
  keyspace: string,
  key: string
): Effect.Effect<string | undefined, EngineReadError> => Effect.map(reader.get(keyspace, bytes(key)), optionText)

/** The rows of a scan, which pages give too. */
export const scanTexts: (
  reader: Reader,
  keyspace: string,
  options?: ScanOptions
) => Effect.Effect<ReadonlyArray<string>, EngineReadError> = Effect.fnUntraced(function* (reader, keyspace, options) {
  const texts = rowTexts(yield* Stream.runCollect(reader.scan(keyspace, options)))
  assert.deepEqual(yield* pagedTexts(reader, keyspace, options), texts, "pages give what a scan gives")
  return texts
})

/** Page behind page, each behind the last row of the one before. */
const pagedTexts = Effect.fnUntraced(function* (
  reader: Reader,
  keyspace: string,
  options: ScanOptions = {}
): Effect.fn.Return<ReadonlyArray<string>, EngineReadError> {
  const texts: Array<string> = []
  let range = options
  for (;;) {
    const { isEnd, rows } = yield* reader.page(keyspace, range)
    texts.push(...rowTexts(rows))
    const left = (options.limit ?? Number.POSITIVE_INFINITY) - texts.length
    if (isEnd || left === 0) return texts
    assert.ok(rows.length > 0, "a page without rows is the last")
    const { key } = rows[rows.length - 1]!
    range = { ...options, limit: left, ...(options.reverse === true ? { lt: key } : { gt: key }) }
  }
})

/** Puts each `k=v`, synced, in one batch. */
export const putAll = (
  database: Database,
  keyspace: string,
  ...rows: ReadonlyArray<string>
): Effect.Effect<void, EngineWriteError> =>
  database.write((batch) => {
    for (const { key, value } of rows.map(rowOf)) batch.put(keyspace, key, value)
  })

/** The row that `k=v` says. */
export const rowOf = (row: string): Row => {
  const at = row.indexOf("=")
  return { key: bytes(row.slice(0, at)), value: bytes(row.slice(at + 1)) }
}

export const rowsOf = (...rows: ReadonlyArray<string>): Stream.Stream<Row> => Stream.fromArray(rows.map(rowOf))

/** The expected failure, which must have this tag. */
export const failure = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E, R>,
  tag: E["_tag"]
): Effect.Effect<E, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) assert.fail(`expected ${tag}, it succeeded`)
    const error = Cause.findErrorOption(exit.cause)
    if (Option.isNone(error) || error.value._tag !== tag)
      assert.fail(`expected ${tag}, got ${Cause.pretty(exit.cause)}`)
    return error.value
  })

/** Runs the effect with a database that is closed again afterwards. */
export const session = <A, E>(
  subject: Subject,
  use: (database: Database) => Effect.Effect<A, E, Scope.Scope>,
  options?: Partial<OpenOptions>
): Effect.Effect<A, E | EngineOpenError> => Effect.scoped(Effect.flatMap(subject.open(options), use))
