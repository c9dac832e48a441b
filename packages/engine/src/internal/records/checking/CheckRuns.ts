/** Checks the rows that a store keeps as they are: sync runs, their index by type, and its bookkeeping. */
import { Ksuid, Tuple } from "@icecore/codec"
import { Effect, Result, Stream } from "effect"
import { Hex } from "effect/encoding"
import type { EngineReadError, Reader, Row } from "../../../Engine.ts"
import { syncOfEntryRun } from "../../../format/EntryRun.ts"
import {
  keyLayoutVersion,
  metaKeyspace,
  schemaKey,
  separator,
  syncBookPrefix,
  syncByTypeTag,
  syncRunTag,
  syncSizeBytes,
  syncsKeyspace
} from "../../../format/RecordLayout.ts"
import { decodeSyncBook, type SyncBook } from "../../../format/StoreSchema.ts"
import type { FindingKind } from "../../../RecordCheck.ts"
import { isFinished, type SyncRun } from "../../../SyncRun.ts"
import { compareBytes } from "../../Bounds.ts"
import { decodeRun } from "../reading/RunReads.ts"
import * as CheckLog from "./CheckLog.ts"

/** A sync that is there. Run and bookkeeping are absent where they are damaged. */
export interface CheckedSync {
  readonly id: string
  readonly sync: Uint8Array
  readonly run: SyncRun | undefined
  book: SyncBook | undefined
}

/** All syncs by the hex of their 20 bytes; their number is what cleanup leaves. */
export const checkRuns: (
  reader: Reader,
  log: CheckLog.CheckLog
) => Effect.Effect<ReadonlyMap<string, CheckedSync>, EngineReadError> = Effect.fnUntraced(function* (reader, log) {
  const syncs = new Map<string, CheckedSync>()
  const indexed = new Map<string, string>()
  yield* Stream.runForEach(reader.scan(syncsKeyspace), (row) =>
    Effect.sync(() => checkSyncsRow(log, syncs, indexed, row))
  )
  checkTypes(log, syncs, indexed)
  yield* Stream.runForEach(reader.scan(metaKeyspace), (row) => Effect.sync(() => checkMetaRow(log, syncs, row)))
  for (const checked of syncs.values()) checkBook(log, checked)
  log.syncCount = syncs.size
  return syncs
})

const checkSyncsRow = (
  log: CheckLog.CheckLog,
  syncs: Map<string, CheckedSync>,
  indexed: Map<string, string>,
  { key, value }: Row
): void => {
  const found = (kind: FindingKind, detail: string): void =>
    CheckLog.add(log, { kind, keyspace: syncsKeyspace, key, detail })
  if (key[0] !== keyLayoutVersion || (key[1] !== syncRunTag && key[1] !== syncByTypeTag)) {
    found("tagUnknown", "it is neither a run nor an entry of the index by type")
    return
  }
  if (key[1] === syncByTypeTag) {
    const entry = readTypeEntry(key)
    if (entry === undefined) {
      found("runDamaged", "it is no entry of the index by type")
      return
    }
    // A second entry of one run is of another type, and one of the two is wrong.
    if (indexed.has(entry.sync)) {
      found("runDamaged", "it is the second entry of its run in the index by type")
      return
    }
    indexed.set(entry.sync, entry.type)
    return
  }
  const run = decodeRun(key, value)
  if (typeof run === "string") found("runDamaged", run)
  if (key.length !== 2 + syncSizeBytes) return
  const sync = key.slice(2)
  const id = Result.getOrElse(Ksuid.fromBytes(sync), () => Hex.encode(sync))
  syncs.set(Hex.encode(sync), { id, sync, run: typeof run === "string" ? undefined : run, book: undefined })
}

/** The entries come behind the runs: both are known now. */
const checkTypes = (
  log: CheckLog.CheckLog,
  syncs: ReadonlyMap<string, CheckedSync>,
  indexed: ReadonlyMap<string, string>
): void => {
  const found = (sync: string, detail: string): void =>
    CheckLog.add(log, { kind: "runDamaged", keyspace: syncsKeyspace, sync, detail })
  for (const [sync, type] of indexed) {
    const checked = syncs.get(sync)
    if (checked === undefined) found(sync, "the index by type has it, and there is no such run")
    else if (checked.run !== undefined && checked.run.type !== type) {
      found(checked.id, `the index by type has it as ${type}, its type is ${checked.run.type}`)
    }
  }
  for (const [sync, { id, run }] of syncs) {
    if (run !== undefined && !indexed.has(sync)) found(id, "the index by type does not have it")
  }
}

const readTypeEntry = (key: Uint8Array): { readonly type: string; readonly sync: string } | undefined => {
  const at = key.length - syncSizeBytes
  if (at < 3 || key[at - 1] !== separator) return undefined
  try {
    return { type: Tuple.readString(key, 2, at - 1), sync: Hex.encode(key.subarray(at)) }
  } catch (cause) {
    if (cause instanceof Tuple.TupleCorrupt) return undefined
    throw cause
  }
}

const checkMetaRow = (log: CheckLog.CheckLog, syncs: ReadonlyMap<string, CheckedSync>, { key, value }: Row): void => {
  if (compareBytes(key, schemaKey()) === 0) return
  const found = (detail: string, sync?: string): void =>
    CheckLog.add(log, {
      kind: "bookkeepingDamaged",
      keyspace: metaKeyspace,
      key,
      ...(sync === undefined ? {} : { sync }),
      detail
    })
  // Entries that wait until a sync is settled or replaced: a crash can leave them, and opening the store removes them.
  if (syncOfEntryRun(key) !== undefined) return
  const prefix = syncBookPrefix()
  if (key.length !== prefix.length + syncSizeBytes || compareBytes(key.subarray(0, prefix.length), prefix) !== 0) {
    found("it is none of the rows that a store keeps")
    return
  }
  const sync = Hex.encode(key.subarray(prefix.length))
  const checked = syncs.get(sync)
  if (checked === undefined) {
    found("there is no such sync", sync)
    return
  }
  const book = decodeSyncBook(value)
  if (Result.isFailure(book)) {
    found(book.failure, checked.id)
    return
  }
  checked.book = book.success
}

const checkBook = (log: CheckLog.CheckLog, { book, id, run }: CheckedSync): void => {
  const found = (detail: string): void =>
    CheckLog.add(log, { kind: "bookkeepingDamaged", keyspace: metaKeyspace, sync: id, detail })
  if (book === undefined) {
    found("it is missing or damaged")
    return
  }
  if (run !== undefined && isFinished(run) && book.indexes === "behind") {
    found("the sync has ended, and its indexes are not complete")
  }
}
