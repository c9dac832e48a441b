/** `Archive.verify`: the bytes, then the rows, then the records. */
import { Effect, Stream } from "effect"
import type { ArchiveServices, OpenArchive, OpenError, Verification, VerifyOptions } from "../../Archive.ts"
import { ArchiveCorrupt } from "../../ArchiveError.ts"
import * as RecordType from "../../RecordType.ts"
import { checkedPayload } from "./ArchiveOutside.ts"
import * as MakeManifest from "./MakeManifest.ts"
import { openPack, openTar, probe } from "./OpenArchive.ts"

export const verifyArchive: (
  path: string,
  options: VerifyOptions
) => Effect.Effect<Verification, OpenError, ArchiveServices> = Effect.fnUntraced(function* (
  path: string,
  options: VerifyOptions
) {
  const archive = yield* openVerified(path, options)
  const { info, reader } = archive
  if (info.format === "icearch") {
    const said = JSON.stringify(info.manifest.syncs)
    const held = JSON.stringify((yield* reader.listSyncs).map(MakeManifest.manifestSync))
    if (said !== held) {
      return yield* new ArchiveCorrupt({ path, part: "manifest", detail: "its sync runs are not those of the store" })
    }
    // Declared types are those of the caller.
    if (
      options.types === undefined &&
      JSON.stringify(info.manifest.types) !== JSON.stringify(reader.types.map(RecordType.describe))
    ) {
      return yield* new ArchiveCorrupt({ path, part: "manifest", detail: "its types are not those of the store" })
    }
  }
  return { info, check: yield* reader.check(options.check) }
}, Effect.scoped)

const openVerified = Effect.fnUntraced(function* (path: string, options: VerifyOptions) {
  const probed = yield* probe(path, options)
  if (probed.kind === "foreign") return yield* probed.format.open(path, options)
  // Unpacking a tar reads all of it against its hash.
  if (probed.outside.manifest.encoding !== "pack") return yield* openTar(probed, options)
  yield* Stream.runDrain(checkedPayload(probed.outside))
  const { archive, rows } = yield* openPack(probed, options)
  yield* rows.verify
  const verified: OpenArchive = archive
  return verified
})
