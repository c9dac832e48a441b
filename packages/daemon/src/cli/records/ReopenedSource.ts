/**
 * A source that is open only while it is read: of thousands, each with files and memory of its own, only some can be open at once.
 */
import type { Source } from "@icecore/compactor"
import {
  type Archive,
  EngineFailed,
  type EngineReadError,
  type Reader,
  RecordReader,
  type RecordType
} from "@icecore/engine"
import { Context, Effect, Option, Scope } from "effect"
import type { RecordServices } from "./RecordServices.ts"
import * as RecordSource from "./RecordSource.ts"

export interface ReopenedOptions extends RecordSource.OpenOptions {
  readonly limits: Archive.ArchiveLimits
  /** The types that it has. */
  readonly types: ReadonlyArray<RecordType.Any>
}

/** Moments of a source for as long as it is open. Whoever closes it takes them away: they keep what was read. */
export interface OpenedSnapshot {
  snapshot: Archive.ArchiveSource["snapshot"] | undefined
}

/**
 * A source that is open already, which is opened anew for each moment that is read of it once `opened` has none. What it cannot be opened
 * for then is `EngineFailed`.
 */
export const make: (
  source: RecordSource.RecordSource,
  opened: OpenedSnapshot,
  options: ReopenedOptions
) => Effect.Effect<Source.Source, RecordReader.RecordReadError, RecordServices | Scope.Scope | Scope.Scope> =
  Effect.fnUntraced(function* ({ path, source: { engineName } }, opened, options) {
    // Without the scope of the caller, in which what is opened again would stay open.
    const services = Context.omit(Scope.Scope)(yield* Effect.context<RecordServices | Scope.Scope>())
    const reopen = Effect.flatMap(RecordSource.open(path, options.limits, options), (again) => again.source.snapshot)
    const snapshot: Effect.Effect<Reader, EngineReadError, Scope.Scope> = Effect.suspend(
      () => opened.snapshot ?? reopen
    ).pipe(
      Effect.mapError((error) => new EngineFailed({ path, operation: "open", detail: error.message })),
      Effect.provideContext(services)
    )
    const reader = yield* RecordReader.make({ reader: snapshot, path, types: options.types })
    return { reader, source: { path, engineName, snapshot } }
  })

/** Whether opening a source costs little, so that it can be done for each read: nothing has to be unpacked. */
export const isCheap = ({ info, kind }: RecordSource.RecordSource): boolean =>
  kind === "store" ||
  Option.exists(info, ({ format, manifest }) => format === "icearch" && manifest.encoding === "pack")
