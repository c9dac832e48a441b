/**
 * `icecore audit`: whether the store is right, established anew from what lies on disk.
 */

import type { HotEngine } from "@icecore/catalog"
import { Layout, StorageLock } from "@icecore/catalog"
import type { Zstd } from "@icecore/codec"
import type { Engine } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import { Data, Effect, Layer, Option, Result, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import type { Config } from "../../config/Config.ts"
import { Domain } from "../../Domain.ts"
import { History } from "../../History.ts"
import { Store } from "../../Store.ts"
import * as StoreAudit from "../../StoreAudit.ts"
import type { CliCommand, CliServices } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { loggerLayer, makeSource, portsLayer, storeLayer, storeOptions } from "../Composition.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Findings from "../Findings.ts"
import * as Output from "../Output.ts"
import * as Progress from "../Progress.ts"

/** The store is not right. Each fault has been printed. */
class AuditFailed extends Data.Error<{ readonly findingCount: number }> {
  readonly _tag = "AuditFailed"
  override readonly name = "AuditFailed"
  override get message(): string {
    return `The audit found ${Findings.describeCount(this.findingCount)}`
  }
}

/** The source cannot be read, so the store was not compared with all of it. */
class AuditIncomplete extends Data.Error<{ readonly detail: string; readonly findingCount: number }> {
  readonly _tag = "AuditIncomplete"
  override readonly name = "AuditIncomplete"
  override get message(): string {
    return this.findingCount === 0
      ? this.detail
      : `${this.detail}; the audit found ${Findings.describeCount(this.findingCount)} otherwise`
  }
}

const deepFlag = Flag.Boolean("deep").pipe(
  Flag.withDescription("Also compare every entry with what source.path gives"),
  Flag.withDefault(false)
)

const settledFlag = Flag.Boolean("settled").pipe(
  Flag.withDescription("Count work that the next start would finish as a fault, too"),
  Flag.withDefault(false)
)

interface Choices {
  readonly deep: boolean
  readonly settled: boolean
  readonly json: boolean
}

export const auditCommand: CliCommand<"audit"> = Command.make(
  "audit",
  { ...configFlags, deep: deepFlag, settled: settledFlag, json: jsonFlag },
  Effect.fnUntraced(function* (input) {
    const { config } = yield* loadConfig(input)
    yield* withStore(config, (history) => audit(config, history, input))
  })
).pipe(
  Command.withDescription(
    "Check that the store is right: entries, keys, indexes, directories, retention; exits 1 on a fault"
  ),
  Command.withExamples([
    { command: "icecore audit", description: "Audit the store; the daemon must not be running" },
    { command: "icecore audit --deep --source.path=app.ndjson", description: "Compare it with its source, too" }
  ])
)

type AuditRequirements = Engine | HotEngine.HotEngine | Zstd | Domain | Disk | CliServices

/**
 * With the history of the store where it opens. A store that does not open for what is in it is audited all the same, and what the
 * audit finds says why.
 */
const withStore = <E>(
  config: Config,
  use: (history: Option.Option<History>) => Effect.Effect<void, E, AuditRequirements>
) => {
  const opened = Layer.provideMerge(storeLayer(config, "readOnly"), loggerLayer(config))
  return Effect.scoped(
    Effect.gen(function* () {
      const services = yield* Effect.result(Layer.build(opened))
      if (Result.isSuccess(services))
        return yield* Effect.provideContext(
          Effect.flatMap(History, (history) => Effect.asVoid(Store).pipe(Effect.andThen(use(Option.some(history))))),
          services.success
        )
      const error = services.failure
      if (error instanceof StorageLock.StorageLocked || error._tag === "StoreNotFound") return yield* error
      yield* use(Option.none()).pipe(Effect.provide(Layer.provideMerge(portsLayer(config), loggerLayer(config))))
    })
  )
}

const audit = Effect.fnUntraced(function* (config: Config, history: Option.Option<History>, choices: Choices) {
  const layout = yield* Layout.make(storeOptions(config, "readOnly"))
  const { firstSeq } = yield* Domain
  const source = choices.deep
    ? Option.some(
        yield* makeSource(config, {
          firstSeq: Option.getOrElse(config.geometry.firstSeq, () => firstSeq),
          follow: false
        })
      )
    : Option.none()
  const findings: Array<StoreAudit.AuditFinding> = []
  let sourceProblem: string | undefined
  let entries = 0
  let chunks = 0
  let total = 0
  const steps = StoreAudit.audit({
    layout,
    keptChunks: config.retention.chunks,
    settled: choices.settled,
    ...(Option.isSome(history) ? { history: history.value } : {}),
    ...(Option.isSome(source) ? { source: source.value } : {})
  })
  const all = Stream.runForEach(steps, (step) => {
    entries += step.entryCount
    total = step.chunkCount
    if (step.kind === "chunk") chunks++
    const found = step.findings.filter(({ fault }) => fault !== "source")
    sourceProblem ??= step.findings.find(({ fault }) => fault === "source")?.message
    findings.push(...found)
    return choices.json
      ? Effect.void
      : Effect.forEach(found, (finding) => Output.writeLine(Findings.describe(finding)), { discard: true })
  })
  const sample = Effect.sync(() => ({
    entries,
    done: chunks,
    total: Option.some(Math.max(total, chunks)),
    problem: findings.length === 0 ? Option.none() : Option.some(Findings.describeCount(findings.length))
  }))
  yield* Progress.during(all, sample)
  yield* choices.json
    ? Output.writeJson({ entries, chunks, findings: findings.map(Findings.encode) })
    : Output.writeLine(
        `Audited ${Output.formatCount(entries)} entries in ${Output.formatCount(chunks)} chunks; ` +
          (findings.length === 0
            ? sourceProblem === undefined
              ? "all is right"
              : "all that could be checked is right"
            : Findings.describeCount(findings.length))
      )
  if (sourceProblem !== undefined)
    return yield* new AuditIncomplete({ detail: sourceProblem, findingCount: findings.length })
  if (findings.length > 0) return yield* new AuditFailed({ findingCount: findings.length })
})
