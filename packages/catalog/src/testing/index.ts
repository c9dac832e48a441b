/** What crash tests of a catalog need: engines and disks without a barrier, to see that it is missed. */
export * as WeakDisk from "./WeakDisk.ts"
export * as WeakEngine from "./WeakEngine.ts"
