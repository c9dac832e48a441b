/**
 * Does one {@link Work}, given as JSON, in a process of its own, and prints how it went.
 */
import { Compactor, type Source } from "@icecore/compactor"
import { RecordImport, type RecordStore, type SyncRun } from "@icecore/engine"
import { Grant } from "@icecore/engine/access"
import { Console, Effect, Layer, Option, References, Schema, Stream } from "effect"
import * as LiveResidentMemory from "../live/LiveResidentMemory.ts"
import { Done, type Work } from "../peers/Compaction.ts"
import { openBase, openSources } from "../peers/SyncStores.ts"
import { ResidentMemory } from "../ResidentMemory.ts"

const { base: place, kind, sources: places }: Work = JSON.parse(process.argv[2]!)

type Doing = (
  base: RecordStore.RecordStore,
  sources: ReadonlyArray<Source.Source>
) => Effect.Effect<unknown, unknown, Compactor.Compactor>

const latestOf = ({ reader }: Source.Source): Effect.Effect<SyncRun.SyncId, unknown> =>
  Effect.map(Effect.flatMap(reader.latestFinishedSync(), Effect.fromOption), ({ sync_id }) => sync_id)

const compact: Doing = (base, [source]) =>
  Effect.flatMap(Compactor.Compactor, (compactor) => compactor.compact({ base, source: source! }))

const copy: Doing = Effect.fnUntraced(function* (base, [source]) {
  const sync = yield* latestOf(source!)
  yield* base.removeSync(sync)
  yield* RecordImport.fromReader(base, source!.reader, { syncs: [sync] })
})

const merge: Doing = (into, sources) =>
  Effect.flatMap(Compactor.Compactor, (compactor) =>
    compactor.merge({ sources: sources.map((source) => ({ source })), into })
  )

const put: Doing = Effect.fnUntraced(function* (into, sources) {
  yield* into.startSync({ type: "full" })
  for (const { reader } of sources)
    yield* Stream.runForEachArray(reader.stream(Grant), (grants) =>
      into.putResolved(Grant, grants, (existing, grant) =>
        Option.isSome(existing) && existing.value.discovered_at > grant.discovered_at
          ? Option.none()
          : Option.some(grant)
      )
    )
  yield* into.endSync()
})

const program = Effect.gen(function* () {
  const base = yield* openBase(place, places.length)
  const sources = yield* openSources(places)
  const before = process.cpuUsage()
  const start = performance.now()
  yield* { compact, copy, merge, put }[kind](base, sources)
  const seconds = (performance.now() - start) / 1_000
  const { system, user } = process.cpuUsage(before)
  const peakBytes = yield* (yield* ResidentMemory).peakBytes
  const grantCount = (yield* base.stats()).counts.Grant ?? 0
  const processorSeconds = (system + user) / 1e6
  yield* Console.log(yield* Schema.encodeEffect(Done)({ grantCount, seconds, processorSeconds, peakBytes }))
})

// Not through `NodeRuntime`, whose modules would take 24 MB of what is measured.
Effect.runPromise(
  Effect.scoped(program).pipe(
    // What the compactor logs of its work goes to the same place as the one line.
    Effect.provide([LiveResidentMemory.layer, Compactor.layer(), Layer.succeed(References.MinimumLogLevel, "Warn")])
  )
)
