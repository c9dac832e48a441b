/**
 * The outside of an archive, version 1: one file that holds a whole record store. Part of the on-disk format: never change,
 * add a version.
 *
 * ```
 * magic "ICEARCH1"        8
 * manifest length u32     4
 * manifest                MessagePack: the version, then an array of the fields of {@link Manifest} in their order
 * payload                 the parts that the manifest lists, one after the other without gaps
 * footer                 64
 *   SHA-256              32   of the payload
 *   payload length u64    8
 *   payload CRC32C u32    4
 *   manifest CRC32C u32   4   of magic, manifest length and manifest
 *   zero                  4
 *   footer CRC32C u32     4   of the 52 bytes before it
 *   magic "ICEAEND1"      8
 * ```
 *
 * Little-endian. The manifest stands before the payload, so that one read at the start of a file says what it is, and is written
 * last: `padding` keeps its length what it was when the payload was begun.
 */

import type * as RecordType from "../RecordType.ts"
import type { SyncId } from "../SyncRun.ts"

/** How the payload holds the store. */
export type ArchiveEncoding = "pack" | "tar" | "tar+zstd"

/** A sync run as the manifest lists it: all but its token. */
export interface ManifestSync {
  readonly sync_id: SyncId
  readonly type: string
  readonly parent_sync_id?: SyncId
  /** Microseconds since 1970 UTC, as `ended_at`. */
  readonly started_at: number
  /** Absent: it was not finished. */
  readonly ended_at?: number
  readonly counts: Readonly<Record<string, number>>
}

/** A run of bytes of the payload: the packfile of a keyspace, or the one tar. */
export interface ManifestPart {
  /** The keyspace; `database` for a tar. */
  readonly name: string
  /** From the start of the payload. */
  readonly offset_bytes: number
  readonly size_bytes: number
  /** Of the rows, or of the tar, when it is not compressed. */
  readonly decoded_size_bytes: number
  /** Rows of the keyspace; 0 for a tar. */
  readonly row_count: number
}

export interface Manifest {
  readonly format_version: number
  /** The program that wrote the archive. */
  readonly creator: string
  /** Microseconds since 1970 UTC. */
  readonly created_at: number
  /** The engine that the store was on: whose database a tar holds. */
  readonly engine: string
  readonly key_layout_version: number
  readonly encoding: ArchiveEncoding
  readonly types: ReadonlyArray<RecordType.Description>
  readonly syncs: ReadonlyArray<ManifestSync>
  readonly parts: ReadonlyArray<ManifestPart>
}
