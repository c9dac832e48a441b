/** What key runs and key indexes can fail with, beside the errors of the disk. */
import { Data } from "effect"

/** Which part of a key run is damaged. `size`: the file is not as long as its count says. */
export type KeyRunPart = "size" | "count" | "order" | "offset" | "checksum"

/** Bytes of the run are not what the format allows, or not those that were expected. */
export class KeyRunCorrupt extends Data.Error<{
  readonly path: string
  readonly part: KeyRunPart
  readonly detail: string
  /** Where in the file the damage shows. */
  readonly offsetBytes: number
}> {
  readonly _tag = "KeyRunCorrupt"
  override readonly name = "KeyRunCorrupt"
  override get message(): string {
    return `Cannot read key run ${this.path}: ${this.part} at offset ${this.offsetBytes} is damaged: ${this.detail}`
  }
}

/** Which part of a key index is damaged. `footer`: nothing says that the file is complete. */
export type KeyIndexPart = "size" | "magic" | "version" | "header" | "footer" | "table" | "block"

/** Bytes of the index are not what the format allows. */
export class KeyIndexCorrupt extends Data.Error<{
  readonly path: string
  readonly part: KeyIndexPart
  readonly detail: string
  /** Where in the file the damaged part begins. */
  readonly offsetBytes: number
}> {
  readonly _tag = "KeyIndexCorrupt"
  override readonly name = "KeyIndexCorrupt"
  override get message(): string {
    return `Cannot read key index ${this.path}: ${this.part} at offset ${this.offsetBytes} is damaged: ${this.detail}`
  }
}

/** Two entries of the coverage have keys with the same 16 bytes in front, and the policy allows none. */
export class KeyIndexDuplicateKey extends Data.Error<{
  readonly path: string
  /** The 16 bytes, as lower-case hex. */
  readonly key: string
  /** The smallest seq that has the key. */
  readonly firstSeq: number
  /** The next one. */
  readonly secondSeq: number
}> {
  readonly _tag = "KeyIndexDuplicateKey"
  override readonly name = "KeyIndexDuplicateKey"
  override get message(): string {
    return `Cannot build key index ${this.path}: entries ${this.firstSeq} and ${this.secondSeq} share the key ${this.key}`
  }
}
