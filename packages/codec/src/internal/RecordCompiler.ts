/** The codec made for a shape by `new Function`. It bails on whatever is wrong, and leaves it to the interpreter to say what. */

import { type MessagePackReader, setProperty } from "../kernel/MessagePackReader.ts"
import { isPlainObject, type MessagePackWriter, refused, sortedKeys } from "../kernel/MessagePackWriter.ts"
import { decoderSource } from "./DecoderSource.ts"
import { encoderSource } from "./EncoderSource.ts"
import type { Struct } from "./Shape.ts"
import { readTail, tailOf, type UnknownTail, unknownTail } from "./UnknownFields.ts"

export interface Compiled {
  /** Throws {@link refused} for a record that is not of the shape. */
  readonly encode: (record: unknown, writer: MessagePackWriter) => void
  /** Throws {@link refused} or `Malformed`. Bytes behind the record are left. */
  readonly decode: (reader: MessagePackReader) => object
}

/** Undefined where the runtime refuses code from text. */
export const compile = (shape: Struct, version: number): Compiled | undefined => {
  let make: (scope: typeof scopeOfText) => Compiled
  try {
    make = new Function("scope", textOf(shape, version)) as typeof make
  } catch (fault) {
    if (fault instanceof EvalError) return undefined
    throw fault
  }
  return make(scopeOfText)
}

const no = (): never => {
  throw refused
}

const scopeOfText = {
  no,
  tail: unknownTail,
  isPlainObject,
  sortedKeys,
  setProperty,
  tailOf: (record: object): UnknownTail => {
    const tail = tailOf(record)
    return typeof tail === "object" ? tail : no()
  },
  tailRead: (reader: MessagePackReader, count: number, version: number): UnknownTail => ({
    version,
    count,
    bytes: readTail(reader, count)
  })
}

const textOf = (shape: Struct, version: number): string => `"use strict";
const { ${Object.keys(scopeOfText).join(", ")} } = scope;
return {
encode: (record, w) => {
${encoderSource(shape, version)}
},
decode: (r) => {
${decoderSource(shape, version)}
}
};`
