/**
 * Archives of other programs that {@link "./Archive.ts"} can open: each a layer of its own, so that nobody pays for the
 * libraries of a format that he does not read.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { OpenArchive, OpenArchiveOptions, OpenError } from "./Archive.ts"

/** A format that is not ours. It is read only. */
export interface ForeignFormat {
  /** How errors and listings name it: `c1z`. */
  readonly name: string
  /** Whether a file that begins with these bytes, up to 16, is of this format. */
  readonly matches: (head: Uint8Array) => boolean
  /** Opens the file for the scope, under the same limits and with the same promises as our own archives. */
  readonly open: (path: string, options: OpenArchiveOptions) => Effect.Effect<OpenArchive, OpenError, Scope.Scope>
}

/** The formats, asked in order. Empty where nothing is provided. */
export const ArchiveFormats: Context.Reference<ReadonlyArray<ForeignFormat>> = Context.Reference<
  ReadonlyArray<ForeignFormat>
>("@icecore/engine/ArchiveFormats", { defaultValue: () => [] })

/** Adds a format to those that were provided before. */
export const layerAdding = <E, R>(make: Effect.Effect<ForeignFormat, E, R>): Layer.Layer<never, E, R> =>
  Layer.effect(
    ArchiveFormats,
    Effect.gen(function* () {
      const provided = yield* ArchiveFormats
      return [...provided, yield* make]
    })
  )
