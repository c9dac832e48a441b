/**
 * Schemas that were read last. Most stores that are open at once, and all moments of one store, have the same types: what is made of them takes
 * about 100 KB each time, and as many would be kept as there are readers.
 */
import { Buffer } from "node:buffer"
import { Result } from "effect"
import type { TypeLayout } from "../../../format/RecordLayout.ts"
import { decodeSchema, layoutOf, type SchemaVersionOther, type StoreSchema } from "../../../format/StoreSchema.ts"

/** What a row of the schema says. Never changed. */
export interface DescribedSchema {
  readonly schema: StoreSchema
  /** Of all types, as they are described. */
  readonly layouts: ReadonlyArray<TypeLayout>
}

/** Schemas that are remembered at most; the one that was not read for longest goes first. */
const maxCount = 16

/** Longer rows, in bytes, are not remembered. */
const maxRowBytes: number = 256 * 1024

const remembered = new Map<string, DescribedSchema>()

/** Reads a row of the schema. Equal rows give the same object while it is remembered. */
export const describe = (bytes: Uint8Array): Result.Result<DescribedSchema, string | SchemaVersionOther> => {
  if (bytes.length > maxRowBytes) return decode(bytes)
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
  const known = remembered.get(key)
  const described = known === undefined ? decode(bytes) : Result.succeed(known)
  if (Result.isFailure(described)) return described
  remembered.delete(key)
  remembered.set(key, described.success)
  for (const oldest of remembered.keys()) {
    if (remembered.size <= maxCount) break
    remembered.delete(oldest)
  }
  return described
}

const decode = (bytes: Uint8Array): Result.Result<DescribedSchema, string | SchemaVersionOther> =>
  Result.map(decodeSchema(bytes), (schema) => ({ schema, layouts: schema.types.map((type) => layoutOf(type)) }))
