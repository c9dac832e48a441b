/**
 * How many items fit into a record of a pack when its decoded size has a bound.
 *
 * Readers decode whole records, and a writer holds a few in memory, so 128 entries of a megabyte cannot share one. The sizer
 * watches the sizes go by and knows at the end, for every power of two up to 128, the largest record that grouping makes.
 */

/** Items of a record where the bound allows it. A power of two. */
export const preferredItemsPerRecord = 128

/** `preferred`, and every power of two below it. */
const groupings: ReadonlyArray<number> = [128, 64, 32, 16, 8, 4, 2, 1]

export interface RecordSizer {
  itemCount: number
  /** Bytes in the open record, for each of the groupings. */
  readonly openBytes: Float64Array
  /** Bytes of the largest record so far, for each of the groupings. */
  readonly largestBytes: Float64Array
}

export const make = (): RecordSizer => ({
  itemCount: 0,
  openBytes: new Float64Array(groupings.length),
  largestBytes: new Float64Array(groupings.length)
})

/** Takes in the size of the next item. */
export const add = (sizer: RecordSizer, sizeBytes: number): void => {
  const { itemCount, openBytes, largestBytes } = sizer
  for (let index = 0; index < groupings.length; index++) {
    const startsRecord = itemCount % groupings[index]! === 0
    const open = startsRecord ? sizeBytes : openBytes[index]! + sizeBytes
    openBytes[index] = open
    if (open > largestBytes[index]!) largestBytes[index] = open
  }
  sizer.itemCount = itemCount + 1
}

/** Bytes of the largest record with {@link preferredItemsPerRecord} items so far. */
export const largestPreferredBytes = (sizer: RecordSizer): number => sizer.largestBytes[0]!

/** The most items per record that keep every record within the bound; 1 when a single item is over it. */
export const itemsPerRecord = (sizer: RecordSizer, maxRecordBytes: number): number => {
  for (let index = 0; index < groupings.length; index++)
    if (sizer.largestBytes[index]! <= maxRecordBytes) return groupings[index]!
  return 1
}
