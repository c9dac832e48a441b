import { Data } from "effect"

/** Bytes are not a record of the codec's shape. `path` as in `RecordInvalid`. */
export class RecordBytesInvalid extends Data.Error<{ readonly path: string; readonly detail: string }> {
  readonly _tag = "RecordBytesInvalid"
  override readonly name = "RecordBytesInvalid"
  override get message(): string {
    return `Cannot decode record: ${this.path === "" ? "" : `${this.path}: `}${this.detail}`
  }
}
