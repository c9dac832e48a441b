import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LiveDisk } from "../src/live/index.ts"
import { DiskConformance } from "../src/testing/index.ts"

const root = mkdtempSync(join(tmpdir(), "icecore-disk-"))
afterAll(() => rmSync(root, { recursive: true }))

describe("LiveDisk conformance", () => {
  for (const { name, run } of DiskConformance.diskConformance(root)) {
    it.effect(name, () => run.pipe(Effect.provide(LiveDisk.layer)))
  }
})
