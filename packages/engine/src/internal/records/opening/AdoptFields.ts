/** Keeps fields of other stores in the schema of an open one. */
import { Effect, Result } from "effect"
import { metaKeyspace, schemaKey } from "../../../format/RecordLayout.ts"
import { encodeSchema } from "../../../format/StoreSchema.ts"
import { RecordTypeChanged } from "../../../RecordError.ts"
import type { RecordReadError } from "../../../RecordReader.ts"
import * as RecordType from "../../../RecordType.ts"
import type { Writer } from "../writing/Writer.ts"
import { contradiction, withAppended } from "./SchemaPlan.ts"

/** `RecordStore.adoptFields`. Callers hold the writer's lock. */
export const adoptFields = (
  writer: Writer,
  types: ReadonlyArray<RecordType.Any>
): Effect.Effect<void, RecordReadError> =>
  Effect.suspend((): Effect.Effect<void, RecordReadError> => {
    const { database, path } = writer
    let { schema } = writer
    for (const type of types) {
      const own = schema.types.find(({ description }) => description.name === type.name)
      if (own === undefined) continue
      const stored = Result.getOrThrow(RecordType.fromDescription(own.description))
      const detail = contradiction(RecordType.describe(type), stored)
      if (detail !== undefined) return Effect.fail(new RecordTypeChanged({ path, type: type.name, detail }))
      schema = withAppended(schema, [type]) ?? schema
    }
    if (schema === writer.schema) return Effect.void
    const row = encodeSchema(schema)
    const writing = database.write((batch) => batch.put(metaKeyspace, schemaKey(), row), { durability: "buffered" })
    return Effect.map(writing, () => {
      writer.schema = schema
    })
  })
