/**
 * The HTTP service: the routes behind their guard, on an {@link HttpServer}.
 */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import type { Domain } from "../Domain.ts"
import type { History } from "../History.ts"
import * as BackupRoute from "./BackupRoute.ts"
import * as Guard from "./Guard.ts"
import * as Routes from "./Routes.ts"
import type { ServeOptions } from "./ServeOptions.ts"

/** Serves for as long as the layer lives. A `Store` in its context can be backed up through it. The server is `layerNode` of `live/NodeHttp`, or a test's. */
export const layer = (options: ServeOptions): Layer.Layer<never, never, HttpServer.HttpServer | History | Domain> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* HttpServer.HttpServer
      const guard = yield* Guard.make(options)
      const app = yield* HttpRouter.toHttpEffect(Layer.merge(Routes.layer(options), BackupRoute.layer(options)))
      yield* server.serve(guard(app))
    })
  )
