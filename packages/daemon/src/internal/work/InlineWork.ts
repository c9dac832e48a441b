/** The work itself, on whichever thread it is called. */
import { Zstd } from "@icecore/codec"
import { Disk, KeyIndex } from "@icecore/packfile"
import { type Context, Effect, Stream } from "effect"
import type { ArtifactWork, ArtifactWorkError, ChunkJob } from "../../ArtifactWork.ts"
import type { Domain } from "../../Domain.ts"
import type { Entry } from "../../Entry.ts"
import * as ChunkWriting from "./ChunkWriting.ts"
import * as NewFiles from "./NewFiles.ts"

export interface WorkServices {
  readonly disk: Disk
  readonly zstd: Zstd
  readonly domain: Domain
}

export const make = ({ disk, zstd, domain }: WorkServices): ArtifactWork => {
  const provided = <A, E>(effect: Effect.Effect<A, E, Disk | Zstd>): Effect.Effect<A, E> =>
    effect.pipe(Effect.provideService(Disk, disk), Effect.provideService(Zstd, zstd))
  const writeChunk = <E, R>(job: ChunkJob, entries: Stream.Stream<ReadonlyArray<Entry>, E, R>) =>
    Effect.contextWith((context: Context.Context<R>) =>
      provided(ChunkWriting.writeChunk(domain, job, Stream.provideContext(entries, context)))
    )
  return {
    domain,
    workerCount: 0,
    writeChunk,
    writeRun: (job) => provided(ChunkWriting.writeRun(domain, job)),
    buildIndex: (options) => provided(buildIndex(options))
  }
}

const buildIndex = (
  options: KeyIndex.BuildOptions
): Effect.Effect<KeyIndex.IndexSummary, ArtifactWorkError, Disk | Zstd> =>
  NewFiles.make(
    [options.path],
    Effect.tap(KeyIndex.build(options), () =>
      Effect.scoped(Effect.flatMap(KeyIndex.open(options.path, { residentLimitBytes: 0 }), (index) => index.verify))
    )
  )
