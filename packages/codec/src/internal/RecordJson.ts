/** Records as JSON and back. */
import { Result } from "effect"
import type { RecordInvalid, Struct } from "./Shape.ts"

export const toJson = (_shape: Struct, _record: object): Result.Result<Record<string, unknown>, RecordInvalid> =>
  Result.succeed({})

export const fromJson = (_shape: Struct, _json: unknown): Result.Result<Record<string, unknown>, RecordInvalid> =>
  Result.succeed({})
