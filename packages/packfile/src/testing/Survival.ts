/**
 * What a power cut leaves of a {@link SimulatedState}: everything that was synced, and of all else what the choice says.
 *
 * The model is what POSIX and ext4 allow, taken at its worst: blocks, lengths and names survive independently of one another
 * and of their order; a file may have its length and zeros for bytes; a directory whose name is lost is gone with all that
 * is in it. A rename alone is atomic: the old name, the new one, or (for a file) both.
 */
import type { SurvivorRandom } from "./CrashWorld.ts"
import {
  type Block,
  blockSizeBytes,
  type DirectoryNode,
  type FileNode,
  type Node,
  type Rename,
  rootNode,
  type SimulatedState,
  type Version
} from "./SimulatedState.ts"

/** The unit that a disk writes whole. */
const sectorSizeBytes = 512

type Aspect = "data" | "size" | "name"

/** Which version survives: an index into `versions`, or −1 for the synced one. */
type Pick = (aspect: Aspect, versions: ReadonlyArray<Version<unknown>>) => number

/** The disk after the power cut: all that is on it is durable, and nothing is that cannot be reached. */
export const survive = (state: SimulatedState, random: SurvivorRandom): SimulatedState => {
  const pick = picker(state, random)
  const entries = survivingEntries(state, pick)
  const nodes = new Map<number, Node>()
  const visit = (id: number): void => {
    if (nodes.has(id)) return
    const node = state.nodes.get(id)!
    if (node.kind === "file") {
      nodes.set(id, survivingFile(node, pick, random))
    } else {
      const surviving = entries.get(id)!
      nodes.set(id, {
        kind: "directory",
        entries: surviving,
        durableEntries: surviving,
        unsyncedEntries: new Map(),
        syncedSequence: state.sequence
      })
      for (const child of surviving.values()) visit(child)
    }
  }
  visit(rootNode)
  return { nodes, nextNode: state.nextNode, sequence: state.sequence, renames: [] }
}

const picker = (state: SimulatedState, random: SurvivorRandom): Pick => {
  const last = (versions: ReadonlyArray<unknown>): number => versions.length - 1
  switch (random.policy) {
    case "lost":
      return () => -1
    case "kept":
      return (_, versions) => last(versions)
    case "zeros":
      return (aspect, versions) => (aspect === "data" ? -1 : last(versions))
    case "nameless":
      return (aspect, versions) => (aspect === "name" ? -1 : last(versions))
    case "sizeless":
      return (aspect, versions) => (aspect === "size" ? -1 : last(versions))
    case "last":
      return (_, versions) => versions.findLastIndex((version) => version.sequence < state.sequence)
    case "prefix": {
      const sequences = unsyncedSequences(state)
      const end = sequences[random.nextInt(sequences.length + 1)] ?? state.sequence + 1
      return (_, versions) => versions.findLastIndex((version) => version.sequence < end)
    }
    case "torn":
      return (_, versions) => last(versions)
    case "random": {
      // Of eight: how often a thing survives at all. Some power cuts lose nearly all and some nearly nothing.
      const odds = 1 + random.nextInt(7)
      return (_, versions) =>
        random.nextInt(8) >= odds ? -1 : random.nextInt(4) > 0 ? last(versions) : random.nextInt(versions.length)
    }
  }
}

/** The operations that a power cut can undo, in order. */
const unsyncedSequences = (state: SimulatedState): ReadonlyArray<number> => {
  const sequences = new Set<number>()
  const add = (versions: ReadonlyArray<Version<unknown>>): void => {
    for (const version of versions) sequences.add(version.sequence)
  }
  for (const node of state.nodes.values()) {
    if (node.kind === "directory") for (const versions of node.unsyncedEntries.values()) add(versions)
    else {
      for (const versions of node.unsyncedBlocks.values()) add(versions)
      add(node.unsyncedSizes)
    }
  }
  return [...sequences].sort((left, right) => left - right)
}

