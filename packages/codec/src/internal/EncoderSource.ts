/**
 * The text of an encoder for one shape: straight-line code over a `MessagePackWriter` named `w`.
 *
 * In scope of the text: `no`, which throws for a value that the shape does not allow, `tail`, the symbol of unknown fields,
 * `tailOf`, which gives those of an object or throws, `isPlainObject` and `sortedKeys`. Names and literals get into the text as JSON only.
 */
import { isNilable, type Shape, type Struct } from "./Shape.ts"

/** The body of `(record, w) => void`. */
export const encoderSource = (shape: Struct, version: number): string => {
  const names = { next: 0 }
  const head = (tail: string): string =>
    `w.number(${tail} === undefined || ${tail}.version < ${version} ? ${version} : ${tail}.version);`
  return writeStruct(shape, "record", names, head)
}

interface Names {
  next: number
}

const newName = (names: Names): string => `v${names.next++}`

const unless = (condition: string): string => `if (!(${condition})) no();`

const write = (shape: Shape, value: string, names: Names): string => {
  switch (shape.kind) {
    case "string":
      return `${unless(`typeof ${value} === "string"`)} w.string(${value});`
    case "literal":
      return `${unless(shape.values.map((one) => `${value} === ${JSON.stringify(one)}`).join(" || "))} w.string(${value});`
    case "bytes":
      return `${unless(`${value} instanceof Uint8Array`)} w.bytes(${value});`
    case "boolean":
      return `${unless(`typeof ${value} === "boolean"`)} w.boolean(${value});`
    case "int":
      return `${unless(`Number.isSafeInteger(${value})`)} w.number(${value});`
    case "number":
      return `${unless(`typeof ${value} === "number"`)} w.number(${value});`
    case "bigint":
      return `${unless(`typeof ${value} === "bigint"`)} w.bigint(${value});`
    case "date":
      return `${unless(`${value} instanceof Date && ${value}.getTime() === ${value}.getTime()`)} w.number(${value}.getTime());`
    case "json":
      return `w.json(${value});`
    case "nullable":
      return `if (${value} === null) w.nil(); else { ${write(shape.value, value, names)} }`
    case "array":
      return writeArray(shape.item, value, names)
    case "record":
      return writeRecord(shape.value, value, names)
    case "struct":
      return writeStruct(shape, value, names, () => "")
  }
}

const writeArray = (item: Shape, value: string, names: Names): string => {
  const index = newName(names)
  const one = newName(names)
  return `${unless(`Array.isArray(${value})`)} w.arrayHead(${value}.length);
for (let ${index} = 0; ${index} < ${value}.length; ${index}++) {
const ${one} = ${value}[${index}];
${write(item, one, names)}
}`
}

const writeRecord = (item: Shape, value: string, names: Names): string => {
  const keys = newName(names)
  const index = newName(names)
  const one = newName(names)
  return `${unless(`typeof ${value} === "object" && ${value} !== null && isPlainObject(${value})`)}
const ${keys} = sortedKeys(${value});
w.mapHead(${keys}.length);
for (let ${index} = 0; ${index} < ${keys}.length; ${index}++) {
w.string(${keys}[${index}]);
const ${one} = ${value}[${keys}[${index}]];
${write(item, one, names)}
}`
}

const writeStruct = (shape: Struct, value: string, names: Names, head: (tail: string) => string): string => {
  const { fields } = shape
  const tail = newName(names)
  const count = newName(names)
  const values = fields.map(() => newName(names))
  const requiredCount = fields.findLastIndex((field) => !field.optional) + 1
  const counts: Array<string> = []
  for (let index = fields.length - 1; index >= requiredCount; index--) {
    counts.push(`if (${values[index]} !== undefined) ${count} = ${index + 1};`)
  }
  const parts = [
    unless(`typeof ${value} === "object" && ${value} !== null && !Array.isArray(${value})`),
    `const ${tail} = ${value}[tail] === undefined ? undefined : tailOf(${value});`,
    ...fields.map((field, index) => `const ${values[index]} = ${property(value, field.name)};`),
    `let ${count} = ${requiredCount};`,
    [`if (${tail} !== undefined && ${tail}.count > 0) ${count} = ${fields.length} + ${tail}.count;`, ...counts].join(
      " else "
    ),
    head(tail),
    `w.arrayHead(${count});`,
    ...fields.map(({ shape: fieldShape, optional }, index) => {
      const text = write(fieldShape, values[index]!, names)
      if (!optional) return `{ ${text} }`
      const present = isNilable(fieldShape) ? `w.arrayHead(1); ${text}` : text
      const nil = `if (${values[index]} === undefined) w.nil(); else { ${present} }`
      return index < requiredCount ? nil : `if (${count} > ${index}) { ${nil} }`
    }),
    `if (${tail} !== undefined) w.raw(${tail}.bytes);`
  ]
  return parts.join("\n")
}

/** A field that is named like a method of all objects must be the object's own. */
const property = (value: string, name: string): string => {
  const key = JSON.stringify(name)
  return name in Object.prototype
    ? `Object.hasOwn(${value}, ${key}) ? ${value}[${key}] : undefined`
    : `${value}[${key}]`
}
