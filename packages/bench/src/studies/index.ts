/**
 * All studies.
 */
import type { Study } from "../Study.ts"
import { compactorStudies } from "./CompactorStudies.ts"

export const studies: ReadonlyArray<Study> = compactorStudies
