/** Opens the archive that it is given and prints what is in it: run by other runtimes, whose SQLite and zstd are others. */
import { ZstdStreamLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Stream } from "effect"
import * as Access from "../../src/access/index.ts"
import * as C1z from "../../src/c1z/C1z.ts"

const program = Effect.gen(function* () {
  const { reader, report } = yield* C1z.open(process.argv[2]!)
  const names = yield* Stream.runCollect(reader.stream(Access.ResourceType))
  const resources = yield* Stream.runCollect(reader.stream(Access.Resource))
  return { ids: names.map(({ external_id }) => external_id), resourceCount: resources.length, kept: report.kept }
}).pipe(
  Effect.catch((error) => Effect.succeed({ tag: error._tag, message: error.message })),
  Effect.scoped,
  Effect.provide(Layer.merge(LiveDisk.layer, ZstdStreamLive.layer))
)

console.log(JSON.stringify(await Effect.runPromise(program)))
