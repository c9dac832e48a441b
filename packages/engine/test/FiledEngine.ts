/**
 * An engine for tests of archives on a simulated disk: databases in memory, of which a copy, and a new one whose rows were replaced,
 * is one small file on the `Disk`, from which they are opened.
 */
import { Disk } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import { type Engine, EngineCorrupt, EngineFailed, EngineNotFound, type Row } from "../src/Engine.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"

export const fileName = "rows.bin"

const encodeRows = (rows: ReadonlyArray<readonly [keyspace: string, row: Row]>): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify(
      rows.map(([keyspace, { key, value }]) => [
        keyspace,
        Buffer.from(key).toString("base64"),
        Buffer.from(value).toString("base64")
      ])
    )
  )

const decodeRows = (bytes: Uint8Array): ReadonlyArray<readonly [keyspace: string, row: Row]> =>
  (JSON.parse(new TextDecoder().decode(bytes)) as ReadonlyArray<readonly [string, string, string]>).map(
    ([keyspace, key, value]) => [
      keyspace,
      { key: new Uint8Array(Buffer.from(key, "base64")), value: new Uint8Array(Buffer.from(value, "base64")) }
    ]
  )

const failed =
  (path: string, operation: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, EngineFailed, R> =>
    Effect.mapError(effect, (error) => new EngineFailed({ path, operation, detail: String(error) }))

/** The engine, whose databases live as long as it does. */
export const make: Effect.Effect<Engine, never, Disk> = Effect.map(Disk, (disk): Engine => {
  const memory = MemoryEngine.make(MemoryEngine.makeMedium())
  let copyCount = 0

  const read = (path: string) =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* disk.open(`${path}/${fileName}`, "read")
        const bytes = new Uint8Array(yield* file.size)
        yield* file.readAt(bytes, 0)
        return yield* Effect.try({
          try: () => decodeRows(bytes),
          catch: (cause) => new EngineCorrupt({ path, detail: String(cause) })
        })
      })
    )

  return {
    name: "filed",
    open: Effect.fnUntraced(function* (options) {
      const { path } = options
      const isThere = yield* failed(path, "open")(Effect.map(disk.stat(`${path}/${fileName}`), Option.isSome))
      if (options.mode === "readOnly" && !isThere) return yield* new EngineNotFound({ path })
      const name = isThere ? `/copy ${copyCount++}` : path
      const database = yield* memory.open({ ...options, path: name, mode: "create" })
      if (isThere) {
        const rows = yield* failed(path, "read")(read(path))
        yield* Effect.mapError(
          database.write((batch) => {
            for (const [keyspace, { key, value }] of rows) batch.put(keyspace, key, value)
          }),
          (error) => new EngineFailed({ path, operation: "open", detail: error.message })
        )
      }
      const copyTo = (target: string) =>
        Effect.gen(function* () {
          const rows: Array<readonly [string, Row]> = []
          for (const keyspace of database.keyspaces) {
            for (const row of yield* Stream.runCollect(database.scan(keyspace))) rows.push([keyspace, row])
          }
          yield* disk.makeDirectory(target)
          const file = yield* disk.open(`${target}/${fileName}`, "create")
          yield* file.writeAt(encodeRows(rows), 0)
          yield* file.sync
          yield* disk.syncDirectory(target)
        }).pipe(Effect.scoped, failed(target, "copy"))
      return {
        ...database,
        checkpoint: copyTo,
        replace: (replacements) => Effect.andThen(database.replace(replacements), copyTo(path))
      }
    }),
    destroy: (path) =>
      Effect.gen(function* () {
        yield* disk.unlink(`${path}/${fileName}`)
        yield* disk.removeDirectory(path)
      }).pipe(failed(path, "remove"))
  }
})
