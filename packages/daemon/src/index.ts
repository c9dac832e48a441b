export * as ArtifactWork from "./ArtifactWork.ts"
export type { BackfillReport } from "./Backfill.ts"
export * from "./Domain.ts"
export * as NdjsonDomain from "./domain/NdjsonDomain.ts"
export { FrozenChunkWrong } from "./EntriesPack.ts"
export type { Entry, RangeOrder } from "./Entry.ts"
export * as Explanation from "./Explanation.ts"
export * from "./History.ts"
export { HotChunkDamaged } from "./HotChunk.ts"
export { SourceDiverged } from "./Ingestion.ts"
export type { LifecycleReport } from "./Lifecycle.ts"
export * as WorkerPool from "./live/WorkerPool.ts"
export type { PrunePlan } from "./PrunePlan.ts"
export { HistoryHole } from "./Recovery.ts"
export type { RetryOptions } from "./Retrying.ts"
export * from "./Source.ts"
export {
  AcknowledgedEntryLost,
  ChunkUncovered,
  isTransient,
  SpaceTooLow,
  type StorageError
} from "./StorageError.ts"
export * as Store from "./Store.ts"
export * as StoreAudit from "./StoreAudit.ts"
export * as StoreBackup from "./StoreBackup.ts"
export * as StoreRepair from "./StoreRepair.ts"
export * as StoreVerify from "./StoreVerify.ts"
export * as DemoSource from "./source/DemoSource.ts"
export * as NdjsonSource from "./source/NdjsonSource.ts"
