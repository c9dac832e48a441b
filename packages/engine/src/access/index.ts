/** Record types of identity data, and what is done with them. */
export { SyncRun } from "../SyncRun.ts"
export * from "./AccessOperations.ts"
export * from "./AccessRecords.ts"
