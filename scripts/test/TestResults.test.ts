import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { closingLine, readResults, sum } from "../lib/TestResults.ts"

const folder = mkdtempSync(join(tmpdir(), "icecore-results-"))
afterAll(() => rmSync(folder, { recursive: true }))

const withReport = (name: string, text: string): string => {
  const directory = join(folder, name)
  mkdirSync(join(directory, ".results"), { recursive: true })
  writeFileSync(join(directory, ".results", "vitest.json"), text)
  return directory
}

const file = (status: string, ...statuses: ReadonlyArray<string>) => ({
  name: join(folder, "x.test.ts"),
  status,
  message: "SyntaxError",
  assertionResults: statuses.map((each) => ({ status: each, fullName: `is ${each}`, failureMessages: ["because"] }))
})

const read = (name: string, report: unknown) => readResults(name, withReport(name, JSON.stringify(report)))

describe("TestResults", () => {
  it("readResults counts passed, failed and everything else as skipped", () => {
    const report = { success: false, testResults: [file("failed", "passed", "failed", "pending", "todo", "skipped")] }
    const { passed, failed, skipped, failures } = read("mixed", report)
    assert.deepStrictEqual([passed, failed, skipped], [1, 1, 3])
    assert.match(failures[0]!, /is failed\n {2}because/)
  })

  it("readResults counts a file that did not load as one failure", () => {
    const { failed, failures } = read("broken", { success: false, testResults: [file("failed")] })
    assert.strictEqual(failed, 1)
    assert.match(failures[0]!, /did not load\n {2}SyntaxError/)
  })

  it("readResults counts an error outside of the tests as one failure", () => {
    assert.strictEqual(read("outside", { success: false, testResults: [file("passed", "passed")] }).failed, 1)
  })

  it("readResults counts missing and unreadable results as one failure", () => {
    assert.strictEqual(readResults("absent", join(folder, "absent")).failed, 1)
    assert.strictEqual(readResults("torn", withReport("torn", '{"success": tr')).failed, 1)
  })

  it("closingLine names skipped tests only when there are any", () => {
    assert.strictEqual(closingLine({ passed: 2, failed: 0, skipped: 0 }), "2 passed, 0 failed")
    assert.strictEqual(
      closingLine(
        sum([
          { passed: 2, failed: 0, skipped: 1 },
          { passed: 1, failed: 3, skipped: 0 }
        ])
      ),
      "3 passed, 3 failed, 1 skipped"
    )
  })
})
