import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { ZstdLive, ZstdStreamLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { SurvivorChoice } from "@icecore/packfile/testing"
import { Effect, Layer, Option, Stream } from "effect"
import * as Archive from "../src/Archive.ts"
import * as LmdbEngine from "../src/live/LmdbEngine.ts"
import * as SqliteEngine from "../src/live/SqliteEngine.ts"
import type * as RecordReader from "../src/RecordReader.ts"
import * as RecordStore from "../src/RecordStore.ts"
import { isFinished, type SyncRun } from "../src/SyncRun.ts"
import { batchSize, Entry, entriesOf, entryOf, firstAdded, pageCount, pageSize } from "./RecordKillEntries.ts"
import { temporaryDirectory } from "./RuntimesSuite.ts"

/** Kills for each engine. */
const killCount = Number(process.env.ICECORE_RECORD_KILLS ?? 12)

const seed = Number(process.env.ICECORE_RECORD_SEED ?? Math.floor(Math.random() * 0x7fff_ffff))

const phases = ["put", "end", "save", "add"] as const
type Phase = (typeof phases)[number]

/** How many steps of a phase a child may come to before it is killed in one. */
const stepsBefore: Readonly<Record<Phase, number>> = { put: 20, end: 2, save: 2, add: 10 }

const child = fileURLToPath(new URL("./RecordKillChild.ts", import.meta.url))

/** What the children said, of all their lives. */
interface Said {
  /** Records that a checkpoint made durable, by sync; and those that one might have. */
  readonly kept: Map<string, number>
  readonly keeping: Map<string, number>
  /** Batches added to a resumed sync, of which the next may be there too. */
  readonly added: Map<string, number>
  /** Syncs whose end was begun, and those whose end was acknowledged, in order. The others may have ended or not. */
  readonly ending: Array<string>
  readonly ended: Array<string>
  /** The same of saves, by the sync that was ended before. */
  readonly saving: Array<string>
  readonly saved: Array<string>
  /** The last step that was begun. */
  phase: string
}

const hear = (said: Said, line: string): void => {
  const [word, id, number] = line.split(" ") as [string, string, string]
  if (word === "keep") said.keeping.set(id, Number(number))
  if (word === "kept") said.kept.set(id, Number(number))
  if (word === "added") said.added.set(id, Number(number) + 1)
  if (word === "end") said.ending.push(id)
  if (word === "ended") said.ended.push(id)
  if (word === "save") said.saving.push(id)
  if (word === "saved") said.saved.push(id)
  said.phase = word
}

/** Runs a child and kills it `delayMillis` after it has begun the phase so many times. Returns how long that step took, if it ended. */
const killIn = (
  said: Said,
  args: ReadonlyArray<string>,
  moment: { readonly phase: Phase; readonly step: number; readonly delayMillis: number }
): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const process_ = spawn(process.execPath, [child, ...args], { stdio: ["ignore", "pipe", "inherit"] })
    let steps = 0
    let begun = Number.NaN
    let took = Number.NaN
    // One that never comes to the phase is killed all the same.
    const patience = setTimeout(() => process_.kill("SIGKILL"), 10_000)
    const lines = createInterface({ input: process_.stdout! })
    lines.on("line", (line) => {
      hear(said, line)
      if (steps > moment.step && Number.isNaN(took)) took = performance.now() - begun
      if (!line.startsWith(`${moment.phase} `) || ++steps !== moment.step + 1) return
      begun = performance.now()
      setTimeout(() => process_.kill("SIGKILL"), moment.delayMillis)
    })
    lines.on("close", () => {
      clearTimeout(patience)
      resume(Effect.succeed(took))
    })
  })

/** The newest of what was begun is the last that was acknowledged, or one begun after it. */
const requireNewest = (
  what: string,
  newest: string | undefined,
  begun: ReadonlyArray<string>,
  acknowledged: ReadonlyArray<string>
): void => {
  const first = acknowledged.length === 0 ? -1 : begun.lastIndexOf(acknowledged.at(-1)!)
  assert.isAtLeast(newest === undefined ? -1 : begun.lastIndexOf(newest), first, `${what} is ${newest}`)
}

/** The store after a kill: what was acknowledged is there, and nothing is half there that must not be. */
const requireStore = Effect.fnUntraced(function* (said: Said, directory: string) {
  const store = yield* RecordStore.open({ path: `${directory}/store`, types: [Entry] })
  const report = yield* store.check()
  assert.deepStrictEqual(report.findings, [])
  const runs = yield* store.listSyncs
  const finished = runs.filter(isFinished).map(({ sync_id }) => sync_id as string)
  const latest = Option.getOrUndefined(yield* store.latestFinishedSync())
  requireNewest("the latest sync", latest?.sync_id, said.ending, said.ended)
  for (const id of finished) assert.include(said.ending, id, "what is finished was to be ended")
  // A cleanup keeps the last two that ended, also those of which nobody was told.
  for (const id of said.ended) {
    const later = finished.filter((each) => said.ending.lastIndexOf(each) > said.ending.lastIndexOf(id))
    if (later.length < 2) assert.include(finished, id, "an acknowledged sync is finished")
  }
  for (const run of runs) yield* requireSync(said, store, run)
  return runs.length
}, Effect.scoped)

