/** Protobuf messages as tests write and read them: nothing here is shared with what is tested. */

/** A message as its fields in order: a number is a varint, text and bytes are what they are, a list is a message within. */
export type Field = readonly [number: number, value: number | string | Uint8Array | ReadonlyArray<Field>]

const utf8 = new TextEncoder()

const varint = (value: number): Array<number> => {
  const bytes: Array<number> = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) + 128)
  }
}

/** The bytes of a message. */
export const message = (...fields: ReadonlyArray<Field>): Uint8Array<ArrayBuffer> => {
  const bytes: Array<number> = []
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      bytes.push(...varint(number * 8), ...varint(value))
      continue
    }
    const content =
      typeof value === "string" ? utf8.encode(value) : value instanceof Uint8Array ? value : message(...value)
    bytes.push(...varint(number * 8 + 2), ...varint(content.length), ...content)
  }
  return Uint8Array.from(bytes)
}

/** One field as it was read. */
export interface ReadField {
  readonly number: number
  readonly wireType: number
  /** Of a varint its bytes. */
  readonly value: Uint8Array
}

/** Reads the fields of a message that is sound. */
export const read = (bytes: Uint8Array): ReadonlyArray<ReadField> => {
  let at = 0
  const number = (): number => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
  }
  const fields: Array<ReadField> = []
  while (at < bytes.length) {
    const tag = number()
    const wireType = tag % 8
    let start = at
    if (wireType === 0) number()
    else if (wireType === 1) at += 8
    else if (wireType === 5) at += 4
    else {
      const sizeBytes = number()
      start = at
      at += sizeBytes
    }
    fields.push({ number: Math.floor(tag / 8), wireType, value: bytes.subarray(start, at) })
  }
  return fields
}

/** A `google.protobuf.Any`. */
export const any = (type: string, value: Uint8Array = new Uint8Array(0)): ReadonlyArray<Field> =>
  value.length === 0
    ? [[1, type]]
    : [
        [1, type],
        [2, value]
      ]
