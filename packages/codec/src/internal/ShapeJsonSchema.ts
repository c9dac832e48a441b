/** Shapes of records as JSON Schema and back. */
import { Result } from "effect"
import type { RecordShapeUnsupported, Struct } from "./Shape.ts"

export const toJsonSchema = (_shape: Struct): Record<string, unknown> => ({})

export const fromJsonSchema = (_jsonSchema: unknown): Result.Result<Struct, RecordShapeUnsupported> =>
  Result.succeed({ kind: "struct", fields: [] })
