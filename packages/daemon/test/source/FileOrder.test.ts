import { assert, describe, it } from "@effect/vitest"
import * as FileOrder from "../../src/source/FileOrder.ts"

describe("FileOrder", () => {
  it("inDirectory sorts by name without compression, leaves out hidden names, and takes one form of each file", () => {
    assert.deepStrictEqual(
      FileOrder.inDirectory(["b.log.gz", ".b.log", "a.log.zst", "c.log", "b.log", "a.log-1", "B.log"]),
      ["B.log", "a.log.zst", "a.log-1", "b.log", "c.log"]
    )
  })

  it("rotated lists generations from the highest number down", () => {
    assert.deepStrictEqual(
      FileOrder.rotated("log", ["log", "log.1", "log.10.gz", "log.2", "log.2.gz", "logs", "other.1", "log.9.zst"]),
      ["log.10.gz", "log.9.zst", "log.2", "log.1"]
    )
  })

  it("rotated takes long numbers and other suffixes for dates, which come before the generations", () => {
    assert.deepStrictEqual(
      FileOrder.rotated("log", ["log.1", "log-20260201.gz", "log-20260131", "log.20260301", "log_old"]),
      ["log-20260131", "log-20260201.gz", "log.20260301", "log_old", "log.1"]
    )
  })

  it("rotated finds the generations of a hidden log", () => {
    assert.deepStrictEqual(FileOrder.rotated(".log", [".log", ".log.1", "log.1"]), [".log.1"])
  })
})
