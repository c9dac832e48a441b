/** For the tests of engine adapters: the conformance suite, and the model tests of the engine and of the record store on it. */
export { type ConformanceCase, type ConformanceOptions, engineConformance } from "./Conformance.ts"
export type { EngineFaults } from "./conformance/Subject.ts"
export { EngineModelMismatch, type EngineModelOptions, type EngineModelReport, engineModel } from "./EngineModel.ts"
export {
  RecordStoreModelMismatch,
  type RecordStoreModelOptions,
  type RecordStoreModelReport,
  recordStoreModel
} from "./RecordStoreModel.ts"
