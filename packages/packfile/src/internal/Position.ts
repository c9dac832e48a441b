/** Positions and sizes of an open file. Systems take a negative one for "where the cursor is", and runtimes NaN too. */
import { DiskFailed, type DiskOperation } from "../Disk.ts"

/** What is wrong with a position or size; undefined when nothing is. */
export const positionFault = (operation: DiskOperation, path: string, positionBytes: number): DiskFailed | undefined =>
  Number.isSafeInteger(positionBytes) && positionBytes >= 0
    ? undefined
    : new DiskFailed({
        operation,
        path,
        code: "EINVAL",
        detail: `the position is ${positionBytes}, expected 0 to 2^53 - 1`
      })
