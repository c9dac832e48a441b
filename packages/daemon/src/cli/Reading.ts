/**
 * Reading for the commands: from the store itself when it is free, from the daemon that holds it otherwise.
 */
import { StorageLock } from "@icecore/catalog"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer } from "effect"
import { FetchHttpClient, type HttpClient } from "effect/http"
import type { Config } from "../config/Config.ts"
import type { Domain } from "../Domain.ts"
import type { History } from "../History.ts"
import type { Store, StoreOpenError } from "../Store.ts"
import type { CliServices } from "./CliServices.ts"
import { loggerLayer, storeLayer } from "./Composition.ts"
import { RemoteUnreachable } from "./Remote.ts"

/**
 * Runs `local` on the store, opened for reading only; when another process holds the store, runs `remote` instead. Where no
 * daemon answers either, the error names both.
 */
export const read = <E, E2>(
  config: Config,
  local: Effect.Effect<void, E, Store | History | Domain | CliServices>,
  remote: Effect.Effect<void, E2, HttpClient.HttpClient | Disk | CliServices>
): Effect.Effect<void, E | E2 | StoreOpenError | RemoteUnreachable, CliServices> => {
  type Answer = Effect.Effect<void, E | E2 | StoreOpenError | RemoteUnreachable, CliServices>
  const askInstead = (lock: StorageLock.StorageLocked): Answer =>
    Effect.mapError(Effect.provide(remote, Layer.merge(FetchHttpClient.layer, LiveDisk.layer)), (failure) =>
      failure instanceof RemoteUnreachable
        ? new RemoteUnreachable({
            url: failure.url,
            detail: `${failure.detail}. It was asked because: ${lock.message}`
          })
        : failure
    )
  return local.pipe(
    Effect.provide(Layer.provideMerge(storeLayer(config, "readOnly"), loggerLayer(config))),
    Effect.catch(
      (error): Answer => (error instanceof StorageLock.StorageLocked ? askInstead(error) : Effect.fail(error))
    )
  )
}
