/**
 * A backup by the daemon that holds the store.
 */
import type { Disk } from "@icecore/packfile"
import { Data, Effect, Option, Predicate, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { Config } from "../config/Config.ts"
import * as BackupRoute from "../http/BackupRoute.ts"
import { storeHeader } from "../http/ServeOptions.ts"
import type { BackupProgress, BackupReport } from "../StoreBackup.ts"
import * as Remote from "./Remote.ts"
import * as StoreId from "./StoreId.ts"

/** The daemon could not make the backup. */
export class RemoteBackupFailed extends Data.Error<{ readonly detail: string }> {
  readonly _tag = "RemoteBackupFailed"
  override readonly name = "RemoteBackupFailed"
  override get message(): string {
    return this.detail
  }
}

/** Lets the daemon back up into a directory, absolute as the daemon sees it. Interrupting it stops the backup there. */
export const backup: (
  config: Config,
  directory: string,
  onProgress: (progress: BackupProgress) => void
) => Effect.Effect<BackupReport, Remote.RemoteError | RemoteBackupFailed, HttpClient.HttpClient | Disk> =
  Effect.fnUntraced(function* (config: Config, directory: string, onProgress) {
    const url = Remote.urlOf(config)
    const unreachable = (detail: string) => new Remote.RemoteUnreachable({ url, detail })
    const client = yield* HttpClient.HttpClient
    const id = yield* Effect.mapError(StoreId.of(config.storage.dataDir), ({ message }) => unreachable(message))
    const request = HttpClientRequest.post(`${url}${BackupRoute.path}`).pipe(
      HttpClientRequest.setHeader(
        storeHeader,
        Option.getOrElse(id, () => "")
      ),
      HttpClientRequest.bodyJsonUnsafe({ directory }),
      Option.match(config.serve.token, {
        onNone: () => (self) => self,
        onSome: (token) => HttpClientRequest.bearerToken(token)
      })
    )
    const response = yield* client.execute(request).pipe(
      Effect.timeout(config.serve.deadline * 2),
      Effect.mapError(({ message }) => unreachable(message))
    )
    if (!Option.contains(id, response.headers[storeHeader]))
      return yield* unreachable(`it serves another store than ${config.storage.dataDir}`)
    if (response.status !== 200) {
      const problem = yield* Effect.orElseSucceed(response.json, () => undefined)
      const detail = Predicate.hasProperty(problem, "message") ? String(problem.message) : "No answer"
      return yield* new Remote.RemoteRefused({ url, status: response.status, detail })
    }
    let report = Option.none<BackupReport>()
    let failure = Option.none<string>()
    yield* response.stream.pipe(
      Stream.decodeText(),
      Stream.splitLines,
      Stream.runForEach((text) =>
        Effect.sync(() => {
          const line: unknown = JSON.parse(text)
          if (Predicate.hasProperty(line, "progress")) onProgress(line.progress as BackupProgress)
          if (Predicate.hasProperty(line, "report")) report = Option.some(line.report as BackupReport)
          if (Predicate.hasProperty(line, "error")) failure = Option.some(String(line.error))
        })
      ),
      Effect.mapError(({ message }) => unreachable(message))
    )
    if (Option.isSome(report)) return report.value
    return yield* new RemoteBackupFailed({
      detail: Option.getOrElse(failure, () => `Cannot back up to ${directory}: the daemon ended before the backup did`)
    })
  })