const requireSync = Effect.fnUntraced(function* (said: Said, reader: RecordReader.RecordReader, run: SyncRun) {
  const id = run.sync_id
  const there = new Set<number>()
  yield* Stream.runForEach(reader.stream(Entry, { sync: id }), (entry) =>
    Effect.sync(() => {
      assert.deepStrictEqual(entry, entryOf(id, entry.id))
      there.add(entry.id)
    })
  )
  const has = (first: number, count: number): number =>
    entriesOf(id, first, count).filter((entry) => there.has(entry.id)).length
  const kept = said.kept.get(id) ?? 0
  assert.strictEqual(has(0, kept), kept, `${id} has what its checkpoint kept`)
  assert.include([`${kept || ""}`, `${said.keeping.get(id) ?? ""}`], run.token)
  if (run.token !== "") assert.strictEqual(has(0, Number(run.token)), Number(run.token))
  const added = said.added.get(id) ?? 0
  for (let batch = 0; batch < 10; batch++) {
    const found = has(firstAdded + batch * batchSize, batchSize)
    if (batch < added) assert.strictEqual(found, batchSize, `batch ${batch} of ${id} was acknowledged`)
    else assert.include(batch === added ? [0, batchSize] : [0], found, `batch ${batch} of ${id} is whole or not there`)
  }
  if (!isFinished(run)) return assert.isFalse(said.ended.includes(id), `${id} was acknowledged as ended`)
  assert.strictEqual(run.counts.Entry, there.size)
  if (!said.added.has(id)) assert.strictEqual(has(0, pageCount * pageSize), pageCount * pageSize, `${id} is whole`)
})

/** The file after a kill: the old archive or the new one, whole. */
const requireArchive = Effect.fnUntraced(function* (said: Said, directory: string) {
  const file = `${directory}/store.icearch`
  if (said.saved.length === 0 && !fs.existsSync(file)) return
  const { check, info } = yield* Archive.verify(file)
  assert.deepStrictEqual(check.findings, [])
  const runs = info.manifest.syncs.filter(({ ended_at }) => ended_at !== undefined)
  const newest = runs.toSorted((left, right) => left.ended_at! - right.ended_at!).at(-1)
  requireNewest("the archive", newest?.sync_id, said.saving, said.saved)
  const { reader } = yield* Archive.open(file)
  for (const run of yield* reader.listSyncs) yield* requireSync(said, reader, run)
}, Effect.scoped)

const survive = Effect.fnUntraced(function* (adapter: "sqlite" | "lmdb") {
  const next = SurvivorChoice.generator(seed)
  const random = (): number => next() / 0x1_0000_0000
  const directory = yield* temporaryDirectory
  const said: Said = {
    kept: new Map(),
    keeping: new Map(),
    added: new Map(),
    ending: [],
    ended: [],
    saving: [],
    saved: [],
    phase: ""
  }
  const millis: Record<Phase, number> = { put: 5, end: 20, save: 60, add: 5 }
  const killedIn: Record<string, number> = {}
  for (let killed = 0; killed < killCount; killed++) {
    const phase = phases[killed % phases.length]!
    const delayMillis = random() * millis[phase] * 1.2
    const step = Math.floor(random() * stepsBefore[phase])
    const took = yield* killIn(said, [adapter, directory], { phase, step, delayMillis })
    // A step that was cut short takes longer than was thought.
    millis[phase] = Number.isNaN(took) ? millis[phase] * 1.5 : (millis[phase] + took) / 2
    killedIn[said.phase] = (killedIn[said.phase] ?? 0) + 1
    yield* requireStore(said, directory)
    yield* requireArchive(said, directory)
  }
  const left = fs.readdirSync(directory).filter((name) => name !== "store" && name !== path.basename("store.icearch"))
  return { killedIn, left }
})

const engines = { sqlite: SqliteEngine.layer, lmdb: LmdbEngine.layer }

describe("RecordStore", () => {
  for (const [adapter, layer] of Object.entries(engines)) {
    it.live(
      `keeps what it acknowledged through kills in put, endSync and save at ${killCount} moments, on ${adapter}`,
      () =>
        Effect.gen(function* () {
          const { killedIn } = yield* survive(adapter as keyof typeof engines)
          if (process.env.ICECORE_SHOW_FIGURES !== undefined) yield* Effect.log(killedIn)
          if (killCount >= 50)
            for (const phase of ["put", "end", "save"]) assert.isAtLeast(killedIn[phase] ?? 0, 3, phase)
        }).pipe(
          Effect.onError(() => Effect.logError(`The kills came from ICECORE_RECORD_SEED=${seed}`)),
          Effect.provide(
            Layer.provideMerge(layer, Layer.mergeAll(LiveDisk.layer, ZstdLive.layer, ZstdStreamLive.layer))
          ),
          Effect.scoped
        ),
      900_000
    )
  }
})
