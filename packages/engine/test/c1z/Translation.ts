/** What the tests of translation share: the rows around a message, and what is kept of it. */
import { assert } from "@effect/vitest"
import type { Annotation } from "../../src/access/index.ts"
import type { MessageShape } from "../../src/c1z/C1zMessages.ts"
import type { TranslationContext } from "../../src/c1z/EmbeddedParts.ts"
import * as RemainderMemo from "../../src/c1z/RemainderMemo.ts"
import { valuesOf } from "./Accounting.ts"
import type { Field } from "./Protobuf.ts"

/** Before the name of a message, in an `Any`. */
export const url = "type.googleapis.com/c1.connector.v2."

/** Rows by the name of their message and their id, as translation looks them up, and what it kept. */
export const makeContext = (
  messages: Readonly<Record<string, Uint8Array>> = {}
): { readonly context: TranslationContext; readonly kept: Array<string> } => {
  const kept: Array<string> = []
  const context: TranslationContext = {
    resolve: (shape: MessageShape, id: string) => messages[`${shape.name} ${id.replace("\0", ":")}`],
    memo: RemainderMemo.make(),
    keep: (path) => kept.push(path)
  }
  return { context, kept }
}

/** What the record keeps of its message beside its fields, value by value. */
export const remainderOf = (annotations: ReadonlyArray<Annotation>): ReadonlyArray<string> => {
  const found = annotations.filter(({ type }) => type.startsWith("c1z/"))
  assert.isAtMost(found.length, 1)
  const kind = found[0]?.type.slice("c1z/".length) as Parameters<typeof valuesOf>[0]
  return found.length === 0 ? [] : valuesOf(kind, found[0]!.value)
}

/** The message of a resource id. */
export const id = (type: string, name: string): ReadonlyArray<Field> => [
  [1, type],
  [2, name]
]
