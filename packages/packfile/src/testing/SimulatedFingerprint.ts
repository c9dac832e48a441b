/** A name for what a reader sees of a {@link SimulatedState}: paths, lengths and bytes, not inode numbers or history. */
import { type Block, rootNode, type SimulatedState } from "./SimulatedState.ts"

/** Blocks never change and are shared between states, so that each is summed once. */
const sums = new WeakMap<Block, string>()

/** Two states have the same one if a reader cannot tell them apart (but for collisions of a 64-bit sum). */
export const fingerprint = (state: SimulatedState): string => {
  const parts: Array<string> = []
  const visit = (id: number, path: string): void => {
    const node = state.nodes.get(id)!
    if (node.kind === "directory") {
      parts.push(`${path}/`)
      for (const name of [...node.entries.keys()].sort()) visit(node.entries.get(name)!, `${path}/${name}`)
      return
    }
    parts.push(`${path}=${node.sizeBytes}`)
    for (const index of [...node.blocks.keys()].sort((left, right) => left - right)) {
      const sum = sumOf(node.blocks.get(index)!)
      // A block of zeros reads like a hole.
      if (sum !== "") parts.push(`${index}:${sum}`)
    }
  }
  visit(rootNode, "")
  return parts.join("\n")
}

const sumOf = (block: Block): string => {
  const known = sums.get(block)
  if (known !== undefined) return known
  const sum = compute(block)
  sums.set(block, sum)
  return sum
}

/** Two independent multiplicative sums; empty for zeros. */
const compute = (block: Block): string => {
  const words = new Uint32Array(block.buffer, block.byteOffset, block.length >> 2)
  let first = 0x811c9dc5
  let second = 0x9747b28c
  let any = 0
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    any |= word
    first = Math.imul(first ^ word, 0x01000193)
    first ^= first >>> 15
    second = Math.imul(second ^ word, 0x5bd1e995)
    second ^= second >>> 13
  }
  return any === 0 ? "" : `${(first >>> 0).toString(36)}.${(second >>> 0).toString(36)}`
}
