/**
 * The state of the simulated disk: a tree of inodes in which every block, length and name knows its synced version and all
 * versions since. A value: each operation makes a new one that shares what it did not touch.
 *
 * Sync applies the last unsynced version of a thing to what is durable. It does not copy what readers see, so that pages lost
 * by a failed sync stay readable and are yet never written, as in a page cache that counts them as clean.
 */

/** Bytes of a block, the unit that is written back as a whole. */
export const blockSizeBytes = 4096

/** A block is never changed in place. */
export type Block = Uint8Array

/** A value that a block, length or name got by the operation with this number. */
export interface Version<A> {
  readonly sequence: number
  readonly value: A
}

export interface FileNode {
  readonly kind: "file"
  /** What readers see. A block that is not there reads as zeros. */
  readonly blocks: ReadonlyMap<number, Block>
  readonly sizeBytes: number
  readonly durableBlocks: ReadonlyMap<number, Block>
  readonly durableSizeBytes: number
  /** Versions since the last sync, oldest first. */
  readonly unsyncedBlocks: ReadonlyMap<number, ReadonlyArray<Version<Block | undefined>>>
  readonly unsyncedSizes: ReadonlyArray<Version<number>>
}

export interface DirectoryNode {
  readonly kind: "directory"
  readonly entries: ReadonlyMap<string, number>
  readonly durableEntries: ReadonlyMap<string, number>
  readonly unsyncedEntries: ReadonlyMap<string, ReadonlyArray<Version<number | undefined>>>
  /** The operation up to which all names are durable. */
  readonly syncedSequence: number
}

export type Node = FileNode | DirectoryNode

/** Both ends of a rename, which survives as the old name, the new one or (for a file) both, but not as neither. */
export interface Rename {
  readonly sequence: number
  readonly isDirectory: boolean
  readonly source: { readonly directory: number; readonly name: string }
  readonly target: { readonly directory: number; readonly name: string }
}

export interface SimulatedState {
  readonly nodes: ReadonlyMap<number, Node>
  readonly nextNode: number
  /** The number of the last operation. */
  readonly sequence: number
  readonly renames: ReadonlyArray<Rename>
}

export const rootNode = 0

export const emptyFile: FileNode = {
  kind: "file",
  blocks: new Map(),
  sizeBytes: 0,
  durableBlocks: new Map(),
  durableSizeBytes: 0,
  unsyncedBlocks: new Map(),
  unsyncedSizes: []
}

/** A directory made by the operation with this number: empty, and its emptiness is durable with its name. */
const emptyDirectory = (sequence: number): DirectoryNode => ({
  kind: "directory",
  entries: new Map(),
  durableEntries: new Map(),
  unsyncedEntries: new Map(),
  syncedSequence: sequence
})

/** A disk with nothing on it but its root. */
export const emptyState: SimulatedState = {
  nodes: new Map([[rootNode, emptyDirectory(0)]]),
  nextNode: 1,
  sequence: 0,
  renames: []
}

/** Bytes that the blocks of all files take. */
export const usedBytes = (state: SimulatedState): number => {
  let blockCount = 0
  for (const id of reachable(state)) {
    const node = state.nodes.get(id)!
    if (node.kind === "file") blockCount += node.blocks.size
  }
  return blockCount * blockSizeBytes
}

/** The inodes that have a name, each once. */
export const reachable = (state: SimulatedState): ReadonlySet<number> => {
  const seen = new Set<number>([rootNode])
  for (const id of seen) {
    const node = state.nodes.get(id)!
    if (node.kind === "directory") for (const child of node.entries.values()) seen.add(child)
  }
  return seen
}

export const readFile = (node: FileNode, target: Uint8Array, offsetBytes: number): number => {
  const length = Math.max(0, Math.min(target.length, node.sizeBytes - offsetBytes))
  for (let done = 0; done < length; ) {
    const position = offsetBytes + done
    const within = position % blockSizeBytes
    const step = Math.min(blockSizeBytes - within, length - done)
    const block = node.blocks.get(Math.floor(position / blockSizeBytes))
    if (block === undefined) target.fill(0, done, done + step)
    else target.set(block.subarray(within, within + step), done)
    done += step
  }
  return length
}

export const writeFile = (
  state: SimulatedState,
  id: number,
  bytes: Uint8Array,
  offsetBytes: number
): SimulatedState => {
  const node = state.nodes.get(id) as FileNode
  const sequence = state.sequence + 1
  const changed = new Map<number, Block>()
  for (let done = 0; done < bytes.length; ) {
    const position = offsetBytes + done
    const index = Math.floor(position / blockSizeBytes)
    const within = position % blockSizeBytes
    const step = Math.min(blockSizeBytes - within, bytes.length - done)
    const block = node.blocks.get(index)?.slice() ?? new Uint8Array(blockSizeBytes)
    block.set(bytes.subarray(done, done + step), within)
    changed.set(index, block)
    done += step
  }
  const sizeBytes = Math.max(node.sizeBytes, offsetBytes + bytes.length)
  return withNode({ ...state, sequence }, id, changeFile(node, sequence, changed, sizeBytes))
}

