/** A log whose every entry follows from its seq, and has a key of its own. */
import type { Layer } from "effect"
import type { Domain } from "../../src/Domain.ts"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"

/** Where {@link lineAt} says its key. */
export const keyPointer = "/key"

export const domain: Layer.Layer<Domain> = NdjsonDomain.layerWith({ keys: [keyPointer] })

const keyWords = 8

/** One to one on u32: the finalizer of MurmurHash3. */
const scrambled = (value: number): number => {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** The key of entry `seq`, below 2^32, which no other has. */
export const keyAt = (seq: number): Uint8Array => {
  const key = new Uint8Array(keyWords * 4)
  const view = new DataView(key.buffer)
  let word = seq
  for (let at = 0; at < keyWords; at++) {
    word = scrambled(word)
    view.setUint32(at * 4, word)
  }
  return key
}

export const keyTextAt = (seq: number): string => Buffer.from(keyAt(seq)).toString("hex")

/** Entry `seq` as a line without its line feed: 100 to 330 bytes. */
export const lineAt = (seq: number): string => {
  const noise = scrambled(seq + 1)
  return `{"seq":${seq},"key":"${keyTextAt(seq)}","text":"${noise.toString(36).repeat(1 + (noise % 32))}"}`
}

export const entryAt = (seq: number): Uint8Array => Buffer.from(lineAt(seq))

/** Lines `from` (inclusive) to `to` (exclusive) as a file holds them. */
export const textOf = (from: number, to: number): string => {
  let text = ""
  for (let seq = from; seq < to; seq++) text += `${lineAt(seq)}\n`
  return text
}
