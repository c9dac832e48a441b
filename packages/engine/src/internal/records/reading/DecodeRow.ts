/** Stored values as records. */
import { RecordCodec } from "@icecore/codec"
import type { TypeLayout } from "../../../format/RecordLayout.ts"
import { RecordCorrupt } from "../../../RecordError.ts"

/** What a value that does not decode is, until its key and path are known. */
export class Undecodable {
  readonly detail: string

  constructor(detail: string) {
    this.detail = detail
  }
}

/** The record in the bytes from `start`, inclusive, to `end`, exclusive. */
export const decodeRow = (layout: TypeLayout, bytes: Uint8Array, start: number, end: number): unknown => {
  try {
    return layout.type.codec.decodeUnsafe(bytes, start, end)
  } catch (cause) {
    if (cause instanceof RecordCodec.RecordBytesInvalid) return new Undecodable(cause.message)
    throw cause
  }
}

export interface CorruptRow {
  readonly path: string
  readonly layout: TypeLayout
  /** The record's whole key, in a buffer that may change. */
  readonly key: Uint8Array
  readonly undecodable: Undecodable
}

export const corrupt = ({ key, layout, path, undecodable }: CorruptRow): RecordCorrupt =>
  new RecordCorrupt({ path, type: layout.type.name, key: key.slice(), detail: undecodable.detail })
