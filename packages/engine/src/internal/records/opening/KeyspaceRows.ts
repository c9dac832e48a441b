/** Whether anything is stored in a keyspace. */
import { Effect, Stream } from "effect"
import type { EngineReadError, Reader } from "../../../Engine.ts"

/** Whether there are rows whose keys begin with the prefix. Default: any. */
export const hasRows = (
  reader: Reader,
  keyspace: string,
  prefix: Uint8Array = new Uint8Array()
): Effect.Effect<boolean, EngineReadError> =>
  Effect.map(Stream.runCollect(reader.scan(keyspace, { prefix, limit: 1 })), (rows) => rows.length > 0)
