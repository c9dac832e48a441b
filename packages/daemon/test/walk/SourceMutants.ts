/** Mutants of the code: one expression of one module says something else. */

/** Variable that names the mutant of a process. */
export const mutantVariable = "ICECORE_MUTANT"

export interface SourceMutant {
  /** What is wrong with it. */
  readonly name: string
  /** The walk that is known to find it, taken first: `simulated-sqlite/3`. */
  readonly walk: string
  /** Below `packages/`. */
  readonly file: string
  /** Must be there once. */
  readonly find: string
  readonly replace: string
}

export const sourceMutants: ReadonlyArray<SourceMutant> = [
  {
    name: "a sweep that forgets the grace period",
    walk: "simulated-sqlite/1",
    file: "catalog/src/internal/Removal.ts",
    find: "const due = found.filter((key) => pending.demotedAt(key) < destroyableBefore)",
    replace: "const due = found"
  },
  {
    name: "a sweep that leaves abandoned freezes",
    walk: "simulated-sqlite/2",
    file: "catalog/src/internal/Removal.ts",
    find: 'state.value !== "frozen") doomed.push(key)',
    replace: 'state.value === "pruning") doomed.push(key)'
  },
  {
    name: "a sweep that leaves the files",
    walk: "simulated-sqlite/1",
    file: "catalog/src/internal/Removal.ts",
    find: "for (const key of keys) yield* ArtifactFiles.unlink(disk, layout, key)",
    replace: ""
  },
  {
    name: "a sweep that does not sync the directories",
    walk: "simulated-sqlite/1",
    file: "catalog/src/internal/Removal.ts",
    find: "yield* ArtifactFiles.syncDirectories(disk, layout, keys)",
    replace: ""
  },
  {
    name: "a sweep that leaves the keys",
    walk: "simulated-sqlite/1",
    file: "catalog/src/internal/Removal.ts",
    find: "yield* forget(store, keys)",
    replace: ""
  },
  {
    name: "a sweep that leaves half made hot databases",
    walk: "simulated-sqlite/6",
    file: "catalog/src/internal/Removal.ts",
    find: "[prefixes.chunks, prefixes.indexes, prefixes.hot]",
    replace: "[prefixes.chunks, prefixes.indexes]"
  },
  {
    name: "a sweep that leaves key indexes",
    walk: "simulated-sqlite/1",
    file: "catalog/src/internal/Removal.ts",
    find: "[prefixes.chunks, prefixes.indexes, prefixes.hot]",
    replace: "[prefixes.chunks, prefixes.hot]"
  },
  {
    name: "a write that does not mark its keys first",
    walk: "simulated-sqlite/1",
    file: "catalog/src/internal/ArtifactWrite.ts",
    find: 'CatalogTable.put(batch, key, "freezing")',
    replace: "void [batch, key]"
  },
  {
    name: "a key index that leaves its predecessor frozen",
    walk: "simulated-sqlite/2",
    file: "catalog/src/internal/ArtifactWrite.ts",
    find: 'state !== "pruning" && (key.lo !== wanted.lo || key.hi !== wanted.hi)',
    replace: 'state === "freezing" && (key.lo !== wanted.lo || key.hi !== wanted.hi)'
  },
  {
    name: "a demotion that forgets when it was",
    walk: "simulated-sqlite/1",
    file: "catalog/src/internal/Pending.ts",
    find: "putAll(demoted, now)",
    replace: "putAll(demoted, never)"
  },
  {
    name: "retention that keeps a chunk too few",
    walk: "simulated-sqlite/1",
    file: "catalog/src/Retention.ts",
    find: "lastCompleteChunk - chunks + 1",
    replace: "lastCompleteChunk - chunks + 2"
  },
  {
    name: "a prune that leaves a key index wholly below the floor",
    walk: "simulated-sqlite/1",
    file: "catalog/src/Retention.ts",
    find: "Stream.filter(({ key }) => key.hi < floorChunk)",
    replace: "Stream.filter(({ key }) => key.hi < floorChunk - 1)"
  },
  {
    name: "a prune that leaves a chunk below the floor",
    walk: "simulated-sqlite/1",
    file: "catalog/src/Retention.ts",
    find: "const to = Geometry.ChunkId(floorChunk - 1)",
    replace: "const to = Geometry.ChunkId(Math.max(-1, floorChunk - 2))"
  },
  {
    name: "a prune of one chunk too many",
    walk: "simulated-sqlite/1",
    file: "daemon/src/lifecycle/PruneStage.ts",
    find: "catalog.prune(wanted)",
    replace: "catalog.prune((wanted + 1) as typeof wanted)"
  },
  {
    name: "a prune that does not say where history begins",
    walk: "simulated-sqlite/1",
    file: "daemon/src/lifecycle/Upkeep.ts",
    find: "if (wantedSeq > catalog.beginSeq()) yield* catalog.setBeginSeq(wantedSeq)",
    replace: "void wantedSeq"
  },
  {
    name: "a prune that leaves the floor where it was",
    walk: "simulated-sqlite/1",
    file: "daemon/src/lifecycle/Upkeep.ts",
    find: "LogState.moveFloor(state, floorSeq(upkeep))",
    replace: "void LogState.moveFloor"
  },
  {
    name: "a start that does not sweep",
    walk: "simulated-sqlite/1",
    file: "daemon/src/Recovery.ts",
    find: "if (!isReadOnly) yield* catalog.sweep()",
    replace: ""
  },
  {
    name: "a start that looks for pruned chunks",
    walk: "simulated-sqlite/1",
    file: "daemon/src/Recovery.ts",
    find: "Geometry.firstSeqOf(geometry, Geometry.chunkOf(geometry, catalog.beginSeq()))",
    replace: "Geometry.firstSeqOf(geometry, Geometry.chunkOf(geometry, catalog.pins.earliestSeq))"
  },
  {
    name: "a start that forgets hot databases of frozen chunks",
    walk: "simulated-sqlite/1",
    file: "daemon/src/Recovery.ts",
    find: "discardable.push(chunk)",
    replace: "void chunk"
  },
  {
    name: "a start that leaves out a chunk",
    walk: "simulated-sqlite/1",
    file: "daemon/src/Recovery.ts",
    find: "Math.max(lastFrozen + 1, floorChunk)",
    replace: "Math.max(lastFrozen + 2, floorChunk)"
  },
  {
    name: "an append that does not look for a key among its own entries",
    walk: "simulated-sqlite/1",
    file: "daemon/src/internal/AppendCheck.ts",
    find: "if (pass.entries.length > 1 || keys.success.length > 1) {",
    replace: "if (Number.isNaN(seq)) {"
  },
  {
    name: "an append that does not look for a key in key indexes",
    walk: "simulated-sqlite/1",
    file: "daemon/src/internal/KeySearch.ts",
    find: "if (found[at]! >= 0 || seq >= view.nextSeq) continue",
    replace: 'if (found[at]! >= 0 || seq >= view.nextSeq || source._tag === "Index") continue'
  },
  {
    name: "a look-up that believes its candidate",
    walk: "simulated-sqlite/1",
    file: "daemon/src/internal/KeySearch.ts",
    find: "const isIt = hasKey(bytes, key)",
    replace: "const isIt = true"
  },
  {
    name: "a look-up that goes below the floor",
    walk: "simulated-sqlite/2",
    file: "daemon/src/internal/KeySearch.ts",
    find: "const isBelow = seq < view.floor",
    replace: "const isBelow = seq < 0"
  },
  {
    name: "a look-up that takes the newest of several first",
    walk: "simulated-sqlite/6",
    file: "daemon/src/internal/KeySearch.ts",
    find: "for (const each of isOldestFirst ? sources.toReversed() : sources) {",
    replace: "for (const each of sources) {"
  },
  {
    name: "a look-up that takes the oldest source first",
    walk: "simulated-sqlite/6",
    file: "daemon/src/internal/KeyTiers.ts",
    find: "sources: sources.reverse()",
    replace: "sources"
  },
  {
    name: "a look-up that leaves out chunks behind the last index",
    walk: "simulated-sqlite/1",
    file: "daemon/src/internal/KeyTiers.ts",
    find: "if (next <= end) yield* addUncovered(next, end)",
    replace: ""
  },
  {
    name: "a look-up in an empty hot database of a frozen chunk",
    walk: "simulated-sqlite/9",
    file: "daemon/src/internal/KeyTiers.ts",
    find: "if (handle !== undefined && !known.runs.has(chunk))",
    replace: "if (handle !== undefined)"
  },
  {
    name: "a read from an empty hot database of a frozen chunk",
    walk: "simulated-sqlite/1",
    file: "daemon/src/internal/Views.ts",
    find: "if (known.isFrozen) return cold",
    replace: "if (known.isFrozen && known.hot === undefined) return cold"
  },
  {
    name: "a destruction that does not ask which views are open",
    walk: "simulated-sqlite/1",
    file: "daemon/src/Store.ts",
    find: "onSome: (openedMillis) => Math.min(before, openedMillis)",
    replace: "onSome: () => before"
  },
  {
    name: "a view that does not hold hot databases",
    walk: "simulated-sqlite/1",
    file: "daemon/src/internal/Views.ts",
    find: "const handles = hotSet.takeUnsafe()",
    replace: "const handles = hotSet.takeUnsafe()\n      handles.releaseUnsafe()"
  },
  {
    name: "views that go on with the state before a change",
    walk: "simulated-sqlite/1",
    file: "daemon/src/internal/Views.ts",
    find: "        return Effect.andThen(retire, dropPruned)",
    replace: "        return dropPruned"
  },
  {
    name: "a discard of hot databases that are not frozen",
    walk: "simulated-sqlite/1",
    file: "daemon/src/lifecycle/DiscardStage.ts",
    find: "(frozenHot.has(chunk) || chunk < floorChunk)",
    replace: "(frozenHot.has(chunk) || chunk >= 0)"
  },
  {
    name: "a discard that is forgotten when its readers are gone",
    walk: "simulated-sqlite/1",
    file: "daemon/src/lifecycle/DiscardStage.ts",
    find: "closed.add(chunk)",
    replace: "void chunk"
  },
  {
    name: "a roll that leaves out every other window",
    walk: "simulated-sqlite/1",
    file: "daemon/src/lifecycle/RollStage.ts",
    find: "upkeep.rollFrom = Geometry.WindowId(number + 1)",
    replace: "upkeep.rollFrom = Geometry.WindowId(number + 2)"
  },
  {
    name: "a lifecycle that never sweeps",
    walk: "simulated-sqlite/1",
    file: "daemon/src/lifecycle/SweepStage.ts",
    find: "yield* catalog.sweep({ known: true })",
    replace: "{ artifactCount: 0, hotCount: 0, deferredCount: 0 }"
  },
  {
    name: "a key index that is not wanted for the last complete chunk",
    walk: "simulated-sqlite/1",
    file: "daemon/src/Resolve.ts",
    find: "Math.min(Geometry.lastChunkOf(geometry, window), lastComplete))",
    replace: "Math.min(Geometry.lastChunkOf(geometry, window), lastComplete - 1))"
  },
  {
    name: "a key index that is taken to cover what lies before it",
    walk: "simulated-sqlite/9",
    file: "daemon/src/Resolve.ts",
    find: "coverage.lo <= wanted.lo && coverage.hi >= wanted.hi",
    replace: "coverage.hi >= wanted.hi"
  },
  {
    name: "a plan that takes covered chunks to have runs",
    walk: "simulated-sqlite/9",
    file: "daemon/src/Resolve.ts",
    find: "const isCovered = Option.isNone(missing) && coverage !== undefined",
    replace: "const isCovered = coverage !== undefined"
  },
  {
    name: "a plan that forgets key runs",
    walk: "simulated-sqlite/1",
    file: "daemon/src/Resolve.ts",
    find: 'if (hasKeys && !hasRun && !isCovered) kinds.push("keys")',
    replace: ""
  },
  {
    name: "a key index without its last chunk",
    walk: "simulated-sqlite/2",
    file: "daemon/src/BuildKeyIndex.ts",
    find: "for (let id: number = lo; id <= hi; id++) {",
    replace: "for (let id: number = lo; id < hi || id === lo; id++) {"
  },
  {
    name: "a key index whose seqs count from its own first chunk",
    walk: "simulated-sqlite/3",
    file: "daemon/src/BuildKeyIndex.ts",
    find: "windowFirstSeq: Geometry.firstSeqOf(geometry, Geometry.firstChunkOf(geometry, window))",
    replace: "windowFirstSeq: Geometry.firstSeqOf(geometry, lo)"
  },
  {
    name: "a key run with the first key of each entry only",
    walk: "simulated-sqlite/1",
    file: "daemon/src/internal/work/ChunkPass.ts",
    find: "for (const key of keys.success) builder",
    replace: "for (const key of keys.success.slice(0, 1)) builder"
  },
  {
    name: "a key run whose offsets count from its own first entry",
    walk: "simulated-sqlite/2",
    file: "daemon/src/internal/work/ChunkPass.ts",
    find: "seq - place.windowFirstSeq",
    replace: "seq - place.firstSeq"
  },
  {
    name: "a hot key that goes to the last entry where the first has it",
    walk: "simulated-sqlite/6",
    file: "daemon/src/HotChunk.ts",
    find: 'if (duplicates !== "first") return write(() => false)',
    replace: "if (duplicates !== undefined) return write(() => false)"
  },
  {
    name: "a backfill that does not look for keys in the history",
    walk: "simulated-sqlite/2",
    file: "daemon/src/backfill/TakenKeys.ts",
    find: "if (seq >= 0) yield* meet(distinct[at]!, seq)",
    replace: "if (seq < -1) yield* meet(distinct[at]!, seq)"
  },
  {
    name: "a fill of older history that leaves its windows as they are",
    walk: "simulated-sqlite/5",
    file: "daemon/src/backfill/Widening.ts",
    find: "Math.min(upkeep.rollFrom, Geometry.windowOf(geometry, first))",
    replace: "Math.max(upkeep.rollFrom, Geometry.windowOf(geometry, first))"
  },
  {
    name: "a fill that is over when its first chunk is there",
    walk: "simulated-sqlite/2",
    file: "daemon/src/backfill/Widening.ts",
    find: "isDone: (chunk) => !missing.has(chunk)",
    replace: "isDone: (chunk) => !missing.has(chunk) || chunk !== first"
  },
  {
    name: "a writer that forgets that the next chunk has begun",
    walk: "simulated-sqlite/1",
    file: "daemon/src/LogWriter.ts",
    find: "state.liveChunk = next",
    replace: "void next"
  }
]
