/** The record that is being filled: items one after the other, and their sizes. */

/** A buffer that is filled, taken over by an encoder, and filled again. */
export interface PendingRecord {
  payload: Uint8Array
  payloadSizeBytes: number
  sizes: Uint32Array
  itemCount: number
}

const initialPayloadBytes = 4096
const initialItems = 128

/** An empty record for up to `itemsPerRecord` items. */
export const make = (itemsPerRecord: number): PendingRecord => ({
  payload: new Uint8Array(initialPayloadBytes),
  payloadSizeBytes: 0,
  sizes: new Uint32Array(Math.min(itemsPerRecord, initialItems)),
  itemCount: 0
})

/** Copies an item to the end. */
export const add = (record: PendingRecord, item: Uint8Array): void => {
  const sizeBytes = record.payloadSizeBytes + item.length
  if (sizeBytes > record.payload.length) {
    const grown = new Uint8Array(Math.max(sizeBytes, record.payload.length * 2))
    grown.set(record.payload.subarray(0, record.payloadSizeBytes))
    record.payload = grown
  }
  if (record.itemCount === record.sizes.length) {
    const grown = new Uint32Array(record.sizes.length * 2)
    grown.set(record.sizes)
    record.sizes = grown
  }
  record.payload.set(item, record.payloadSizeBytes)
  record.payloadSizeBytes = sizeBytes
  record.sizes[record.itemCount++] = item.length
}

/** Makes it empty and keeps its buffers. */
export const clear = (record: PendingRecord): void => {
  record.payloadSizeBytes = 0
  record.itemCount = 0
}
