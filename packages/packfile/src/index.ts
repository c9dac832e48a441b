export * as ByteSource from "./ByteSource.ts"
export * from "./Disk.ts"