export const truncateFile = (state: SimulatedState, id: number, sizeBytes: number): SimulatedState => {
  const node = state.nodes.get(id) as FileNode
  const sequence = state.sequence + 1
  const changed = new Map<number, Block | undefined>()
  for (const [index, block] of node.blocks) {
    const kept = sizeBytes - index * blockSizeBytes
    if (kept <= 0) changed.set(index, undefined)
    else if (kept < blockSizeBytes) changed.set(index, block.slice().fill(0, kept))
  }
  return withNode({ ...state, sequence }, id, changeFile(node, sequence, changed, sizeBytes))
}

const changeFile = (
  node: FileNode,
  sequence: number,
  changed: ReadonlyMap<number, Block | undefined>,
  sizeBytes: number
): FileNode => {
  const blocks = new Map(node.blocks)
  const unsyncedBlocks = new Map(node.unsyncedBlocks)
  for (const [index, value] of changed) {
    setOrDelete(blocks, index, value)
    unsyncedBlocks.set(index, [...(unsyncedBlocks.get(index) ?? []), { sequence, value }])
  }
  const unsyncedSizes =
    sizeBytes === node.sizeBytes ? node.unsyncedSizes : [...node.unsyncedSizes, { sequence, value: sizeBytes }]
  return { ...node, blocks, sizeBytes, unsyncedBlocks, unsyncedSizes }
}

export const syncFile = (state: SimulatedState, id: number): SimulatedState => {
  const node = state.nodes.get(id) as FileNode
  const durableBlocks = new Map(node.durableBlocks)
  for (const [index, versions] of node.unsyncedBlocks) setOrDelete(durableBlocks, index, versions.at(-1)!.value)
  const durableSizeBytes = node.unsyncedSizes.at(-1)?.value ?? node.durableSizeBytes
  return withNode(state, id, {
    ...node,
    durableBlocks,
    durableSizeBytes,
    unsyncedBlocks: new Map(),
    unsyncedSizes: []
  })
}

export const syncDirectory = (state: SimulatedState, id: number): SimulatedState => {
  const node = state.nodes.get(id) as DirectoryNode
  const durableEntries = new Map(node.durableEntries)
  for (const [name, versions] of node.unsyncedEntries) setOrDelete(durableEntries, name, versions.at(-1)!.value)
  const synced = { ...node, durableEntries, unsyncedEntries: new Map(), syncedSequence: state.sequence }
  const nodes = new Map(state.nodes).set(id, synced)
  const settled = ({ sequence, source, target }: Rename): boolean =>
    [source, target].every(({ directory }) => (nodes.get(directory) as DirectoryNode).syncedSequence >= sequence)
  return { ...state, nodes, renames: state.renames.filter((rename) => !settled(rename)) }
}

/** A sync failed: what was not synced counts as clean from now on, and is never written. */
export const loseUnsynced = (state: SimulatedState, id: number): SimulatedState => {
  const node = state.nodes.get(id)!
  return withNode(
    state,
    id,
    node.kind === "file"
      ? { ...node, unsyncedBlocks: new Map(), unsyncedSizes: [] }
      : { ...node, unsyncedEntries: new Map() }
  )
}

/** Adds an empty file or directory; the new node has the number that `nextNode` had. */
export const addNode = (
  state: SimulatedState,
  directory: number,
  name: string,
  kind: "file" | "directory"
): SimulatedState => {
  const sequence = state.sequence + 1
  const id = state.nextNode
  const added = withNode(
    { ...state, sequence, nextNode: id + 1 },
    id,
    kind === "file" ? emptyFile : emptyDirectory(sequence)
  )
  return setEntry(added, directory, name, id)
}

/** Gives a file one more name. */
export const addEntry = (state: SimulatedState, directory: number, name: string, id: number): SimulatedState =>
  setEntry({ ...state, sequence: state.sequence + 1 }, directory, name, id)

export const removeEntry = (state: SimulatedState, directory: number, name: string): SimulatedState =>
  setEntry({ ...state, sequence: state.sequence + 1 }, directory, name, undefined)

export const renameEntry = (
  state: SimulatedState,
  source: Rename["source"],
  target: Rename["target"]
): SimulatedState => {
  const sequence = state.sequence + 1
  const id = (state.nodes.get(source.directory) as DirectoryNode).entries.get(source.name)!
  const isDirectory = state.nodes.get(id)!.kind === "directory"
  const renames = [...state.renames, { sequence, isDirectory, source, target }]
  const removed = setEntry({ ...state, sequence, renames }, source.directory, source.name, undefined)
  return setEntry(removed, target.directory, target.name, id)
}

const setEntry = (
  state: SimulatedState,
  directory: number,
  name: string,
  value: number | undefined
): SimulatedState => {
  const node = state.nodes.get(directory) as DirectoryNode
  const entries = new Map(node.entries)
  setOrDelete(entries, name, value)
  const version = { sequence: state.sequence, value }
  const unsyncedEntries = new Map(node.unsyncedEntries)
  unsyncedEntries.set(name, [...(unsyncedEntries.get(name) ?? []), version])
  return withNode(state, directory, { ...node, entries, unsyncedEntries })
}

const withNode = (state: SimulatedState, id: number, node: Node): SimulatedState => ({
  ...state,
  nodes: new Map(state.nodes).set(id, node)
})

const setOrDelete = <K, V>(map: Map<K, V>, key: K, value: V | undefined): void => {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}
