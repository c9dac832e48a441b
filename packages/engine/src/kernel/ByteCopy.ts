/** Copies between buffers, a few bytes at a time. */

/** From so many bytes on the runtime's own copy is faster, which needs a view of the source. */
const longSizeBytes = 256

/**
 * Copies the bytes from `start` up to `end`.
 *
 * PERF: of 20 bytes 12 ns in words, 88 ns by `set`; of 150 bytes 51 and 73 ns; of 600 bytes 145 and 81 ns (Bun).
 */
export const copyBytes = (
  target: Uint8Array,
  targetView: DataView,
  at: number,
  source: Uint8Array,
  sourceView: DataView,
  start: number,
  end: number
): void => {
  if (end - start >= longSizeBytes) {
    target.set(source.subarray(start, end), at)
    return
  }
  let from = start
  let to = at
  for (const last = end - 8; from <= last; from += 8, to += 8) {
    const first = sourceView.getInt32(from, true)
    const second = sourceView.getInt32(from + 4, true)
    targetView.setInt32(to, first, true)
    targetView.setInt32(to + 4, second, true)
  }
  for (; from < end; from++, to++) target[to] = source[from]!
}

/** All of a buffer's bytes. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
