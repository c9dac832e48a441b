/** What an archive says of the store in it. */
import { Clock, Effect } from "effect"
import * as ArchiveFormat from "../../format/ArchiveFormat.ts"
import { keyLayoutVersion } from "../../format/RecordLayout.ts"
import { SyncNotFound } from "../../RecordError.ts"
import type { RecordReadError, RecordReader } from "../../RecordReader.ts"
import * as RecordType from "../../RecordType.ts"
import type { SyncId, SyncRun } from "../../SyncRun.ts"

/** The program that saves, when the caller names none. */
const defaultCreator = "icecore"

export interface ManifestOptions {
  readonly reader: RecordReader
  readonly engineName: string
  readonly encoding: ArchiveFormat.ArchiveEncoding
  readonly creator: string | undefined
  /** Only these. Default: all. */
  readonly syncs?: ReadonlyArray<SyncId> | undefined
  readonly parts: ReadonlyArray<ArchiveFormat.ManifestPart>
}

/** The manifest of what a reader reads, as of now. */
export const make: (options: ManifestOptions) => Effect.Effect<ArchiveFormat.Manifest, RecordReadError> =
  Effect.fnUntraced(function* ({ creator = defaultCreator, encoding, engineName, parts, reader, syncs }) {
    const runs = yield* reader.listSyncs
    const missing = syncs?.find((sync) => !runs.some(({ sync_id }) => sync_id === sync))
    if (missing !== undefined) return yield* new SyncNotFound({ path: reader.path, sync: missing })
    const kept = syncs === undefined ? runs : runs.filter(({ sync_id }) => syncs.includes(sync_id))
    return {
      format_version: ArchiveFormat.formatVersion,
      creator,
      created_at: (yield* Clock.currentTimeMillis) * 1000,
      engine: engineName,
      key_layout_version: keyLayoutVersion,
      encoding,
      types: reader.types.map(RecordType.describe),
      syncs: kept.map(manifestSync),
      parts
    }
  })

/** All of a run but its token, which may be large. */
export const manifestSync = ({ token: _, ...run }: SyncRun): ArchiveFormat.ManifestSync => run
