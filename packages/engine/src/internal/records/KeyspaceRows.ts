/** Whether anything is stored in a keyspace. */
import { Effect, Stream } from "effect"
import type { EngineReadError, Reader } from "../../Engine.ts"

export const hasRows = (reader: Reader, keyspace: string): Effect.Effect<boolean, EngineReadError> =>
  Effect.map(Stream.runCollect(reader.scan(keyspace, { limit: 1 })), (rows) => rows.length > 0)
