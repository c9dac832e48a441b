/** Mutants of the ports: a store whose disk or engine leaves out one barrier. */
import type { PortMutation } from "./WalkSubject.ts"
import * as WeakPorts from "./WeakPorts.ts"

export interface PortMutant {
  /** What is left out. */
  readonly name: string
  /** The walk that is known to find it, taken first: `simulated-sqlite/3`. */
  readonly walk: string
  /** For one machine. */
  readonly make: () => PortMutation
}

const isPack = (path: string): boolean => path.endsWith(".pack")
const isRun = (path: string): boolean => path.endsWith(".bin")
const isIndex = (path: string): boolean => path.endsWith(".idx")
const isBucket = (path: string): boolean => /\/\d{5}$/.test(path)
const isWindow = (path: string): boolean => /\/\d{8}$/.test(path) && path.includes("/index/")

const { puts, split, unsynced, unsyncedDirectory, unsyncedFile, writes } = WeakPorts

export const portMutants: ReadonlyArray<PortMutant> = [
  {
    name: "pins in many batches",
    walk: "simulated-sqlite/1",
    make: () => split((changes) => changes.length > 5 && writes("config:")(changes))
  },
  { name: "no sync of freezing", walk: "simulated-sqlite/12", make: () => unsynced(puts("freezing")) },
  { name: "no sync of a pack", walk: "simulated-sqlite/1", make: () => unsyncedFile(isPack) },
  { name: "no sync of a key run", walk: "simulated-sqlite/1", make: () => unsyncedFile(isRun) },
  { name: "no sync of a key index", walk: "simulated-sqlite/1", make: () => unsyncedFile(isIndex) },
  {
    name: "no sync of the directory of packs",
    walk: "simulated-sqlite/1",
    make: () => unsyncedDirectory((path) => isBucket(path) && path.includes("/entries/"))
  },
  {
    name: "no sync of the directory of key runs",
    walk: "simulated-sqlite/1",
    make: () => unsyncedDirectory((path) => isBucket(path) && path.includes("/run/"))
  },
  { name: "no sync of the directory of a window", walk: "simulated-sqlite/1", make: () => unsyncedDirectory(isWindow) },
  {
    name: "no sync above a new bucket",
    walk: "simulated-sqlite/2",
    make: () => unsyncedDirectory((path) => path === "/store/entries")
  },
  {
    name: "no sync above a new tree",
    walk: "simulated-sqlite/5",
    make: () => unsyncedDirectory((path) => path === "/store")
  },
  {
    name: "no sync above a new store",
    walk: "simulated-sqlite/5",
    make: () => unsyncedDirectory((path) => path === "/")
  },
  {
    name: "a key index frozen and its predecessor demoted in two batches",
    walk: "simulated-sqlite/4",
    make: () => split(puts("frozen", "index:"))
  },
  { name: "no sync of ready", walk: "simulated-sqlite/11", make: () => unsynced(puts("ready")) },
  { name: "no sync of a commit of entries", walk: "simulated-sqlite/1", make: () => WeakPorts.hotUnsynced },
  { name: "entries committed before their keys", walk: "simulated-sqlite/1", make: () => WeakPorts.hotSplit(["keys"]) }
]