/** The names that survive in each directory. */
const survivingEntries = (state: SimulatedState, pick: Pick): ReadonlyMap<number, ReadonlyMap<string, number>> => {
  const picks = new Map<number, Map<string, number>>()
  for (const [id, node] of state.nodes) {
    if (node.kind !== "directory") continue
    const names = new Map<string, number>()
    for (const [name, versions] of node.unsyncedEntries) names.set(name, pick("name", versions))
    picks.set(id, names)
  }
  keepRenamesAtomic(state, picks)
  const surviving = new Map<number, ReadonlyMap<string, number>>()
  for (const [id, names] of picks) {
    const node = state.nodes.get(id) as DirectoryNode
    const entries = new Map(node.durableEntries)
    for (const [name, index] of names) {
      if (index < 0) continue
      const { value } = node.unsyncedEntries.get(name)![index]!
      if (value === undefined) entries.delete(name)
      else entries.set(name, value)
    }
    surviving.set(id, entries)
  }
  return surviving
}

/**
 * Where the old name is gone, the new one is there; a directory has only one of them. Raising one end can break another rename,
 * so this goes on until nothing changes; it ends because ends are only ever raised.
 */
const keepRenamesAtomic = (state: SimulatedState, picks: ReadonlyMap<number, Map<string, number>>): void => {
  const holds = (end: Rename["source"], sequence: number): boolean => {
    const node = state.nodes.get(end.directory) as DirectoryNode
    const index = picks.get(end.directory)!.get(end.name) ?? -1
    const picked = index < 0 ? node.syncedSequence : node.unsyncedEntries.get(end.name)![index]!.sequence
    return picked >= sequence
  }
  const raise = (end: Rename["source"], sequence: number): boolean => {
    const versions = (state.nodes.get(end.directory) as DirectoryNode).unsyncedEntries.get(end.name) ?? []
    const index = versions.findIndex((version) => version.sequence >= sequence)
    // A failed sync of the directory has thrown the name away for good.
    if (index < 0) return false
    picks.get(end.directory)!.set(end.name, index)
    return true
  }
  for (let changed = true; changed; ) {
    changed = false
    for (const { sequence, source, target, isDirectory } of state.renames) {
      const left = holds(source, sequence)
      const arrived = holds(target, sequence)
      if (left && !arrived) changed = raise(target, sequence) || changed
      else if (isDirectory && arrived && !left) changed = raise(source, sequence) || changed
    }
  }
}

const survivingFile = (node: FileNode, pick: Pick, random: SurvivorRandom): FileNode => {
  const sizeIndex = node.unsyncedSizes.length === 0 ? -1 : pick("size", node.unsyncedSizes)
  const sizeBytes = node.unsyncedSizes[sizeIndex]?.value ?? node.durableSizeBytes
  const blocks = new Map(node.durableBlocks)
  for (const [index, versions] of node.unsyncedBlocks) {
    const block = survivingBlock(node.durableBlocks.get(index), versions, pick, random)
    if (block === undefined) blocks.delete(index)
    else blocks.set(index, block)
  }
  for (const [index, block] of blocks) {
    const inside = sizeBytes - index * blockSizeBytes
    if (inside <= 0) blocks.delete(index)
    else if (inside < blockSizeBytes) blocks.set(index, block.slice().fill(0, inside))
  }
  return {
    kind: "file",
    blocks,
    sizeBytes,
    durableBlocks: blocks,
    durableSizeBytes: sizeBytes,
    unsyncedBlocks: new Map(),
    unsyncedSizes: []
  }
}

const survivingBlock = (
  synced: Block | undefined,
  versions: ReadonlyArray<Version<Block | undefined>>,
  pick: Pick,
  random: SurvivorRandom
): Block | undefined => {
  const index = pick("data", versions)
  const torn = random.policy === "torn" || (random.policy === "random" && random.nextInt(4) === 0)
  if (!torn) return index < 0 ? synced : versions[index]!.value
  const block = new Uint8Array(blockSizeBytes)
  for (let at = 0; at < blockSizeBytes; at += sectorSizeBytes) {
    const choice = random.nextInt(versions.length + 1)
    const origin = choice === versions.length ? synced : versions[choice]!.value
    if (origin !== undefined) block.set(origin.subarray(at, at + sectorSizeBytes), at)
  }
  return block
}
