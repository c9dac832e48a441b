/**
 * `icecore backup`: a consistent copy of the store, or a rehearsal of a restore from one.
 */
import { Data, Effect, Layer, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Path from "effect/Path"
import type { Config } from "../../config/Config.ts"
import { Store } from "../../Store.ts"
import * as StoreBackup from "../../StoreBackup.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { loggerLayer, storeLayer } from "../Composition.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Findings from "../Findings.ts"
import * as Output from "../Output.ts"
import * as Progress from "../Progress.ts"
import { read } from "../Reading.ts"
import * as RemoteBackup from "../RemoteBackup.ts"

/** A store that is started on the backup would not be right. Each fault has been printed. */
class RehearsalFailed extends Data.Error<{ readonly findingCount: number }> {
  readonly _tag = "RehearsalFailed"
  override readonly name = "RehearsalFailed"
  override get message(): string {
    return `The rehearsal found ${Findings.describeCount(this.findingCount)}`
  }
}

const rehearseFlag = Flag.Boolean("rehearse").pipe(
  Flag.withDescription(
    "Rehearse a restore: open the backup in DIRECTORY for reading only, audit it, read all of it back"
  ),
  Flag.withDefault(false)
)

export const backupCommand: CliCommand<"backup"> = Command.make(
  "backup",
  {
    ...configFlags,
    directory: Argument.String("directory").pipe(
      Argument.withDescription("Where the copy is to be: a directory that does not exist, or is empty")
    ),
    rehearse: rehearseFlag,
    json: jsonFlag
  },
  Effect.fnUntraced(function* (input) {
    const { config } = yield* loadConfig(input)
    const directory = (yield* Path.Path).resolve(input.directory)
    yield* input.rehearse ? rehearse(config, directory, input.json) : backup(config, directory, input.json)
  }, Effect.provide(Path.layer))
).pipe(
  Command.withDescription("Copy the store, consistent and audited; asks the daemon when it holds the store"),
  Command.withExamples([
    { command: "icecore backup /backups/monday", description: "Back up, also while the daemon runs" },
    { command: "icecore backup --rehearse /backups/monday", description: "See that a restore would work" },
    {
      command: "icecore run --storage.data_dir=/backups/monday",
      description: "Restore: start on the copy, or on a copy of it"
    }
  ])
)

const backup = Effect.fnUntraced(function* (config: Config, directory: string, json: boolean) {
  let progress: StoreBackup.BackupProgress = { phase: "copying", done: 0, total: 0 }
  const onProgress = (each: StoreBackup.BackupProgress): void => {
    progress = each
  }
  const print = (report: StoreBackup.BackupReport) =>
    json
      ? Output.writeJson(report)
      : Output.writeLine(
          `Backed up ${Output.formatCount(report.entryCount)} entries to ${report.directory}: ` +
            `${Output.formatCount(report.fileCount)} files and ${report.hotCount} hot databases, ` +
            `${Output.formatBytes(report.sizeBytes)} in ${(report.durationMillis / 1_000).toFixed(1)} s, audited`
        )
  const sample = Effect.sync(() => ({
    entries: 0,
    done: progress.done,
    total: progress.total === 0 ? Option.none() : Option.some(progress.total),
    problem: Option.some(progress.phase)
  }))
  const local = Effect.flatMap(Store, (store) =>
    Effect.flatMap(Progress.during(store.backup({ directory, onProgress }), sample), print)
  )
  const remote = Effect.flatMap(Progress.during(RemoteBackup.backup(config, directory, onProgress), sample), print)
  yield* read(config, local, remote)
})

const rehearse = Effect.fnUntraced(function* (config: Config, directory: string, json: boolean) {
  const none = Option.none()
  const storage = {
    dataDir: directory,
    catalogDir: none,
    hotDir: none,
    entriesDir: none,
    eventsDir: none,
    keysDir: none
  }
  const restored: Config = { ...config, storage }
  const services = Layer.provideMerge(storeLayer(restored, "readOnly"), loggerLayer(config))
  const { served, entryCount, findings } = yield* Effect.flatMap(Store, (store) =>
    StoreBackup.rehearse(store, { keptChunks: config.retention.chunks })
  ).pipe(Effect.provide(services))
  if (json)
    yield* Output.writeJson({
      directory,
      served: Option.getOrNull(served),
      entryCount,
      findings: findings.map(Findings.encode)
    })
  else {
    for (const finding of findings) yield* Output.writeLine(Findings.describe(finding))
    const range = Option.match(served, {
      onNone: () => "it serves nothing",
      onSome: ({ floor, latest }) => `it serves entries ${floor} to ${latest}`
    })
    yield* Output.writeLine(
      `Read ${Output.formatCount(entryCount)} entries back from ${directory}; ${range}; ` +
        (findings.length === 0 ? "all is right" : Findings.describeCount(findings.length))
    )
  }
  if (findings.length > 0) return yield* new RehearsalFailed({ findingCount: findings.length })
})
