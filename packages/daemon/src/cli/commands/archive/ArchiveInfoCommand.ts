/**
 * `icecore archive info`: what an archive or a record store is, which types it has, and which syncs with how many records.
 */
import { Archive, type RecordReader, RecordType, type SyncRun } from "@icecore/engine"
import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as Output from "../../Output.ts"
import { sourceArgument } from "../../records/RecordFlags.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"
import { formatMicros } from "../../records/RecordTable.ts"
import * as Table from "../../Table.ts"

export const archiveInfoCommand: CliCommand<"info"> = Command.make(
  "info",
  { source: sourceArgument, json: jsonFlag },
  Effect.fnUntraced(
    function* ({ source, json }) {
      const found = yield* RecordSource.kindOf(source)
      const report = yield* found.kind === "archive" ? ofArchive(source) : ofStore(source)
      yield* json ? Output.writeJson(report) : Output.write(render(report))
    },
    Effect.scoped,
    Effect.provide(RecordServices.layer)
  )
).pipe(
  Command.withDescription("Print what an archive or a record store is: its types, their keys and indexes, its syncs"),
  Command.withExamples([
    { command: "icecore archive info sync.icearch", description: "Reads the beginning and the end of the file only" },
    { command: "icecore archive info ./store --json", description: "For programs" }
  ])
)

interface SyncReport extends Omit<SyncRun.SyncRun, "token"> {
  readonly finished: boolean
}

interface InfoReport {
  readonly path: string
  readonly kind: "archive" | "record store"
  /** `icearch`, the name of a foreign format, or the engine of a store. */
  readonly format: string
  readonly sizeBytes?: number
  readonly encoding?: string
  readonly engine?: string
  readonly creator?: string
  readonly createdAt?: number
  readonly types: ReadonlyArray<RecordType.Description>
  readonly syncs: ReadonlyArray<SyncReport>
  /** What a foreign format says of its translation. */
  readonly report?: unknown
}

const ofArchive = Effect.fnUntraced(function* (path: string) {
  const { format, manifest, report, sizeBytes } = yield* Archive.info(path)
  return {
    path,
    kind: "archive",
    format,
    sizeBytes,
    encoding: manifest.encoding,
    engine: manifest.engine,
    creator: manifest.creator,
    createdAt: manifest.created_at,
    types: manifest.types,
    syncs: manifest.syncs.map((sync) => ({ ...sync, finished: sync.ended_at !== undefined })),
    ...(report === undefined ? {} : { report })
  } satisfies InfoReport
})

const ofStore = Effect.fnUntraced(function* (path: string) {
  const { engineName, reader } = yield* RecordSource.open(path)
  const runs = yield* reader.listSyncs
  return {
    path,
    kind: "record store",
    format: Option.getOrElse(engineName, () => "unknown"),
    types: reader.types.map(RecordType.describe),
    syncs: yield* Effect.forEach(runs, (run) => reportOf(reader, run))
  } satisfies InfoReport
})

/** A sync without an end has no counts of its own: what is there is counted. */
const reportOf = (
  reader: RecordReader.RecordReader,
  { token: _, ...run }: SyncRun.SyncRun
): Effect.Effect<SyncReport, Effect.Error<ReturnType<RecordReader.RecordReader["stats"]>>> =>
  run.ended_at === undefined
    ? Effect.map(reader.stats({ sync: run.sync_id }), ({ counts }) => ({ ...run, counts, finished: false }))
    : Effect.succeed({ ...run, finished: true })

const render = (report: InfoReport): string => {
  const { createdAt, creator, encoding, engine, sizeBytes } = report
  const head: ReadonlyArray<readonly [string, string | undefined]> = [
    ["path", report.path],
    ["kind", `${report.kind}, ${report.format}`],
    ["size", sizeBytes === undefined ? undefined : `${Output.formatBytes(sizeBytes)} (${sizeBytes} bytes)`],
    ["encoding", encoding],
    ["engine", engine],
    ["created", createdAt === undefined ? undefined : `${formatMicros(createdAt)} by ${creator}`]
  ]
  const pairs = head.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  const parts = [`${Output.pairs(pairs)}\n`, typesTable(report.types), syncsTable(report)]
  if (report.report !== undefined) parts.push(`${Output.pairs(flat(report.report))}\n`)
  return parts.join("\n")
}

/** A line for the key of each type, and one for each index. */
const typesTable = (types: ReadonlyArray<RecordType.Description>): string =>
  Table.render(
    [{ name: "type" }, { name: "index" }, { name: "fields" }],
    [...types]
      .sort((left, right) => (left.name < right.name ? -1 : 1))
      .flatMap(({ indexes, name, primaryKey }) => [
        [name, "(key)", primaryKey.join(", ")],
        ...Object.entries(indexes).map(([index, { paths, where }]) => [
          "",
          index,
          paths.join(", ") + (where === undefined ? "" : ` where ${where.path} is ${JSON.stringify(where.equals)}`)
        ])
      ])
  )

const syncsTable = ({ syncs, types }: InfoReport): string => {
  if (syncs.length === 0) return "no syncs\n"
  const names = types.map(({ name }) => name).sort()
  return Table.render(
    [
      { name: "sync" },
      { name: "type" },
      { name: "started" },
      { name: "ended" },
      ...names.map((name): Table.Column => ({ name, align: "right" }))
    ],
    syncs.map((sync) => [
      sync.sync_id,
      sync.type,
      formatMicros(sync.started_at),
      sync.ended_at === undefined ? "not finished" : formatMicros(sync.ended_at),
      ...names.map((name) => Output.formatCount(sync.counts[name] ?? 0))
    ])
  )
}

/** Nested counts as lines with dotted names. */
const flat = (value: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<readonly [string, string]> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([name, each]) => flat(each, [...path, name]))
    : [[path.join("."), typeof value === "number" ? Output.formatCount(value) : String(value)]]
