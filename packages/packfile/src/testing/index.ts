/** What tests of storage need: a disk that can lose power or fail, and enumerators that try every way it can. */
export * as CrashEnumerator from "./CrashEnumerator.ts"
export * as CrashRecorder from "./CrashRecorder.ts"
export { CrashViolation } from "./CrashViolation.ts"
export type { CrashParticipant, CrashWorld, SurvivorPolicy, SurvivorRandom } from "./CrashWorld.ts"
export * as SimulatedDisk from "./SimulatedDisk.ts"
export * as SurvivorChoice from "./SurvivorChoice.ts"
