export * from "./History.ts"
