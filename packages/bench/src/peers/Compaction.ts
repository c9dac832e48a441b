/**
 * What the compactor does, and the same record by record through the ports, each in a process of its own: its peak of memory is then
 * that of the work, and no round warms the next.
 */
import { readFileSync } from "node:fs"
import { extname } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"
import * as Program from "./Program.ts"
import type { StorePlace } from "./SyncStores.ts"

/**
 * - `compact`: the latest sync of the one source, through `Compactor.compact`;
 * - `copy`: the same by `RecordImport.fromReader`, which reads every record and puts it; an older one of the base is removed first;
 * - `merge`: the latest sync of every source, oldest first, through `Compactor.merge`;
 * - `put`: the same by putting every record of one source after the other, where it is as new as what is there.
 */
export interface Work {
  readonly kind: "compact" | "copy" | "merge" | "put"
  /** An engine's; made where it is not there. */
  readonly base: StorePlace
  readonly sources: ReadonlyArray<StorePlace>
}

/** How it went. */
export interface Done {
  /** Grants that the sync in base has. */
  readonly grantCount: number
  /** From open stores to a durable sync. */
  readonly seconds: number
  /** Of all processors in that time, this process alone. */
  readonly processorSeconds: number
  /** Largest resident set of the process. */
  readonly peakBytes: number
}

/** The same, with what only another process can see while it works. */
export interface Seen extends Done {
  /** Of the peak what is no page of a file, as looked at every 20 ms; elsewhere than on Linux all of it. */
  readonly ownPeakBytes: number
}

/** One line of text, as the process prints it. */
export const Done: Schema.Codec<Done, string> = Schema.fromJsonString(
  Schema.Struct({
    grantCount: Schema.Finite,
    seconds: Schema.Finite,
    processorSeconds: Schema.Finite,
    peakBytes: Schema.Finite
  })
)

/** Beside this module, as source or built. */
const worker = fileURLToPath(new URL(`../worker/Compaction${extname(import.meta.url)}`, import.meta.url))

/** Does the work in a process of its own. Interrupted, the process is killed. */
export const run: (work: Work) => Effect.Effect<Seen, Program.ProgramFailed | Schema.SchemaError> = Effect.fnUntraced(
  function* (work: Work) {
    let ownPeakBytes = 0
    const onTick = (pid: number) => {
      ownPeakBytes = Math.max(ownPeakBytes, ownBytes(pid))
    }
    const printed = yield* Program.output(process.execPath, [worker, JSON.stringify(work)], { onTick })
    const done = yield* Schema.decodeEffect(Done)(printed)
    return { ...done, ownPeakBytes: ownPeakBytes === 0 ? done.peakBytes : ownPeakBytes }
  }
)

/** Anonymous pages of a process now; 0 where the system does not tell, or the process is gone. */
const ownBytes = (pid: number): number => {
  try {
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
