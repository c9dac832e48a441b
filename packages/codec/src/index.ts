export * as Crc32c from "./Crc32c.ts"
export * as ForGroup from "./ForGroup.ts"
export * as ZstdLive from "./live/ZstdLive.ts"
export * from "./Zstd.ts"
