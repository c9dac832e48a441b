export * from "./Zstd.ts"
