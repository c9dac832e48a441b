/** For the tests of engine adapters: the conformance suite and the model test. */
export { type ConformanceCase, type ConformanceOptions, engineConformance } from "./Conformance.ts"
export type { EngineFaults } from "./conformance/Subject.ts"
export { EngineModelMismatch, type EngineModelOptions, type EngineModelReport, engineModel } from "./EngineModel.ts"
