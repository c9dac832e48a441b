/** A name for the contents of a sorted tree. */
import type { SortedTree, SortedTreeNode } from "./SortedTree.ts"

/** Versions of a tree share nodes, and nodes never change, so that each is summed once. */
const sums = new WeakMap<SortedTreeNode, string>()

/** Equal for equal contents, whose trees have equal shapes; equal for others only by collision of a 64-bit sum. */
export const treeFingerprint = (tree: SortedTree): string => {
  if (tree === undefined) return ""
  const known = sums.get(tree)
  if (known !== undefined) return known
  const { left, right } = tree
  const header = new TextEncoder().encode(
    `${treeFingerprint(left)}/${treeFingerprint(right)}/${tree.key.length}/${tree.value.length}/`
  )
  const sum = [header, tree.key, tree.value].reduce(absorb, { first: 0x811c9dc5, second: 0x9747b28c })
  const text = `${(sum.first >>> 0).toString(36)}.${(sum.second >>> 0).toString(36)}`
  sums.set(tree, text)
  return text
}

interface Sum {
  readonly first: number
  readonly second: number
}

/** Two independent multiplicative sums. */
const absorb = (sum: Sum, bytes: Uint8Array): Sum => {
  let { first, second } = sum
  for (let index = 0; index < bytes.length; index++) {
    first = Math.imul(first ^ bytes[index]!, 0x01000193)
    first ^= first >>> 15
    second = Math.imul(second ^ bytes[index]!, 0x5bd1e995)
    second ^= second >>> 13
  }
  return { first, second }
}
