import { assert, describe, it } from "@effect/vitest"
import { ZstdCompressFailed } from "@icecore/codec"
import { DiskFull, PackCorrupt, PackEncodeFailed, PackExtractFailed, RecordEncoding } from "@icecore/packfile"
import { type ArtifactWorkError, WorkerLost } from "../src/ArtifactWork.ts"
import * as ErrorTransfer from "../src/internal/work/ErrorTransfer.ts"

/** What the other thread makes of an error. */
const transferred = (error: ArtifactWorkError): ArtifactWorkError =>
  ErrorTransfer.decode(structuredClone(ErrorTransfer.encode(error)))

describe("ErrorTransfer", () => {
  it("decode gives an error of the same class, with the same fields and message", () => {
    const errors: ReadonlyArray<ArtifactWorkError> = [
      new DiskFull({ operation: "write", path: "/a", code: "ENOSPC" }),
      new PackCorrupt({ path: "/a", part: "record", detail: "odd", offsetBytes: 7, recordIndex: 0 }),
      new PackCorrupt({ path: "/a", part: "magic", detail: "odd", offsetBytes: 7 }),
      new WorkerLost({ worker: 1, detail: "gone" })
    ]
    for (const error of errors) {
      const other = transferred(error)
      assert.strictEqual(other.constructor, error.constructor)
      assert.strictEqual(other.message, error.message)
      assert.deepStrictEqual({ ...other }, { ...error })
    }
  })

  it("decode gives the causes of an error, ours as their classes and any other by its name and message", () => {
    const innermost = new ZstdCompressFailed({ detail: "no memory", cause: new RangeError("too long") })
    const inner = new RecordEncoding.RecordEncodeFailed({ detail: innermost.detail, cause: innermost })
    const error = new PackEncodeFailed({ path: "/a", recordIndex: 3, detail: inner.detail, cause: inner })
    const other = transferred(error)
    assert.instanceOf(other, PackEncodeFailed)
    assert.instanceOf(other.cause, RecordEncoding.RecordEncodeFailed)
    assert.instanceOf(other.cause.cause, ZstdCompressFailed)
    assert.strictEqual(String(other.cause.cause.cause), "RangeError: too long")
    const thrown = transferred(new PackExtractFailed({ path: "/a", position: 1, cause: "a text" }))
    assert.strictEqual(thrown.message, "Cannot hash item 1 of pack /a: extract threw Error: a text")
  })

  it("encode follows causes that never end only so far", () => {
    const fields = { detail: "again" } as { detail: string; cause?: unknown }
    const inner = new RecordEncoding.RecordEncodeFailed(fields)
    Object.defineProperty(inner, "cause", { value: inner })
    const error = new PackEncodeFailed({ path: "/a", recordIndex: 3, detail: "again", cause: inner })
    assert.instanceOf(transferred(error), PackEncodeFailed)
  })
})
