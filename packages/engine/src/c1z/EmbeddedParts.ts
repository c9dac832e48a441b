/** Takes messages within a message that stand for other records, all but what those records do not say. */
import * as C1zMessages from "./C1zMessages.ts"
import * as MessageParts from "./MessageParts.ts"
import { concatFields, makeTextField, parseFields, valueBytes } from "./ProtobufFields.ts"
import { embeddedRemainder, type Keep, type Resolve } from "./Remainder.ts"
import type { RemainderMemo } from "./RemainderMemo.ts"

/** What translating a row needs besides the row. One for each sync. */
export interface TranslationContext {
  readonly resolve: Resolve
  readonly memo: RemainderMemo
  /** Told the path of each field that is kept in a remainder, from the name of its message on. */
  readonly keep: Keep
}

/** Takes a message that names a resource, all but what it says otherwise. */
export const takeResourceId = (
  parts: MessageParts.MessageParts,
  number: number,
  type: string,
  id: string,
  context: TranslationContext
): void => {
  const field = MessageParts.takeBytes(parts, number)
  if (field === undefined) return
  const path = MessageParts.pathOf(parts, number)
  const known = parseFields(resourceIdMessage(type, id))
  const embedded = { shape: C1zMessages.resourceId, message: valueBytes(field), known, others: [], path }
  const rest = MessageParts.within(parts, number, () => embeddedRemainder(embedded, context.resolve, context.keep))
  MessageParts.leave(parts, number, rest)
}

/** The message that names a resource. */
export const resourceIdMessage = (type: string, id: string): Uint8Array =>
  concatFields([makeTextField(1, type), makeTextField(2, id)])

/** Takes a message that stands for another record. `name` is what the row calls that, `known` makes the fields that say so. */
export const takeEmbedded = (
  parts: MessageParts.MessageParts,
  number: number,
  shape: C1zMessages.MessageShape,
  context: TranslationContext,
  name: string,
  known: () => Uint8Array
): void => {
  const field = MessageParts.takeBytes(parts, number)
  if (field === undefined) return
  MessageParts.leave(parts, number, embeddedRest(parts, number, shape, valueBytes(field), context, name, known))
}

/** The remainder of an embedded message, from memory where it was seen before under this name. */
export const embeddedRest = (
  parts: MessageParts.MessageParts,
  number: number,
  shape: C1zMessages.MessageShape,
  message: Uint8Array,
  { memo, resolve, keep }: TranslationContext,
  name: string,
  known: () => Uint8Array
): Uint8Array => {
  const path = MessageParts.pathOf(parts, number)
  const key = `${path}\0${name}`
  const found = memo.get(key, message)
  if (found !== undefined) {
    for (const kept of found.paths) keep(kept)
    return found.remainder
  }
  const paths: Array<string> = []
  const embedded = { shape, message, known: parseFields(known()), others: [], path }
  const remainder = MessageParts.within(parts, number, () =>
    embeddedRemainder(embedded, resolve, (kept) => paths.push(kept))
  )
  for (const kept of paths) keep(kept)
  memo.set(key, { message, remainder, paths })
  return remainder
}
