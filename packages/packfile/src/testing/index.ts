export type { CrashParticipant, CrashWorld, SurvivorRandom } from "./CrashWorld.ts"
