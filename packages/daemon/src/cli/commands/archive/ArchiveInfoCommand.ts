/**
 * `icecore archive info`: what an archive or a record store is, which types it has, and which syncs with how many records.
 */
import { Archive, type RecordReader, RecordType } from "@icecore/engine"
import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import type { CliCommand } from "../../CliServices.ts"
import { jsonFlag } from "../../CommonFlags.ts"
import * as DisplayText from "../../DisplayText.ts"
import * as Output from "../../Output.ts"
import { limitsFlag, sourceArgument } from "../../records/RecordFlags.ts"
import * as RecordServices from "../../records/RecordServices.ts"
import * as RecordSource from "../../records/RecordSource.ts"
import { formatMicros } from "../../records/RecordTable.ts"
import * as Table from "../../Table.ts"

export const archiveInfoCommand: CliCommand<"info"> = Command.make(
  "info",
  { source: sourceArgument, "max-decoded-size": limitsFlag, json: jsonFlag },
  Effect.fnUntraced(
    function* ({ source, json, "max-decoded-size": limits }) {
      const found = yield* RecordSource.kindOf(source)
      const report = yield* found.kind === "archive"
        ? RecordSource.explainLimit(ofArchive(source, limits))
        : ofStore(source, limits)
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

interface SyncReport extends Archive.ManifestSync {
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

const ofArchive = Effect.fnUntraced(function* (path: string, limits: Archive.ArchiveLimits) {
  const { format, manifest, report, sizeBytes } = yield* Archive.info(path, { limits })
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
    syncs: yield* reportsOf(
      manifest.syncs,
      Effect.map(Archive.open(path, { limits }), ({ reader }) => reader)
    ),
    ...(report === undefined ? {} : { report })
  } satisfies InfoReport
})

const ofStore = Effect.fnUntraced(function* (path: string, limits: Archive.ArchiveLimits) {
  const { engineName, reader } = yield* RecordSource.open(path, limits)
  const runs = (yield* reader.listSyncs).map(({ token: _, ...run }) => run)
  return {
    path,
    kind: "record store",
    format: Option.getOrElse(engineName, () => "unknown"),
    types: reader.types.map(RecordType.describe),
    syncs: yield* reportsOf(runs, Effect.succeed(reader))
  } satisfies InfoReport
})

/** A sync without an end has no counts of its own: what is there is counted, for which alone an archive is opened. */
const reportsOf = Effect.fnUntraced(function* <E, R>(
  runs: ReadonlyArray<Archive.ManifestSync>,
  open: Effect.Effect<RecordReader.RecordReader, E, R>
) {
  const reports = runs.map((run): SyncReport => ({ ...run, finished: run.ended_at !== undefined }))
  if (reports.every(({ finished }) => finished)) return reports
  const reader = yield* open
  return yield* Effect.forEach(reports, (report) =>
    report.finished
      ? Effect.succeed(report)
      : Effect.map(reader.stats({ sync: report.sync_id }), ({ counts }) => ({ ...report, counts }))
  )
})

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
  const pairs = head.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, DisplayText.visible(value)] as const]
  )
  const parts = [`${Output.pairs(pairs)}\n`, typesTable(report.types), syncsTable(report)]
  if (isObject(report.report)) parts.push(...Object.entries(report.report).flatMap(sectionOf))
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
  const table = Table.render(
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
  const origins = syncs.flatMap(originOf)
  return origins.length === 0 ? table : `${table}\n${origins.join("")}`
}

/** Syncs that are named as what another was made of, at most. */
const maxOriginCount = 4

/** What a sync was made of, as a line. */
const originOf = ({ source_sync_ids: ids = [], sync_id: sync }: SyncReport): ReadonlyArray<string> => {
  if (ids.length === 0) return []
  const more = ids.length > maxOriginCount ? `, … (${Output.formatCount(ids.length)} syncs)` : ""
  return [`${sync} is made of ${ids.slice(0, maxOriginCount).join(", ")}${more}\n`]
}

type JsonObject = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (value: unknown): string =>
  typeof value === "number"
    ? Output.formatCount(value)
    : typeof value === "string"
      ? value
      : JSON.stringify(value ?? "")

/** What a foreign format says of its translation: a table of what has members, lines of the rest; nothing of what is empty. */
const sectionOf = ([name, value]: readonly [string, unknown]): ReadonlyArray<string> => {
  if (!isObject(value)) return [`${Output.pairs([[name, textOf(value)]])}\n`]
  const rows = Object.entries(value)
  if (rows.length === 0) return []
  const members = [...new Set(rows.flatMap(([, row]) => (isObject(row) ? Object.keys(row) : [])))]
  const columns = members.length === 0 ? [""] : members
  return [
    Table.render(
      [{ name }, ...columns.map((column): Table.Column => ({ name: wordsOf(column), align: "right" }))],
      rows.map(([row, cells]) => [
        row,
        ...(isObject(cells) ? members.map((member) => textOf(cells[member])) : [textOf(cells)])
      ])
    )
  ]
}

/** `translatedCount` as `translated`, `withoutRunCount` as `without run`. */
const wordsOf = (name: string): string =>
  name.replace(/Count$/, "").replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
