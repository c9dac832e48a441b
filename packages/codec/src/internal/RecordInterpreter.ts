/** The codec that walks the shape: packs with msgpackr, and reads with the strict reader. Its errors name the path. */
import { Packr } from "msgpackr/pack"
import * as Format from "../format/RecordFormat.ts"
import { Malformed, MessagePackReader, setProperty } from "../kernel/MessagePackReader.ts"
import { RecordBytesInvalid } from "./RecordBytesInvalid.ts"
import { RecordPath } from "./RecordPath.ts"
import * as RecordTree from "./RecordTree.ts"
import { isNilable, type Shape, type Struct } from "./Shape.ts"
import { readTail, unknownTail } from "./UnknownFields.ts"

const packr = new Packr({ useRecords: false, moreTypes: false, structuredClone: false })

/** The bytes of a record, in a buffer of the caller's own. Throws `RecordInvalid`. */
export const encode = (shape: Struct, version: number, record: unknown): Uint8Array => {
  const tree = RecordTree.fromRecord(shape, version, record, new RecordPath())
  const head = new Uint8Array(packr.pack(tree.version))
  const body = packr.pack(tree.fields)
  const bytes = new Uint8Array(head.length + body.length)
  bytes.set(head)
  bytes.set(body, head.length)
  return bytes
}

/** The record of `[from, to)`. Throws {@link RecordBytesInvalid}. */
export const decode = (shape: Struct, version: number, bytes: Uint8Array, from: number, to: number): object => {
  const reader = new MessagePackReader()
  const path = new RecordPath()
  try {
    reader.open(bytes, from, to)
    const stored = reader.int()
    if (stored < Format.minVersion || stored > Format.maxVersion) reader.fail(`found schema version ${stored}`)
    const record = structOf(shape, reader, path, stored, version)
    if (reader.at !== to) reader.fail("found more bytes behind the record")
    return record
  } catch (fault) {
    if (!(fault instanceof Malformed)) throw fault
    throw new RecordBytesInvalid({ path: path.toString(), detail: fault.message })
  }
}

const valueOf = (shape: Shape, reader: MessagePackReader, path: RecordPath): unknown => {
  switch (shape.kind) {
    case "string":
      return reader.string()
    case "literal":
      return literalOf(shape.values, reader)
    case "bytes":
      return reader.binary()
    case "boolean":
      return reader.boolean()
    case "int":
      return reader.int()
    case "number":
      return reader.number()
    case "bigint":
      return reader.bigint()
    case "date":
      return reader.date()
    case "json":
      return reader.json()
    case "nullable":
      return reader.nil() ? null : valueOf(shape.value, reader, path)
    case "array":
      return arrayOf(shape.item, reader, path)
    case "record":
      return recordOf(shape.value, reader, path)
    case "struct":
      return structOf(shape, reader, path, 0, 0)
  }
}

const literalOf = (values: ReadonlyArray<string>, reader: MessagePackReader): string => {
  const value = reader.string()
  if (!values.includes(value)) reader.fail(`found ${JSON.stringify(value)}, expected ${values.join(" or ")},`)
  return value
}

const arrayOf = (item: Shape, reader: MessagePackReader, path: RecordPath): Array<unknown> => {
  const count = reader.arrayHead()
  const items: Array<unknown> = []
  for (let index = 0; index < count; index++) {
    path.push(index)
    items.push(valueOf(item, reader, path))
    path.pop()
  }
  return items
}

const recordOf = (value: Shape, reader: MessagePackReader, path: RecordPath): Record<string, unknown> => {
  const count = reader.mapHead()
  const record: Record<string, unknown> = {}
  let from = -1
  let to = -1
  for (let index = 0; index < count; index++) {
    const key = reader.key(from, to)
    from = reader.keyFrom
    to = reader.keyTo
    path.push(key)
    setProperty(record, key, valueOf(value, reader, path))
    path.pop()
  }
  return record
}

/** `stored` and `known` are the versions of the whole record, 0 in one that is nested. */
const structOf = (
  shape: Struct,
  reader: MessagePackReader,
  path: RecordPath,
  stored: number,
  known: number
): object => {
  const fields = shape.fields
  const count = reader.arrayHead()
  const record: Record<string, unknown> = {}
  for (let index = 0; index < fields.length; index++) {
    const { name, shape: fieldShape, optional } = fields[index]!
    path.push(name)
    if (index >= count) {
      if (!optional) reader.fail("found no value for a required field")
    } else if (optional && reader.nil()) {
      if (index === count - 1) reader.fail("found nil as last of the fields")
    } else {
      if (optional && isNilable(fieldShape) && reader.arrayHead() !== 1) reader.fail("expected one value")
      record[name] = valueOf(fieldShape, reader, path)
    }
    path.pop()
  }
  const tailCount = Math.max(0, count - fields.length)
  if (tailCount > 0 || stored > known) {
    Object.assign(record, { [unknownTail]: { version: stored, count: tailCount, bytes: readTail(reader, tailCount) } })
  }
  return record
}
