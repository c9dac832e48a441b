/** What a prune would remove: of the retention that a store is open with, or of another. */
import { type CatalogReadError, Geometry, Layout, Retention } from "@icecore/catalog"
import type { Disk, DiskError } from "@icecore/packfile"
import { Effect, Option, Stream } from "effect"
import * as FileCopy from "./backup/FileCopy.ts"
import * as Upkeep from "./lifecycle/Upkeep.ts"

export interface PrunePlan {
  /** Lowest seq that is served now. */
  readonly floor: number
  /** Lowest seq that is served when it is done. */
  readonly nextFloor: number
  /** The first chunk that stays. */
  readonly floorChunk: number
  /** Chunks that lose their frozen entries. */
  readonly chunkCount: number
  /** Everything that goes: artifacts, key runs and key indexes. */
  readonly artifactCount: number
  /** Hot databases that go. */
  readonly hotCount: number
  /** Bytes of the files and databases that go. */
  readonly sizeBytes: number
  /** Files and databases that go, by path, ascending in each kind; the first {@link maxPaths} of them. */
  readonly paths: ReadonlyArray<string>
}

/** Paths that a plan lists at most. */
export const maxPaths = 1_000

/** Reads the keys below the floor, and the sizes of what they name. */
export const make = (upkeep: Upkeep.Upkeep, disk: Disk): Effect.Effect<PrunePlan, CatalogReadError | DiskError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { catalog, state } = upkeep
      const { layout } = catalog
      const floorChunk = Upkeep.wantedFloorChunk(upkeep)
      const snapshot = yield* catalog.snapshot
      let chunkCount = 0
      let artifactCount = 0
      let hotCount = 0
      const paths: Array<string> = []
      let sizeBytes = 0
      yield* Stream.runForEach(Retention.doomed(snapshot, floorChunk), (key) =>
        Effect.gen(function* () {
          const files = key._tag === "Hot" ? [Layout.hotPath(layout, key.chunk)] : Layout.filesOf(layout, key)
          if (key._tag === "Hot") hotCount++
          else artifactCount++
          if (key._tag === "Chunk" && key.kind === "entries") chunkCount++
          for (const path of files) {
            if (paths.length < maxPaths) paths.push(path)
            sizeBytes += yield* sizeOf(disk, path)
          }
        })
      )
      const nextFloor = Math.max(Upkeep.floorSeq(upkeep), Geometry.firstSeqOf(state.geometry, floorChunk))
      return { floor: state.floor, nextFloor, floorChunk, chunkCount, artifactCount, hotCount, sizeBytes, paths }
    })
  )

/** Bytes of a file, or of all files of a database; 0 of what is not there. */
const sizeOf = (disk: Disk, path: string): Effect.Effect<number, DiskError> =>
  Effect.flatMap(disk.stat(path), (info) => {
    if (Option.isNone(info)) return Effect.succeed(0)
    return info.value.kind === "directory" ? FileCopy.sizeOfTree(disk, path) : Effect.succeed(info.value.sizeBytes)
  })
