/**
 * What every {@link Disk} has to do, as plain data: a runner turns each case into a test, with a directory of its own.
 *
 * Durability cannot be seen from within a running machine and is not in here: the crash enumerations show what needs it.
 */
import { Effect, type Scope } from "effect"
import { Disk, type DiskError, type DiskLocked } from "../Disk.ts"
import { directoryCases } from "./conformance/DirectoryCases.ts"
import { fileCases } from "./conformance/FileCases.ts"
import { lockCases } from "./conformance/LockCases.ts"
import { openCases } from "./conformance/OpenCases.ts"

export interface ConformanceCase {
  /** A sentence that starts with the operation. Unique. */
  readonly name: string
  /** Dies when the disk does something else. */
  readonly run: Effect.Effect<void, DiskError | DiskLocked, Disk | Scope.Scope>
}

/** All cases. Each makes a directory of its own, and leaves it, in `root`, which must exist and be empty. */
export const diskConformance = (root: string): ReadonlyArray<ConformanceCase> =>
  Object.entries(cases).map(([name, run], index) => ({
    name,
    run: Effect.gen(function* () {
      const disk = yield* Disk
      const directory = `${root}/case-${index}`
      yield* disk.makeDirectory(directory)
      yield* run(directory)
    })
  }))

const cases = { ...openCases, ...fileCases, ...directoryCases, ...lockCases }
