/**
 * Counts from the JSON that vitest's `json` reporter leaves in `.results/vitest.json`.
 */
import { existsSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"

export interface TestCounts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** One package's counts, and one text for each failure: where, which test, and why. */
export interface PackageResults extends TestCounts {
  readonly name: string
  readonly failures: ReadonlyArray<string>
}

interface VitestReport {
  readonly success: boolean
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message?: string
    readonly assertionResults: ReadonlyArray<{
      readonly status: string
      readonly fullName: string
      readonly failureMessages?: ReadonlyArray<string> | null
    }>
  }>
}

/**
 * Reads one package's results. A missing or unreadable report is one failure, so is a file that failed without a failed
 * test (it did not load), and a run that failed for neither reason (an error outside of any test).
 */
export const readResults = (name: string, directory: string): PackageResults => {
  const path = join(directory, ".results", "vitest.json")
  if (!existsSync(path))
    return { name, passed: 0, failed: 1, skipped: 0, failures: [`${name}: the run left no results`] }
  const report = parse(readFileSync(path, "utf8"))
  if (report === undefined)
    return { name, passed: 0, failed: 1, skipped: 0, failures: [`${name}: the results cannot be read`] }
  return countReport(name, directory, report)
}

/** Adds up the counts. */
export const sum = (all: ReadonlyArray<TestCounts>): TestCounts => ({
  passed: all.reduce((total, each) => total + each.passed, 0),
  failed: all.reduce((total, each) => total + each.failed, 0),
  skipped: all.reduce((total, each) => total + each.skipped, 0)
})

/** `N passed, N failed`, and `, N skipped` when any were. */
export const closingLine = ({ passed, failed, skipped }: TestCounts): string =>
  `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`

const countReport = (name: string, directory: string, report: VitestReport): PackageResults => {
  const failures: Array<string> = []
  let passed = 0
  let skipped = 0
  for (const file of report.testResults) {
    const place = `${name} ${relative(directory, file.name)}`
    const failed = file.assertionResults.filter(({ status }) => status === "failed")
    passed += file.assertionResults.filter(({ status }) => status === "passed").length
    skipped += file.assertionResults.length - failed.length
    for (const test of failed)
      failures.push(`${place} > ${test.fullName}\n${indent((test.failureMessages ?? []).join("\n"))}`)
    if (file.status === "failed" && failed.length === 0)
      failures.push(`${place}: did not load\n${indent(file.message ?? "")}`)
  }
  skipped -= passed
  if (!report.success && failures.length === 0) failures.push(`${name}: an error outside of the tests, see its output`)
  return { name, passed, failed: failures.length, skipped, failures }
}

const parse = (text: string): VitestReport | undefined => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const indent = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !line.includes("/node_modules/"))
    .slice(0, 20)
    .map((line) => `  ${line}`)
    .join("\n")
