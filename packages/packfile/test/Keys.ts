/** Keys, runs and indexes for tests. */
import { Effect, type Scope } from "effect"
import {
  Disk,
  type DiskError,
  type KeyIndex,
  type KeyIndexDuplicateKey,
  KeyRun,
  type KeyRunCorrupt
} from "../src/index.ts"
import * as IndexBuild from "../src/internal/IndexBuild.ts"
import * as NewFile from "../src/internal/NewFile.ts"
import { CrashRecorder, SimulatedDisk } from "../src/testing/index.ts"

/** A key of an entry, by the entry's offset from the window's first seq. */
export interface KeyRow {
  readonly key: Uint8Array
  readonly offset: number
}

export const randomKey = (next: () => number): Uint8Array => {
  const key = new Uint8Array(32)
  const view = new DataView(key.buffer)
  for (let at = 0; at < key.length; at += 4) view.setUint32(at, next())
  return key
}

export const keyOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

export const runBytes = (rows: ReadonlyArray<KeyRow>): Uint8Array => {
  const builder = KeyRun.builder()
  for (const { key, offset } of rows) builder.add(key, offset)
  return builder.finish()
}

/** Writes a run for each list of rows, and says what is expected of each. */
export const writeRuns = (
  lists: ReadonlyArray<ReadonlyArray<KeyRow>>
): Effect.Effect<Array<{ readonly path: string; readonly expected: KeyRun.RunSummary }>, DiskError, Disk> =>
  Effect.forEach(lists, (rows, at) =>
    Effect.map(KeyRun.write(`/${at}.bin`, runBytes(rows)), (expected) => ({ path: `/${at}.bin`, expected }))
  )

/** Options of a build over one chunk that begins where its window does. */
export const orderOf = (
  runs: KeyIndex.BuildOptions["runs"],
  options: Partial<KeyIndex.BuildOptions> = {}
): KeyIndex.BuildOptions & { readonly duplicates: KeyIndex.DuplicatePolicy } => ({
  path: "/keys.idx",
  runs,
  coverage: { window: 0, lo: 0, hi: 0 },
  windowFirstSeq: 0,
  coverageFirstSeq: 0,
  coverageLastSeq: 1_000_000,
  duplicates: "error",
  ...options
})

/** Builds with limits that small inputs reach. */
export const buildSmall = (
  order: ReturnType<typeof orderOf>,
  settings: Partial<IndexBuild.BuildSettings> & { readonly blockSize?: number } = {}
): Effect.Effect<IndexBuild.Built, KeyIndexDuplicateKey | KeyRunCorrupt | DiskError, Disk> =>
  NewFile.create(order.path, (file) =>
    IndexBuild.writeTo(file, order, {
      ...IndexBuild.defaultSettings,
      keysPerBlock: () => settings.blockSize ?? 4096,
      ...settings
    })
  )

export const readFile = (path: string): Effect.Effect<Uint8Array, DiskError, Disk> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* (yield* Disk).open(path, "read")
      const bytes = new Uint8Array(yield* file.size)
      yield* file.readAt(bytes, 0)
      return bytes
    })
  )

export const replaceFile = (path: string, bytes: Uint8Array): Effect.Effect<void, DiskError, Disk> =>
  Effect.scoped(
    Effect.flatMap(
      Effect.flatMap(Disk, (disk) => disk.open(path, "replace")),
      (file) => file.writeAt(bytes, 0)
    )
  )

/** Runs on an empty disk in memory. */
export const onDisk = <A, E>(effect: Effect.Effect<A, E, Disk | Scope.Scope>): Effect.Effect<A, E> =>
  Effect.provideService(Effect.scoped(effect), Disk, SimulatedDisk.make(CrashRecorder.make()).disk)
