export * as Copy from "./Copy.ts"
