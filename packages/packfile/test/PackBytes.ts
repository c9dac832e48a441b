import { readFileSync } from "node:fs"
import { Effect } from "effect"
import { type Disk, PackWriter } from "../src/index.ts"
import { temporaryDirectory } from "./Fixtures.ts"

/** The bytes of a packfile with these items. */
export const packBytes = (
  items: ReadonlyArray<Uint8Array>,
  options: PackWriter.PackWriterOptions,
  appData: Uint8Array = new Uint8Array(0)
): Effect.Effect<Uint8Array, unknown, Disk> =>
  Effect.scoped(
    Effect.gen(function* () {
      const path = `${yield* temporaryDirectory}/made.pack`
      const writer = yield* PackWriter.make(path, options)
      yield* writer.appendAll(items)
      yield* writer.finish(appData)
      return new Uint8Array(readFileSync(path))
    })
  )
