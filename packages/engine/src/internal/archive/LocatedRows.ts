/**
 * The rows of a database that an archive was unpacked into, failing with errors that name the archive: the private directory says
 * nothing to who opened it, and is gone when he looks.
 */
import { Effect, Stream } from "effect"
import {
  type Database,
  EngineCorrupt,
  EngineFailed,
  EngineMisuse,
  EngineNotFound,
  type EngineOpenError,
  type EngineReadError,
  type Reader
} from "../../Engine.ts"

type Located = EngineReadError | EngineOpenError

/** The same error, of the archive at the path. One about the room on a disk stays: it is the directory's. */
export const locate =
  (path: string) =>
  <E extends Located>(error: E): E =>
    // Of the same class.
    relocated(path, error) as E

const relocated = (path: string, error: Located): Located => {
  switch (error._tag) {
    case "EngineCorrupt": {
      const { detail, key, keyspace } = error
      const place = { ...(keyspace === undefined ? {} : { keyspace }), ...(key === undefined ? {} : { key }) }
      return new EngineCorrupt({ path, ...place, detail })
    }
    case "EngineFailed":
      return new EngineFailed({ path, operation: error.operation, detail: error.detail })
    case "EngineMisuse":
      return new EngineMisuse({ path, detail: error.detail })
    case "EngineNotFound":
      return new EngineNotFound({ path })
    default:
      return error
  }
}

/** The reader, whose errors name the archive at the path. */
export const locatedReader = (path: string, reader: Reader): Reader => {
  const located = <A>(effect: Effect.Effect<A, EngineReadError>): Effect.Effect<A, EngineReadError> =>
    Effect.mapError(effect, locate(path))
  return {
    ...(reader.moment === undefined ? {} : { moment: reader.moment }),
    get: (keyspace, key) => located(reader.get(keyspace, key)),
    getMany: (keyspace, keys) => located(reader.getMany(keyspace, keys)),
    floor: (keyspace, key) => located(reader.floor(keyspace, key)),
    floorMany: (keyspace, keys) => located(reader.floorMany(keyspace, keys)),
    page: (keyspace, options) => located(reader.page(keyspace, options)),
    scan: (keyspace, options) => Stream.mapError(reader.scan(keyspace, options), locate(path))
  }
}

/** The snapshots of a database, whose errors name the archive at the path. */
export const locatedSnapshot = (path: string, { snapshot }: Database): Database["snapshot"] =>
  snapshot.pipe(
    Effect.map((reader) => locatedReader(path, reader)),
    Effect.mapError(locate(path))
  )
