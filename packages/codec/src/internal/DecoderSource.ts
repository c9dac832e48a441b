/**
 * The text of a decoder for one shape: straight-line code over a `MessagePackReader` named `r`.
 *
 * In scope of the text: `no`, which throws for bytes that the shape does not allow, `tail`, the symbol of unknown fields,
 * `tailRead`, which reads those, and `setProperty`. Names and literals get into the text as JSON only.
 */
import * as Format from "../format/RecordFormat.ts"
import { isNilable, type Shape, type Struct } from "./Shape.ts"

/** The body of `(r) => record`. */
export const decoderSource = (shape: Struct, version: number): string => {
  const names = { next: 0 }
  return `const stored = r.int();
if (stored < ${Format.minVersion} || stored > ${Format.maxVersion}) no();
let record;
${readStruct(shape, "record", names, { version: "stored", isNewer: `stored > ${version}` })}
return record;`
}

interface Names {
  next: number
}

/** What the tail of a struct says of versions. */
interface Versions {
  readonly version: string
  readonly isNewer: string
}

const nested: Versions = { version: "0", isNewer: "false" }

const newName = (names: Names): string => `v${names.next++}`

/** Text that puts the value into the variable `into`. */
const read = (shape: Shape, into: string, names: Names): string => {
  switch (shape.kind) {
    case "string":
      return `${into} = r.string();`
    case "literal":
      return `${into} = r.string(); if (!(${shape.values.map((one) => `${into} === ${JSON.stringify(one)}`).join(" || ")})) no();`
    case "bytes":
      return `${into} = r.binary();`
    case "boolean":
    case "int":
    case "number":
    case "bigint":
    case "date":
    case "json":
      return `${into} = r.${shape.kind}();`
    case "nullable":
      return `if (r.nil()) ${into} = null; else { ${read(shape.value, into, names)} }`
    case "array":
      return readArray(shape.item, into, names)
    case "record":
      return readRecord(shape.value, into, names)
    case "struct":
      return readStruct(shape, into, names, nested)
  }
}

const readArray = (item: Shape, into: string, names: Names): string => {
  const left = newName(names)
  const one = newName(names)
  return `${into} = [];
for (let ${left} = r.arrayHead(); ${left} > 0; ${left}--) {
let ${one};
${read(item, one, names)}
${into}.push(${one});
}`
}

const readRecord = (item: Shape, into: string, names: Names): string => {
  const left = newName(names)
  const key = newName(names)
  const one = newName(names)
  const from = newName(names)
  const to = newName(names)
  return `${into} = {};
let ${from} = -1, ${to} = -1;
for (let ${left} = r.mapHead(); ${left} > 0; ${left}--) {
const ${key} = r.key(${from}, ${to});
${from} = r.keyFrom;
${to} = r.keyTo;
let ${one};
${read(item, one, names)}
setProperty(${into}, ${key}, ${one});
}`
}

const readStruct = (shape: Struct, into: string, names: Names, versions: Versions): string => {
  const { fields } = shape
  const count = newName(names)
  const values = fields.map(() => newName(names))
  const requiredCount = fields.findLastIndex((field) => !field.optional) + 1
  const reads = fields.map(({ shape: fieldShape, optional }, index) => {
    const value = values[index]!
    const text = read(fieldShape, value, names)
    if (!optional) return `let ${value}; { ${text} }`
    const wrapped = isNilable(fieldShape) ? `if (r.arrayHead() !== 1) no(); ${text}` : text
    return `let ${value}; if (${count} > ${index}) { if (r.nil()) { if (${count} === ${index + 1}) no(); } else { ${wrapped} } }`
  })
  const key = (index: number): string => JSON.stringify(fields[index]!.name)
  const required = fields.flatMap(({ optional }, index) => (optional ? [] : [`${key(index)}: ${values[index]}`]))
  const optionals = fields.flatMap(({ optional }, index) =>
    optional ? [`if (${values[index]} !== undefined) ${into}[${key(index)}] = ${values[index]};`] : []
  )
  const tailCount = `${count} > ${fields.length} ? ${count} - ${fields.length} : 0`
  return `const ${count} = r.arrayHead();
if (${count} < ${requiredCount}) no();
${reads.join("\n")}
${into} = { ${required.join(", ")} };
${optionals.join("\n")}
if (${count} > ${fields.length} || ${versions.isNewer}) ${into}[tail] = tailRead(r, ${tailCount}, ${versions.version});`
}
