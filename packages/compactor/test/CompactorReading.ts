/** Readers of a sync that is compacted again and again: each snapshot must have one version of it, whole. */
import { type Archive, type EngineError, RecordReader, type RecordStore, type SyncRun } from "@icecore/engine"
import { Grant } from "@icecore/engine/access"
import { Effect, Stream } from "effect"
import { grantOf, versionOf } from "./CompactorFixtures.ts"

/** Grants of each version of the sync, by the version that all of them are of. */
export type GrantCounts = Readonly<Record<number, number>>

/** Of calls, in milliseconds. */
export interface Latencies {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface ReadingOptions {
  readonly source: Archive.ArchiveSource
  readonly sync: SyncRun.SyncId
  readonly counts: GrantCounts
  readonly readerCount: number
  readonly seconds: number
  /** Default: the reader as it is. */
  readonly watch?: (reader: RecordReader.RecordReader) => RecordReader.RecordReader
}

/** Between two rounds of one reader, at most, and rounds of which one reads everything. */
const roundMillis = 20
const roundsPerScan = 40

/** Of the time, while the program is not yet warm: calls do not count. */
const warmingPart = 0.25

const asItIs = (reader: RecordReader.RecordReader): RecordReader.RecordReader => reader

type ReadingError = EngineError | RecordStore.RecordWriteError | RecordReader.RecordListError

/**
 * Reads over snapshots with so many readers. A round is a grant by its key and a page by an index; some read all of the sync in two
 * orders. The first call of a round counts from when it was due, so that a busy event loop shows.
 */
export const readAll: (options: ReadingOptions) => Effect.Effect<Latencies, ReadingError> = Effect.fnUntraced(
  function* ({ counts, readerCount, seconds, source, sync, watch = asItIs }) {
    const millis: Array<number> = []
    const begunMillis = performance.now()
    const warmMillis = begunMillis + seconds * 1_000 * warmingPart
    const endMillis = begunMillis + seconds * 1_000
    const took = (sinceMillis: number): void => {
      const nowMillis = performance.now()
      if (nowMillis > warmMillis) millis.push(nowMillis - sinceMillis)
    }
    const round = Effect.fnUntraced(function* (isScan: boolean, dueMillis: number) {
      const snapshot = yield* source.snapshot
      const reader = watch(yield* RecordReader.make({ reader: Effect.succeed(snapshot), path: source.path }))
      const [first] = yield* reader.getMany(Grant, [{ external_id: grantOf(0, 1).external_id }], { sync })
      took(dueMillis)
      if (first?._tag !== "Some") throw new Error("a grant of both versions is not there")
      const version = versionOf(first.value)
      const require = (grants: ReadonlyArray<Grant>): void => {
        const other = grants.find((grant) => versionOf(grant) !== version)
        if (other !== undefined) throw new Error(`a snapshot of version ${version} has ${JSON.stringify(other)}`)
      }
      const listMillis = performance.now()
      const page = yield* reader.list(Grant, { sync, index: "by_principal", pageSize: 20 })
      took(listMillis)
      require(page.items)
      for (const index of isScan ? ([undefined, "by_principal"] as const) : []) {
        let count = 0
        yield* Stream.runForEachArray(
          reader.stream(Grant, { sync, ...(index === undefined ? {} : { index }) }),
          (grants) =>
            Effect.sync(() => {
              require(grants)
              count += grants.length
            })
        )
        if (count !== counts[version]) throw new Error(`version ${version} has ${count} grants by ${index}`)
      }
    }, Effect.scoped)
    const readOn = Effect.fnUntraced(function* (number: number) {
      for (let done = number * 5 + 1; performance.now() < endMillis; done++) {
        const pause = Math.random() * roundMillis
        const dueMillis = performance.now() + pause
        yield* Effect.sleep(pause)
        yield* round(done % roundsPerScan === 0, dueMillis)
      }
    })
    yield* Effect.forEach(
      Array.from({ length: readerCount }, (_, number) => number),
      readOn,
      {
        concurrency: "unbounded",
        discard: true
      }
    )
    millis.sort((left, right) => left - right)
    const at = (part: number) => Math.round((millis[Math.floor((millis.length - 1) * part)] ?? 0) * 100) / 100
    return { count: millis.length, p50: at(0.5), p99: at(0.99), max: at(1) }
  }
)
