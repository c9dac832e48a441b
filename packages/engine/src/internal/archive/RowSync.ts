/** Which sync a row of a record store belongs to. */
import * as RecordLayout from "../../format/RecordLayout.ts"

/** The 20 bytes of its sync; undefined for a row of the whole store, and for one that the layout does not have. */
export const syncOfRow = (keyspace: string, key: Uint8Array): Uint8Array | undefined => {
  switch (keyspace) {
    case RecordLayout.recordsKeyspace:
    case RecordLayout.indexesKeyspace:
      return key.length < RecordLayout.headerSizeBytes ? undefined : key.subarray(2, RecordLayout.headerSizeBytes)
    case RecordLayout.syncsKeyspace:
      // The key of a run ends in it, and so does its entry by type.
      return key.length < RecordLayout.headerSizeBytes
        ? undefined
        : key.subarray(key.length - RecordLayout.syncSizeBytes)
    case RecordLayout.metaKeyspace: {
      const prefix = RecordLayout.syncBookPrefix()
      const isBook =
        key.length === prefix.length + RecordLayout.syncSizeBytes && prefix.every((byte, at) => key[at] === byte)
      return isBook ? key.subarray(prefix.length) : undefined
    }
    default:
      return undefined
  }
}
