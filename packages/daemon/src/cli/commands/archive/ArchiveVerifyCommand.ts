/**
 * `icecore archive verify`: reads all of an archive or a record store again: checksums, every record, every index entry.
 */
import { Archive, type RecordCheck } from "@icecore/engine"
import { Data, Effect, Option } from "effect"
import { Command } from "effect/cli"
import { Hex } from "effect/encoding"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as DisplayText from "../../DisplayText.ts"
import * as Findings from "../../Findings.ts"
import * as Output from "../../Output.ts"
import { limitsFlag, sourceArgument } from "../../records/RecordFlags.ts"
import * as RecordProgress from "../../records/RecordProgress.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"

/** What was verified is not what was written. Each fault has been printed. */
class RecordsDamaged extends Data.Error<{ readonly path: string; readonly findingCount: number }> {
  readonly _tag = "RecordsDamaged"
  override readonly name = "RecordsDamaged"
  override get message(): string {
    return `Verification of ${this.path} found ${Findings.describeCount(this.findingCount)}`
  }
}

export const archiveVerifyCommand: CliCommand<"verify"> = Command.make(
  "verify",
  { source: sourceArgument, "max-decoded-size": limitsFlag, json: jsonFlag },
  Effect.fnUntraced(
    function* ({ source, json, "max-decoded-size": limits }) {
      const found = yield* RecordSource.kindOf(source)
      let records = 0
      const check: RecordCheck.CheckOptions = {
        onProgress: ({ recordCount }) => {
          records = recordCount
        }
      }
      const work =
        found.kind === "archive"
          ? Effect.map(
              RecordSource.explainLimit(Archive.verify(source, { check, limits })),
              (verification) => verification.check
            )
          : Effect.flatMap(RecordSource.open(source, limits), ({ reader }) => reader.check(check))
      const report = yield* RecordProgress.during(work, () => records)
      yield* json ? Output.writeJson({ ...report, findings: report.findings.map(encode) }) : print(source, report)
      if (report.findingCount > 0) return yield* new RecordsDamaged({ path: source, findingCount: report.findingCount })
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription(
    "Read everything again, and hold records and index entries against each other; exits 1 on a fault"
  ),
  Command.withExamples([{ command: "icecore archive verify sync.icearch", description: "Checksums, records, indexes" }])
)

const print = Effect.fnUntraced(function* (path: string, report: RecordCheck.CheckReport) {
  for (const finding of report.findings) yield* Output.writeLine(DisplayText.visible(describe(finding)))
  const { entryCount, findingCount, findings, recordCount, syncCount } = report
  if (findings.length < findingCount)
    yield* Output.writeLine(`… and ${Output.formatCount(findingCount - findings.length)} more`)
  yield* Output.writeLine(
    `Verified ${Output.formatCount(recordCount)} records and ${Output.formatCount(entryCount)} index entries ` +
      `of ${syncCount === 1 ? "1 sync" : `${Output.formatCount(syncCount)} syncs`} in ${path}; ` +
      (findingCount === 0 ? "all is right" : Findings.describeCount(findingCount))
  )
})

const describe = ({ detail, index, key, keyspace, kind, sync, type }: RecordCheck.Finding): string => {
  const where = [
    ...(type === undefined ? [`keyspace ${keyspace}`] : [type]),
    ...(index === undefined ? [] : [`index ${index}`]),
    ...(sync === undefined ? [] : [`sync ${sync}`]),
    ...(key === undefined ? [] : [`key 0x${Hex.encode(key)}`])
  ]
  return `${kind} (${where.join(", ")}): ${detail}`
}

const encode = (finding: RecordCheck.Finding): unknown => ({
  ...finding,
  key: Option.getOrNull(Option.map(Option.fromUndefinedOr(finding.key), Hex.encode))
})
