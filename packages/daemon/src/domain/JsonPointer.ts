/** JSON pointers (RFC 6901): which value of a JSON document is meant. */
import { Option } from "effect"

export interface JsonPointer {
  /** As it was written. Empty: the whole document. */
  readonly text: string
  readonly steps: ReadonlyArray<Step>
}

interface Step {
  /** Name of a member of an object, unescaped. */
  readonly name: string
  /** The same as an index of an array; −1 when it is none. */
  readonly index: number
}

/** Reads a pointer: empty, or "/" and a step, any number of times, in which "~" stands as "~0" and "/" as "~1". */
export const parse = (text: string): Option.Option<JsonPointer> => {
  if (text === "") return Option.some({ text, steps: [] })
  if (!text.startsWith("/") || /~(?![01])/.test(text) || !text.isWellFormed()) return Option.none()
  const steps = text.slice(1).split("/").map(stepOf)
  return Option.some({ text, steps })
}

const stepOf = (escaped: string): Step => {
  const name = escaped.replaceAll("~1", "/").replaceAll("~0", "~")
  return { name, index: /^(?:0|[1-9]\d{0,15})$/.test(name) ? Number(name) : -1 }
}

/** The value in a parsed document; undefined when there is none. */
export const resolve = ({ steps }: JsonPointer, document: unknown): unknown => {
  let value = document
  for (const { name, index } of steps) {
    if (Array.isArray(value)) value = index < 0 ? undefined : value[index]
    else if (typeof value === "object" && value !== null && Object.hasOwn(value, name))
      value = (value as Readonly<Record<string, unknown>>)[name]
    else return undefined
  }
  return value
}
