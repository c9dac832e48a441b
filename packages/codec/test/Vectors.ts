/** Golden numbers of an independent implementation, where the folder is there. */
import { existsSync, readFileSync } from "node:fs"

const file = new URL("../../../../shared/vectors/vectors.json", import.meta.url).pathname

export const hasVectors: boolean = existsSync(file)
export const missingVectors = "skipped: the folder ../shared/vectors is absent"

export interface Vectors {
  readonly crc32c: ReadonlyArray<{ readonly bytesHex: string; readonly crc32c: number }>
  readonly forGroups: ReadonlyArray<{ readonly values: ReadonlyArray<number>; readonly hex: string }>
  readonly tuples: ReadonlyArray<{ readonly partsHex: ReadonlyArray<string>; readonly hex: string }>
  readonly tupleOrder: ReadonlyArray<{ readonly partsHex: ReadonlyArray<string>; readonly hex: string }>
  readonly ksuids: ReadonlyArray<{ readonly hex: string; readonly text: string; readonly unixSeconds: number }>
  readonly int64: ReadonlyArray<{ readonly value: string; readonly hex: string }>
  readonly int32: ReadonlyArray<{ readonly value: number; readonly hex: string }>
}

export const vectors = (): Vectors =>
  hasVectors
    ? JSON.parse(readFileSync(file, "utf8"))
    : { crc32c: [], forGroups: [], tuples: [], tupleOrder: [], ksuids: [], int64: [], int32: [] }

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"))

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
