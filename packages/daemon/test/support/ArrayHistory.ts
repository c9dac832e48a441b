/** A history over an array, with a floor: what the HTTP tests are asked about, without a store. */
import { Effect, Option, Stream } from "effect"
import {
  AppendRefused,
  EntryBelowFloor,
  EntryNotIngested,
  type History,
  HistoryRequestInvalid,
  KeysUndefined,
  type ServedRange
} from "../../src/History.ts"

export interface ArrayHistory {
  readonly history: History
  readonly entries: Array<Uint8Array>
}

/** Entry `i` of the array has seq `floor + i`. Reading waits for `gate` first. */
export const make = (
  floor: number,
  initial: ReadonlyArray<string>,
  gate: Effect.Effect<void> = Effect.void
): ArrayHistory => {
  const entries = initial.map((text) => new TextEncoder().encode(text))
  const served = (): Option.Option<ServedRange> =>
    entries.length === 0 ? Option.none() : Option.some({ floor, latest: floor + entries.length - 1 })
  const locate = (seq: number): Effect.Effect<number, EntryBelowFloor | EntryNotIngested> =>
    seq < floor
      ? Effect.fail(new EntryBelowFloor({ seq, served: served() }))
      : seq >= floor + entries.length
        ? Effect.fail(new EntryNotIngested({ seq, served: served() }))
        : Effect.succeed(seq - floor)
  const history: History = {
    append: () => Effect.fail(new AppendRefused({ source: "test" })),
    get: (seq) =>
      Effect.andThen(
        gate,
        Effect.map(locate(seq), (index) => entries[index]!)
      ),
    range: ({
      from = floor,
      to = Number.MAX_SAFE_INTEGER,
      order = "ascending",
      limit = Number.POSITIVE_INFINITY
    } = {}) =>
      Stream.unwrap(
        Effect.gen(function* () {
          yield* gate
          if (from > to)
            return yield* new HistoryRequestInvalid({ field: "from", expected: `at most ${to}`, actual: from })
          if (entries.length === 0 && from === floor) return Stream.empty
          const start = yield* locate(from)
          const end = Math.min(to - floor, entries.length - 1)
          const all = entries.map((bytes, index) => ({ seq: floor + index, bytes })).slice(start, end + 1)
          const ordered = (order === "ascending" ? all : all.reverse()).slice(0, limit)
          return Stream.fromIterable(ordered).pipe(Stream.grouped(3))
        })
      ),
    find: () => Effect.fail(new KeysUndefined({ domain: "ndjson" })),
    explain: () => Effect.fail(new KeysUndefined({ domain: "ndjson" })),
    served: Effect.sync(served),
    changes: Stream.never,
    status: Effect.sync(() => ({
      served: served(),
      nextSeq: floor + entries.length,
      liveChunk: 0,
      chunks: { frozen: 0, freezing: 0, hot: 1 },
      source: Option.none(),
      ingestion: { state: "waiting", problem: Option.some("Cannot write /secret/path") },
      freezing: { state: "idle", problem: Option.none() },
      stages: [],
      retention: { chunks: 0, earliestSeq: 0, wantedFloor: 0, problem: Option.none() },
      keys: Option.none(),
      builds: { chunks: 0, indexes: 0 },
      geometry: { firstSeq: 0, entriesPerChunk: 10, chunksPerWindow: 10 },
      domain: { name: "ndjson", version: 1 },
      engines: { hot: "memory", catalog: "memory" },
      freeSpaceBytes: 1
    }))
  }
  return { history, entries }
}
