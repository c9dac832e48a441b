/** What the tests of this package share. */
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"

const vectorsDirectory = new URL("../../../../shared/vectors/", import.meta.url).pathname

export const hasVectors: boolean = existsSync(`${vectorsDirectory}vectors.json`)
export const missingVectors = "skipped: the folder ../shared/vectors is absent"

export const vectorPath = (file: string): string => vectorsDirectory + file

export interface PackVector {
  readonly file: string
  readonly sha256: string
  readonly itemsPerRecord: number
  readonly format: number
  readonly encoding: "none" | "zstd"
  readonly contentHash: boolean
  readonly appDataHex: string
  readonly itemCount: number
  readonly itemSizes: ReadonlyArray<number>
  readonly itemSha256: ReadonlyArray<string>
}

export interface Vectors {
  readonly packs: ReadonlyArray<PackVector>
  readonly corruptPacks: ReadonlyArray<{
    readonly file: string
    readonly reason: string
    readonly detectedOn: "open" | "read" | "verify"
  }>
  readonly offsetIndexes: ReadonlyArray<{ readonly recordSizes: ReadonlyArray<number>; readonly hex: string }>
}

/** The golden numbers; empty lists when the folder is absent. */
export const vectors = (): Vectors =>
  hasVectors
    ? JSON.parse(readFileSync(`${vectorsDirectory}vectors.json`, "utf8"))
    : { packs: [], corruptPacks: [], offsetIndexes: [] }

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** A directory that goes with the scope. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "icecore-packfile-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** Small, fast, seeded: the 32-bit generator "mulberry32". Uniform in [0, 2^32). */
export const randomNumbers = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}
