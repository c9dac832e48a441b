/** The annotations of messages, and those of reserved types that hold what no field of a record does. */
import type { Annotation } from "../access/AccessRecords.ts"
import type { MessageShape } from "./C1zMessages.ts"
import * as MessageParts from "./MessageParts.ts"
import { isLengthDelimited, type ProtobufField, parseFields, textOf, valueBytes } from "./ProtobufFields.ts"

/** What types of annotations begin with that are ours. */
const reservedPrefix = "c1z/"

/** What the type of nearly every annotation begins with: the records leave it out. */
const usualPrefix = "type.googleapis.com/"

/** The full name of the type of an expansion, as records have it. */
export const expandableType = "c1.connector.v2.GrantExpandable"

/** The annotation of a record that holds the remainder of its message. */
export const remainderType = (shape: MessageShape): string => `${reservedPrefix}${shape.name}`

/**
 * A `google.protobuf.Any` as an annotation: its type without `type.googleapis.com/`. Undefined when that does not say all of it:
 * fields that it should not have, no type, a type that is reserved or cannot be told from one that was shortened.
 */
const annotationOf = (field: ProtobufField): Annotation | undefined => {
  if (!isLengthDelimited(field)) return undefined
  let type: string | undefined
  let value: Uint8Array | undefined
  for (const part of parseFields(valueBytes(field))) {
    if (!isLengthDelimited(part)) return undefined
    if (part.number === 1 && type === undefined) type = textOf(part)
    else if (part.number === 2 && value === undefined) value = valueBytes(part)
    else return undefined
  }
  const name = type === undefined ? undefined : shortened(type)
  return name === undefined ? undefined : { type: name, value: value ?? noBytes }
}

const shortened = (url: string): string | undefined => {
  const name = url.startsWith(usualPrefix) ? url.slice(usualPrefix.length) : url
  if (name === "" || name.startsWith(reservedPrefix)) return undefined
  return name.includes("/") === (name === url) ? name : undefined
}

const noBytes = new Uint8Array(0)

/** Takes the annotations of a message that can be those of its record. */
export const take = (parts: MessageParts.MessageParts, number: number): Array<Annotation> =>
  MessageParts.takeEach(parts, number, annotationOf)
