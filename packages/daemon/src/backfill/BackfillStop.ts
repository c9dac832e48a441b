/** What ends a backfill before its last chunk. */
import { Effect, type Exit } from "effect"
import type { ArtifactWorkError } from "../ArtifactWork.ts"
import { isTransient, type StorageError } from "../StorageError.ts"

/** Why a chunk was given up. */
export interface Stopped {
  readonly _tag: "Stopped"
  readonly detail: string
}

export const stopped = (detail: string): Stopped => ({ _tag: "Stopped", detail })

/** What keeps older keys or entries from being known keeps ordinary ingestion from going on, too, and is told there. */
export const stoppedBy = (error: { readonly message: string }): Stopped => stopped(error.message)

/** Everything that freezing a chunk can fail with. */
export type ChunkError = Stopped | StorageError | ArtifactWorkError

/** Whether it ends a pass without being a failure of the storage. */
export const isContent = ({ _tag }: ChunkError): boolean => _tag === "Stopped" || _tag === "EntryRefused"

export const describe = (error: ChunkError): string => (error._tag === "Stopped" ? error.detail : error.message)

/** A disk that is full now keeps no entry waiting that a hot database may still take. */
export const orLater = (work: string, failure: Exit.Exit<void, StorageError>): Effect.Effect<void, StorageError> =>
  Effect.catchIf(failure, isTransient, (error) => Effect.logError(`Cannot ${work} now: ${error.message}`))
