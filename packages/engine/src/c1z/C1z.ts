/**
 * The older archives: `C1ZF\0` and one zstd stream of an SQLite database. They are read only.
 *
 * ```ts
 * import { Archive } from "@icecore/engine"
 * import * as C1z from "@icecore/engine/c1z"
 *
 * const program = Effect.scoped(Archive.open("sync.c1z")).pipe(Effect.provide(C1z.layer))
 * ```
 *
 * Opening one unpacks it into a private directory, reads every row, and writes it as a record of `@icecore/engine/access`
 * into a record store beside it, which is what is read. Nothing of a row is lost: what no field of its record holds is kept as an
 * annotation, and {@link C1zReport} counts that and what is not in the records at all.
 */
import type { ZstdStream } from "@icecore/codec"
import type { Disk } from "@icecore/packfile"
import { Effect, type Layer, type Scope } from "effect"
import type { OpenArchive, OpenArchiveOptions, OpenError } from "../Archive.ts"
import * as ArchiveFormats from "../ArchiveFormats.ts"
import type { C1zReport } from "./C1zReport.ts"

export { type C1zError, C1zLimitExceeded, C1zRowInvalid, C1zSchemaInvalid, C1zUnreadable } from "./C1zError.ts"
export type { C1zReport, TableReport } from "./C1zReport.ts"

/** An older archive that is open for a scope. */
export interface OpenC1z extends OpenArchive {
  /** What became of its rows. Also in `info`. */
  readonly report: C1zReport
}

/** Opens an older archive for the scope: its sync runs keep their ids, times and tokens, and one without an end stays so. */
export const open: (
  path: string,
  options?: OpenArchiveOptions
) => Effect.Effect<OpenC1z, OpenError, Disk | ZstdStream | Scope.Scope> = Effect.fn("C1z.open")(
  (_path: string, _options?: OpenArchiveOptions) => Effect.die("not built yet")
)

const magic = new TextEncoder().encode("C1ZF\0")

/** Lets `Archive.open` and its like read older archives. */
export const layer: Layer.Layer<never, never, Disk | ZstdStream> = ArchiveFormats.layerAdding(
  Effect.map(Effect.context<Disk | ZstdStream>(), (context) => ({
    name: "c1z",
    matches: (head) => magic.every((byte, at) => head[at] === byte),
    open: (path, options) => Effect.provide(open(path, options), context)
  }))
)
