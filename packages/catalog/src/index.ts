export * as Audit from "./Audit.ts"
export * as Catalog from "./Catalog.ts"
export * from "./CatalogError.ts"
export type {
  Artifact,
  ArtifactRange,
  CatalogSnapshot,
  Coverage,
  HotChunk,
  WindowRange
} from "./CatalogSnapshot.ts"
export * as CatalogKey from "./format/CatalogKey.ts"
export * as Pins from "./format/Pins.ts"
export * as Geometry from "./Geometry.ts"
export * as HotEngine from "./HotEngine.ts"
export * as Layout from "./Layout.ts"
export * as Retention from "./Retention.ts"
export * as SteadyClock from "./SteadyClock.ts"
export * as StorageLock from "./StorageLock.ts"
