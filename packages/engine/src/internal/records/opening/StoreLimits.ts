/** The bounds of a record store, exported by `RecordStore.ts`. */

/** Bytes of rows that a fresh sync collects before it writes them: the default, the least, the most. */
export const defaultArenaBytes: number = 16 * 1024 * 1024
export const minArenaBytes: number = 1024 * 1024
export const maxArenaBytes: number = 512 * 1024 * 1024

/** Records of one call in a resumed sync at most, where a call is one atomic batch. */
export const maxAtomicRecordCount = 100_000

/** Bytes that the rows of such a call may take, places included. */
export const maxAtomicBytes: number = 256 * 1024 * 1024
