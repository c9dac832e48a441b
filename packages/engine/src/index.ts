export * from "./Engine.ts"
export * as EngineDetection from "./EngineDetection.ts"
