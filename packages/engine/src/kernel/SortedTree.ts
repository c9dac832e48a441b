/**
 * A persistent sorted map from bytes to bytes: a treap (Seidel and Aragon, "Randomized search trees", 1996) whose priorities
 * are a hash of the key, so that equal contents have equal shapes. An operation copies the path it changes, O(log n) nodes
 * in expectation, and leaves the old tree as it was: a snapshot is a reference.
 *
 * Buffers are neither copied nor changed; they belong to the tree once put.
 */

import type { Row } from "../Engine.ts"
import { compareBytes } from "../internal/Bounds.ts"
import type { PageBounds } from "../internal/Store.ts"

/** The root of a tree; undefined when it is empty. */
export type SortedTree = SortedTreeNode | undefined

export interface SortedTreeNode {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly priority: number
  readonly left: SortedTree
  readonly right: SortedTree
  /** Bytes of all keys and values in this tree. */
  readonly contentBytes: number
}

export const get = (tree: SortedTree, key: Uint8Array): Uint8Array | undefined => {
  let node = tree
  while (node !== undefined) {
    const order = compareBytes(key, node.key)
    if (order === 0) return node.value
    node = order < 0 ? node.left : node.right
  }
  return undefined
}

/** The node with the greatest key up to the given one. */
export const floor = (tree: SortedTree, key: Uint8Array): SortedTreeNode | undefined => {
  let node = tree
  let found: SortedTree
  while (node !== undefined) {
    const order = compareBytes(key, node.key)
    if (order === 0) return node
    if (order > 0) found = node
    node = order < 0 ? node.left : node.right
  }
  return found
}

export const put = (tree: SortedTree, key: Uint8Array, value: Uint8Array): SortedTreeNode =>
  insert(tree, key, value, priorityOf(key))

export const remove = (tree: SortedTree, key: Uint8Array): SortedTree => {
  if (tree === undefined) return undefined
  const order = compareBytes(key, tree.key)
  if (order === 0) return join(tree.left, tree.right)
  if (order < 0) {
    const left = remove(tree.left, key)
    return left === tree.left ? tree : withChildren(tree, left, tree.right)
  }
  const right = remove(tree.right, key)
  return right === tree.right ? tree : withChildren(tree, tree.left, right)
}

/** Cuts the range out: costs the depth of the tree, whatever the number of keys inside. */
export const removeRange = (tree: SortedTree, bounds: PageBounds): SortedTree => {
  const [below, rest] =
    bounds.lower === undefined ? [undefined, tree] : split(tree, bounds.lower, !bounds.lowerInclusive)
  const [, above] = bounds.upper === undefined ? [rest, undefined] : split(rest, bounds.upper, bounds.upperInclusive)
  return join(below, above)
}

/** Appends to `rows` what is inside the bounds, in order, until it holds `limit` rows. The buffers are the tree's. */
export const collect = (
  tree: SortedTree,
  bounds: PageBounds,
  reverse: boolean,
  limit: number,
  rows: Array<Row>
): void => {
  if (tree === undefined || rows.length >= limit) return
  const low = isAbove(tree.key, bounds)
  const high = isBelow(tree.key, bounds)
  if (reverse ? high : low) collect(reverse ? tree.right : tree.left, bounds, reverse, limit, rows)
  if (low && high && rows.length < limit) rows.push({ key: tree.key, value: tree.value })
  if (reverse ? low : high) collect(reverse ? tree.left : tree.right, bounds, reverse, limit, rows)
}

const isAbove = (key: Uint8Array, { lower, lowerInclusive }: PageBounds): boolean => {
  if (lower === undefined) return true
  const order = compareBytes(key, lower)
  return order > 0 || (order === 0 && lowerInclusive)
}

const isBelow = (key: Uint8Array, { upper, upperInclusive }: PageBounds): boolean => {
  if (upper === undefined) return true
  const order = compareBytes(key, upper)
  return order < 0 || (order === 0 && upperInclusive)
}

const makeNode = (
  key: Uint8Array,
  value: Uint8Array,
  priority: number,
  left: SortedTree,
  right: SortedTree
): SortedTreeNode => ({
  key,
  value,
  priority,
  left,
  right,
  contentBytes: key.length + value.length + (left?.contentBytes ?? 0) + (right?.contentBytes ?? 0)
})

const withChildren = (node: SortedTreeNode, left: SortedTree, right: SortedTree): SortedTreeNode =>
  makeNode(node.key, node.value, node.priority, left, right)

const insert = (tree: SortedTree, key: Uint8Array, value: Uint8Array, priority: number): SortedTreeNode => {
  if (tree === undefined) return makeNode(key, value, priority, undefined, undefined)
  const order = compareBytes(key, tree.key)
  if (order === 0) return makeNode(key, value, priority, tree.left, tree.right)
  if (isHigher(priority, key, tree)) {
    const [left, right] = split(tree, key, false)
    return makeNode(key, value, priority, left, right)
  }
  return order < 0
    ? withChildren(tree, insert(tree.left, key, value, priority), tree.right)
    : withChildren(tree, tree.left, insert(tree.right, key, value, priority))
}

/** Keys below the pivot, and above it; a key equal to it goes left when `pivotLeft`. */
const split = (tree: SortedTree, pivot: Uint8Array, pivotLeft: boolean): readonly [SortedTree, SortedTree] => {
  if (tree === undefined) return [undefined, undefined]
  const order = compareBytes(tree.key, pivot)
  if (order < 0 || (order === 0 && pivotLeft)) {
    const [left, right] = split(tree.right, pivot, pivotLeft)
    return [withChildren(tree, tree.left, left), right]
  }
  const [left, right] = split(tree.left, pivot, pivotLeft)
  return [left, withChildren(tree, right, tree.right)]
}

/** Every key of `left` is below every key of `right`. */
const join = (left: SortedTree, right: SortedTree): SortedTree => {
  if (left === undefined) return right
  if (right === undefined) return left
  return isHigher(left.priority, left.key, right)
    ? withChildren(left, left.left, join(left.right, right))
    : withChildren(right, join(left, right.left), right.right)
}

/** Equal priorities are told apart by their keys, so that the shape does not depend on the order of arrival. */
const isHigher = (priority: number, key: Uint8Array, than: SortedTreeNode): boolean =>
  priority === than.priority ? compareBytes(key, than.key) < 0 : priority > than.priority

/** FNV-1a, then the finalizer of MurmurHash3: without it keys that count up would make a list. */
const priorityOf = (key: Uint8Array): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key[index]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
