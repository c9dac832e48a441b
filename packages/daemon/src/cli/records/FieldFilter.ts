/**
 * Conditions on fields from the command line: `status=active`, `traits=user`, `profile.department!=Sales`.
 */
import type { RecordShape } from "@icecore/codec"
import type { RecordType } from "@icecore/engine"
import { Effect } from "effect"
import * as KeyText from "./KeyText.ts"
import { RecordArgumentInvalid } from "./RecordArguments.ts"

/** What a field must be. */
interface Condition {
  readonly path: ReadonlyArray<string>
  readonly isEqual: boolean
  readonly text: string
}

/** Whether a record meets all conditions. */
export type Filter = (record: object) => boolean

/**
 * The filter of some `path=value` and `path!=value`. A path leads into structs, maps and JSON, and into every item of an array:
 * `=` holds when any value there is the one that is named, `!=` when none is.
 */
export const parse = (
  type: RecordType.Any,
  texts: ReadonlyArray<string>
): Effect.Effect<Filter, RecordArgumentInvalid> =>
  Effect.map(
    Effect.forEach(texts, (text) => parseCondition(type, text)),
    (conditions): Filter =>
      (record) =>
        conditions.every(
          ({ path, isEqual, text }) => valuesAt(record, path).some((value) => isText(value, text)) === isEqual
        )
  )

const parseCondition = (type: RecordType.Any, text: string): Effect.Effect<Condition, RecordArgumentInvalid> => {
  const match = /^([^=]+?)(!?=)(.*)$/s.exec(text)
  const invalid = (detail: string) =>
    Effect.fail(new RecordArgumentInvalid({ argument: `--where ${JSON.stringify(text)}`, detail }))
  if (match === null) return invalid("expected path=value or path!=value")
  const path = match[1]!.split(".")
  const problem = problemOf(type, path)
  return problem === undefined ? Effect.succeed({ path, isEqual: match[2] === "=", text: match[3]! }) : invalid(problem)
}

/** Checks a path by the fields that are declared; what lies in maps and JSON may be anything. */
const problemOf = (type: RecordType.Any, path: ReadonlyArray<string>): string | undefined => {
  let shape: RecordShape.Shape = type.shape
  for (const [index, name] of path.entries()) {
    while (shape.kind === "nullable" || shape.kind === "array")
      shape = shape.kind === "array" ? shape.item : shape.value
    if (shape.kind === "json" || shape.kind === "record") return undefined
    const whole = [type.name, ...path.slice(0, index)].join(".")
    if (shape.kind !== "struct") return `${whole} has no fields`
    const field: RecordShape.Field | undefined = shape.fields.find((each) => each.name === name)
    if (field === undefined)
      return `${whole} has no field ${name}, expected ${shape.fields.map((each) => each.name).join(", ")}`
    shape = field.shape
  }
  return undefined
}

const valuesAt = (value: unknown, path: ReadonlyArray<string>): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, path))
  const [name, ...rest] = path
  if (name === undefined) return value === undefined ? [] : [value]
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return []
  return valuesAt((value as Readonly<Record<string, unknown>>)[name], rest)
}

const isText = (value: unknown, text: string): boolean => {
  if (typeof value === "number") return text !== "" && value === Number(text)
  const isScalar = typeof value !== "object" || value === null || value instanceof Uint8Array || value instanceof Date
  return isScalar && KeyText.format(value) === text
}
