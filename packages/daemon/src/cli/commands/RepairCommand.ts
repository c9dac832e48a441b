/**
 * `icecore repair`: makes damaged or missing frozen files again.
 */
import { LiveDisk } from "@icecore/packfile/live"
import { Data, Effect, Layer, Option, Stdio } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as ArtifactWork from "../../ArtifactWork.ts"
import type { Config } from "../../config/Config.ts"
import * as StoreRepair from "../../StoreRepair.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { loggerLayer, makeSource, portsLayer, storeOptions } from "../Composition.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Findings from "../Findings.ts"
import * as Output from "../Output.ts"

/** Something is still not right. Each of it has been printed. */
class RepairIncomplete extends Data.Error<{ readonly faultCount: number; readonly isDryRun: boolean }> {
  readonly _tag = "RepairIncomplete"
  override readonly name = "RepairIncomplete"
  override get message(): string {
    const count = Findings.describeCount(this.faultCount)
    return this.isDryRun ? `The store has ${count}, and nothing was changed` : `The repair left ${count}`
  }
}

const dryRunFlag = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("Change nothing, and say what could be mended"),
  Flag.withDefault(false)
)

export const repairCommand: CliCommand<"repair"> = Command.make(
  "repair",
  {
    ...configFlags,
    path: Argument.String("source").pipe(
      Argument.withDescription("File or directory that the log was made from, instead of source.path"),
      Argument.optional
    ),
    "dry-run": dryRunFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(function* (input) {
    const loaded = yield* loadConfig(input)
    const config = Option.match(input.path, {
      onNone: () => loaded.config,
      onSome: (path): Config => ({ ...loaded.config, source: { ...loaded.config.source, kind: "ndjson", path } })
    })
    const ports = Layer.provideMerge(ArtifactWork.layerInline, portsLayer(config))
    yield* repair(config, input).pipe(Effect.provide(Layer.provideMerge(ports, loggerLayer(config))))
  })
).pipe(
  Command.withDescription(
    "Make damaged or missing frozen files again, from hot databases, the source, and one another; exits 1 when some is left"
  ),
  Command.withExamples([
    { command: "icecore repair --dry-run", description: "Say what is damaged and what could be mended" },
    { command: "icecore repair app.ndjson", description: "Mend; entries that are gone come from app.ndjson" }
  ])
)

const repair = Effect.fnUntraced(function* (
  config: Config,
  { "dry-run": isDryRun, json }: { readonly "dry-run": boolean; readonly json: boolean }
) {
  const stdio = yield* Stdio.Stdio
  const { dataDir, roots = {} } = storeOptions(config, "readWrite")
  const { actions, remaining } = yield* StoreRepair.repair({
    dataDir,
    roots,
    isDryRun,
    source: (firstSeq) =>
      makeSource(config, { firstSeq, follow: false }).pipe(
        Effect.provide(LiveDisk.layer),
        Effect.provideService(Stdio.Stdio, stdio)
      ),
    onAction: (action) =>
      json
        ? Effect.void
        : Effect.ignore(Output.writeLine(describe(action))).pipe(Effect.provideService(Stdio.Stdio, stdio))
  })
  const mended = new Set(actions.filter(({ outcome }) => outcome !== "left").map(({ key }) => key))
  if (json) yield* Output.writeJson({ actions, remaining: remaining.map(Findings.encode) })
  else {
    const told = new Set(actions.map(({ key }) => key))
    for (const finding of remaining)
      if (!Option.exists(finding.key, (key) => told.has(key))) yield* Output.writeLine(Findings.describe(finding))
    yield* Output.writeLine(
      `${isDryRun ? "Could mend" : "Mended"} ${mended.size} of ${actions.length}; ` +
        (remaining.length === 0 ? "all is right" : `${Findings.describeCount(remaining.length)} left`)
    )
  }
  if (remaining.length > 0) return yield* new RepairIncomplete({ faultCount: remaining.length, isDryRun })
})

const describe = ({ outcome, key, path, detail, damage }: StoreRepair.RepairAction): string => {
  switch (outcome) {
    case "mended":
      return `Mended ${path} (${key}) from ${detail}. ${damage}`
    case "mendable":
      return `Could mend ${path} (${key}) from ${detail}. ${damage}`
    case "left":
      return `Cannot mend ${path} (${key}): ${detail}. ${damage}`
  }
}
