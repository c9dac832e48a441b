/** Jobs and entries for tests of {@link ArtifactWork}. */
import { Disk, type DiskError } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import type { ChunkJob } from "../../src/ArtifactWork.ts"
import type { Entry } from "../../src/Entry.ts"

/** Chunk 3 of a window that begins at seq 100. */
export const chunkJob = (
  directory: string,
  { entryCount, hasKeys = false }: { readonly entryCount: number; readonly hasKeys?: boolean }
): ChunkJob => ({
  chunk: 3,
  firstSeq: 130,
  entryCount,
  windowFirstSeq: 100,
  entries: Option.some({ path: `${directory}/3.pack` }),
  keys: hasKeys ? Option.some({ path: `${directory}/3.bin` }) : Option.none()
})

/** Entry `seq` of a log whose entries have two keys each. */
export const keyedEntry = (seq: number): Entry => ({
  seq,
  bytes: new TextEncoder().encode(
    JSON.stringify({ id: `entry ${seq}`, tags: [`tag ${seq}`], text: "x".repeat(seq % 50) })
  )
})

/** `count` entries from `firstSeq` on, in batches. */
export const keyedEntries = (firstSeq: number, count: number, batchSize = 7): Stream.Stream<ReadonlyArray<Entry>> =>
  Stream.fromIterable(
    Array.from({ length: Math.ceil(count / batchSize) }, (_, batch) =>
      Array.from({ length: Math.min(batchSize, count - batch * batchSize) }, (_, index) =>
        keyedEntry(firstSeq + batch * batchSize + index)
      )
    )
  )

/** The options of a domain that finds both keys. */
export const keyOptions = { keys: ["/id", "/tags"], keyFormat: "text" } as const

/** All bytes of a file. */
export const contentOf = (path: string): Effect.Effect<Uint8Array, DiskError, Disk> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* (yield* Disk).open(path, "read")
      const bytes = new Uint8Array(yield* file.size)
      yield* file.readAt(bytes, 0)
      return bytes
    })
  )

/** The names in a directory. */
export const namesIn = (directory: string): Effect.Effect<ReadonlyArray<string>, DiskError, Disk> =>
  Effect.gen(function* () {
    return (yield* (yield* Disk).list(directory)).map(({ name }) => name)
  })
