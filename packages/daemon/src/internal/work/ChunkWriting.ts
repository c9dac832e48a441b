/** Writes the pack and the key run of a chunk in one pass over its entries. */
import type { Zstd } from "@icecore/codec"
import { type Disk, type DiskError, KeyRun, type KeyRunCorrupt } from "@icecore/packfile"
import { Data, Effect, Option, Stream } from "effect"
import type { ArtifactWorkError, ChunkJob, ChunkWritten, RunJob } from "../../ArtifactWork.ts"
import type { Domain } from "../../Domain.ts"
import * as EntriesPack from "../../EntriesPack.ts"
import type { Entry } from "../../Entry.ts"
import * as RecordSizer from "../../kernel/RecordSizer.ts"
import * as ChunkPass from "./ChunkPass.ts"
import * as NewFiles from "./NewFiles.ts"

/** Records of the preferred size would be too large. The whole chunk was read, so the right size is known. */
class RecordsTooLarge extends Data.Error<{ readonly itemsPerRecord: number }> {
  readonly _tag = "RecordsTooLarge"
}

type Entries<E> = Stream.Stream<ReadonlyArray<Entry>, E>

type Work<A, E = never> = Effect.Effect<A, E | ArtifactWorkError, Disk | Zstd>

/** See `ArtifactWork.writeChunk`. */
export const writeChunk = <E>(domain: Domain, job: ChunkJob, entries: Entries<E>): Work<ChunkWritten, E> =>
  Effect.suspend(() => {
    const first = makeAttempt(domain, job, RecordSizer.preferredItemsPerRecord)
    return Effect.catch(write(first, guarded(first, entries)), (error) =>
      error instanceof RecordsTooLarge
        ? Effect.suspend(() => {
            const second = makeAttempt(domain, job, error.itemsPerRecord)
            return write(second, checked(second.pass, entries))
          })
        : Effect.fail(error)
    )
  })

interface Attempt {
  readonly domain: Domain
  readonly job: ChunkJob
  readonly itemsPerRecord: number
  readonly builder: Option.Option<KeyRun.RunBuilder>
  readonly pass: ChunkPass.ChunkPass
}

const makeAttempt = (domain: Domain, job: ChunkJob, itemsPerRecord: number): Attempt => {
  const hasRun = Option.isSome(domain.keys) || Option.isSome(job.keys)
  const builder = hasRun ? Option.some(KeyRun.builder()) : Option.none()
  return { domain, job, itemsPerRecord, builder, pass: ChunkPass.make(job, domain, Option.getOrUndefined(builder)) }
}

/** The entries, each of them checked and its keys taken, and that all are there. */
const checked = <E>(pass: ChunkPass.ChunkPass, entries: Entries<E>): Entries<E | ChunkPass.PassError> =>
  Stream.concat(
    Stream.mapEffect(entries, (batch) => failWith(ChunkPass.take(pass, batch), batch)),
    Stream.fromEffectDrain(Effect.suspend(() => failWith(ChunkPass.finish(pass), undefined)))
  )

const failWith = <E, A>(fault: E | undefined, value: A): Effect.Effect<A, E> =>
  fault === undefined ? Effect.succeed(value) : Effect.fail(fault)

/**
 * The same for a first attempt. Nothing more comes out of it once a record would be too large, but it is read to its end, for the
 * sizes of all entries.
 */
const guarded = <E>(
  { pass, itemsPerRecord }: Attempt,
  entries: Entries<E>
): Entries<E | ChunkPass.PassError | RecordsTooLarge> => {
  const limit = EntriesPack.maxRecordSizeBytes
  const isTooLarge = () => RecordSizer.largestPreferredBytes(pass.sizer) > limit
  const verdict = Effect.suspend(() => {
    const fitting = RecordSizer.itemsPerRecord(pass.sizer, limit)
    return fitting === itemsPerRecord ? Effect.void : Effect.fail(new RecordsTooLarge({ itemsPerRecord: fitting }))
  })
  return Stream.concat(
    Stream.map(checked(pass, entries), (batch) => (isTooLarge() ? [] : batch)),
    Stream.fromEffectDrain(verdict)
  )
}

