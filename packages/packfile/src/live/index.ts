/** The live layer of the disk port. */
export * as LiveDisk from "./LiveDisk.ts"
