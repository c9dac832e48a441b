/** Where in a record a fault is, and what is there. */

/** A stack of field names, indexes and keys. What is not popped when a fault is thrown says where it is. */
export class RecordPath {
  private readonly segments: Array<string | number> = []

  push(segment: string | number): void {
    this.segments.push(segment)
  }

  pop(): void {
    this.segments.pop()
  }

  /** As `sources.alice.kinds[2]`, with `["a b"]` for keys that are no names. */
  toString(): string {
    let text = ""
    for (const segment of this.segments) {
      if (typeof segment === "number") text += `[${segment}]`
      else if (!/^[A-Za-z_$][\w$]*$/.test(segment)) text += `[${JSON.stringify(segment)}]`
      else text += text === "" ? segment : `.${segment}`
    }
    return text
  }
}

/** What `body` gives while the path is one segment longer. It stays so when `body` throws. */
export const within = <A>(path: RecordPath, segment: string | number, body: () => A): A => {
  path.push(segment)
  const result = body()
  path.pop()
  return result
}

/** A value in a few words, for messages: its kind, and what it is where that is short. */
export const describe = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  if (typeof value === "string") {
    const shown = JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
    return value.isWellFormed() ? `string ${shown}` : `string ${shown} with a lone surrogate`
  }
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    return `${typeof value} ${value}`
  }
  if (Array.isArray(value)) return "an array"
  if (value instanceof Uint8Array) return "bytes"
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "an invalid date" : "a date"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}