/** Writes the files of a job from entries that take the pass with them. */
const write = <E>(attempt: Attempt, entries: Entries<E>): Work<ChunkWritten, E> => {
  const { job } = attempt
  const paths = [job.entries, job.keys].flatMap((file) => (Option.isSome(file) ? [file.value.path] : []))
  return NewFiles.make(paths, writeFiles(attempt, entries))
}

const writeFiles = Effect.fnUntraced(function* <E>(
  { job, itemsPerRecord, builder, pass }: Attempt,
  entries: Entries<E>
): Effect.fn.Return<ChunkWritten, E | ArtifactWorkError, Disk | Zstd> {
  let keys = Option.none<KeyRun.RunSummary>()
  const run = Option.map(builder, (spent) =>
    Effect.tap(finishRun(spent, job.keys), (summary) =>
      Effect.sync(() => {
        keys = Option.as(job.keys, summary)
      })
    )
  )
  if (Option.isSome(job.entries)) {
    const { chunk, firstSeq, entryCount } = job
    const { path } = job.entries.value
    yield* EntriesPack.write({
      path,
      chunk,
      firstSeq,
      entryCount,
      itemsPerRecord,
      entries,
      ...(Option.isSome(run) ? { run: run.value } : {})
    })
  } else {
    yield* Stream.runDrain(entries)
    if (Option.isSome(run)) yield* run.value
  }
  if (Option.isSome(job.keys) && Option.isSome(keys)) yield* readBack(job.keys.value.path, keys.value, job)
  return {
    entries: Option.as(job.entries, { itemsPerRecord, contentSizeBytes: pass.contentSizeBytes }),
    keys
  }
})

const finishRun = (
  builder: KeyRun.RunBuilder,
  target: ChunkJob["keys"]
): Effect.Effect<KeyRun.RunSummary, DiskError, Disk> =>
  Effect.flatMap(builder.finishYielding, (bytes) =>
    Option.match(target, {
      onNone: () => Effect.succeed(KeyRun.summarize(bytes)),
      onSome: ({ path }) => KeyRun.write(path, bytes)
    })
  )

const readBack = (
  path: string,
  expected: KeyRun.RunSummary,
  { firstSeq, windowFirstSeq, entryCount }: ChunkPass.ChunkPlace
): Effect.Effect<void, KeyRunCorrupt | DiskError, Disk> => {
  const minOffset = firstSeq - windowFirstSeq
  return Effect.scoped(
    Effect.flatMap(KeyRun.open(path, expected), (run) =>
      Effect.asVoid(run.verify({ minOffset, maxOffset: minOffset + entryCount - 1 }))
    )
  )
}

/** See `ArtifactWork.writeRun`. */
export const writeRun: (domain: Domain, job: RunJob) => Work<KeyRun.RunSummary> = Effect.fnUntraced(function* (
  domain: Domain,
  job: RunJob
) {
  const { packPath: path, runPath, chunk, firstSeq, entryCount } = job
  const pack = yield* EntriesPack.open({ path, chunk, firstSeq, entryCount })
  const builder = KeyRun.builder()
  const entries = EntriesPack.range(pack, { from: firstSeq, to: firstSeq + entryCount - 1, order: "ascending" })
  yield* Stream.runDrain(checked(ChunkPass.make(job, domain, builder), entries))
  const bytes = yield* builder.finishYielding
  const { keyCount, checksum } = KeyRun.summarize(bytes)
  if (Option.isSome(pack.run) && (pack.run.value.keyCount !== keyCount || pack.run.value.checksum !== checksum)) {
    const detail = `its entries give ${describe({ keyCount, checksum })}, expected ${describe(pack.run.value)}`
    return yield* new EntriesPack.FrozenChunkWrong({ path, chunk, detail })
  }
  return yield* NewFiles.make(
    [runPath],
    Effect.tap(KeyRun.write(runPath, bytes), (summary) => readBack(runPath, summary, job))
  )
}, Effect.scoped)

const describe = ({ keyCount, checksum }: KeyRun.ExpectedRun): string =>
  `a key run of ${keyCount} keys with checksum 0x${checksum.toString(16)}`
