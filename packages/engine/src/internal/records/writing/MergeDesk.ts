/**
 * Says what becomes of index entries and counts while records are merged: it is told of every row that came, was replaced or
 * went, and of its old value.
 *
 * The entries of new records are in the intake already. Those of an old value that the new one does not have are appended as
 * removals; those that both have are dropped. No two records have an entry of the same key, and those of one record come in the
 * order of its changes, so that of rows with the same key the last one is right.
 */
import { maxKeySizeBytes } from "../../../Engine.ts"
import { headerSizeBytes, recordsKeyspace } from "../../../format/RecordLayout.ts"
import type { MergeSink } from "../../../kernel/BlockMerge.ts"
import * as RowArena from "../../../kernel/RowArena.ts"
import { RecordCorrupt } from "../../../RecordError.ts"
import { compareBytes } from "../../Bounds.ts"
import type { Intake } from "./Intake.ts"
import { keyFault, type RecordKeys, writeEntryKey } from "./RecordKeys.ts"
import type { SyncSession } from "./SyncSession.ts"

/** A block to put, or one to delete. */
export interface BlockChange {
  readonly keyspace: string
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** Blocks that wait to be written, in the order of their changes. */
export interface BlockChanges {
  readonly changes: Array<BlockChange>
  /** Of those that wait. */
  sizeBytes: number
  /** Of all values that were put, those that are written included. */
  putBytes: number
}

export const makeBlocks = (): BlockChanges => ({ changes: [], sizeBytes: 0, putBytes: 0 })

/** The blocks are written. */
export const forget = (blocks: BlockChanges): void => {
  blocks.changes.length = 0
  blocks.sizeBytes = 0
}

export interface MergeDesk extends MergeSink {
  /** Records by type, with what the merge so far has changed. */
  readonly counts: Map<string, number>
  /** Rows removed so far. */
  removedCount: number
  /** The first old value that does not decode: nothing of the part may be written. */
  fault: RecordCorrupt | undefined
  /** Entries of old values were not removed, because the intake had no room for it. */
  isOverfull: boolean
}

/** Collects the blocks of a merge. */
export const collector = (keyspace: string, blocks: BlockChanges): Pick<MergeSink, "putBlock" | "deleteBlock"> => ({
  putBlock: (key, value) => {
    blocks.changes.push({ keyspace, key, value })
    blocks.sizeBytes += key.length + value.length
    blocks.putBytes += value.length
  },
  deleteBlock: (key) => {
    blocks.changes.push({ keyspace, key, value: undefined })
    blocks.sizeBytes += key.length
  }
})

export interface DeskOptions {
  readonly path: string
  readonly intake: Intake
  readonly blocks: BlockChanges
  readonly session: SyncSession
}

/** The desk of one merge of the records of an intake. */
export const make = ({ blocks, intake, path, session }: DeskOptions): MergeDesk => {
  const { entries, records } = intake
  const { keysByTag } = session
  const counts = new Map(session.counts)
  const entry = new Uint8Array(maxKeySizeBytes + 1)

  const keysOf = (row: number): RecordKeys => keysByTag.get(records.bytes[RowArena.keyStartOf(records, row) + 1]!)!

  const count = (keys: RecordKeys, change: number): void => {
    const { name } = keys.layout.type
    counts.set(name, (counts.get(name) ?? 0) + change)
  }

  const remove = (size: number): void => {
    if (RowArena.append(entries, true, entry, size, noValue) < 0) desk.isOverfull = true
  }

  /** Removes the entries of an old value, but for those among the row's own, which are dropped. */
  const removeEntries = (row: number, keys: RecordKeys, bytes: Uint8Array, start: number, end: number): void => {
    const { indexes, type } = keys.layout
    const keyStart = RowArena.keyStartOf(records, row)
    const keyEnd = keyStart + RowArena.keySizeOf(records, row)
    if (indexes.length === 0) return
    try {
      const old = type.codec.decodeUnsafe(bytes, start, end)
      let attached = records.attachedStart[row]!
      const attachedEnd = attached + records.attachedCount[row]!
      for (let place = 0; place < indexes.length; place++) {
        const index = indexes[place]!
        const isNew = attached < attachedEnd && entries.bytes[RowArena.keyStartOf(entries, attached) + 1] === index.tag
        const header = keys.indexHeaders[place]!
        const primaryStart = keyStart + headerSizeBytes
        const size = writeEntryKey(entry, 0, index, header, old, records.bytes, primaryStart, keyEnd)
        if (size >= 0) {
          if (isNew && isKey(entries, attached, entry, size)) RowArena.drop(entries, attached, 1)
          else remove(size)
        }
        if (isNew) attached++
      }
    } catch (cause) {
      const detail = keyFault(cause)
      if (detail === undefined) throw cause
      desk.fault ??= new RecordCorrupt({ path, type: type.name, key: RowArena.keyOf(records, row).slice(), detail })
    }
  }

  const desk: MergeDesk = {
    ...collector(recordsKeyspace, blocks),
    counts,
    removedCount: 0,
    fault: undefined,
    isOverfull: false,
    onInserted: (row) => count(keysOf(row), 1),
    onReplaced: (row, bytes, start, end) => {
      const value = RowArena.valueOf(records, row)
      // The same record again: what is stored stands.
      if (value.length === end - start && compareBytes(value, bytes.subarray(start, end)) === 0) {
        RowArena.drop(entries, records.attachedStart[row]!, records.attachedCount[row]!)
        return
      }
      removeEntries(row, keysOf(row), bytes, start, end)
    },
    onRemoved: (row, bytes, start, end) => {
      const keys = keysOf(row)
      count(keys, -1)
      desk.removedCount++
      removeEntries(row, keys, bytes, start, end)
    }
  }
  return desk
}

const noValue = new Uint8Array()

const isKey = (arena: RowArena.RowArena, row: number, key: Uint8Array, size: number): boolean =>
  RowArena.keySizeOf(arena, row) === size && compareBytes(RowArena.keyOf(arena, row), key.subarray(0, size)) === 0
