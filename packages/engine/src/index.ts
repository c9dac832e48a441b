export * from "./Engine.ts"
