/** Paths of the simulated disk, and the errors that a path can meet. */
import { type DiskError, DiskFailed, DiskNotFound, type DiskOperation } from "../Disk.ts"
import { rootNode, type SimulatedState } from "./SimulatedState.ts"

/** A name in a directory that exists, and the inode behind it if there is one. */
export interface Place {
  readonly directory: number
  readonly name: string
  readonly node: number | undefined
}

/** Tells a place from the fault that was met on the way to it. */
export const isPlace = (place: Place | DiskError): place is Place => !("_tag" in place)

const segments = (path: string): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (const segment of path.split("/")) {
    if (segment === "..") names.pop()
    else if (segment !== "" && segment !== ".") names.push(segment)
  }
  return names
}

/** The path and all above it but the root, outermost first. */
export const ancestors = (path: string): ReadonlyArray<string> => {
  const names = segments(path)
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`)
}

/** The inode at the path. */
export const resolve = (state: SimulatedState, operation: DiskOperation, path: string): number | DiskError => {
  if (path === "" || path.includes("\0")) {
    return new DiskFailed({ operation, path, code: "EINVAL", detail: "the path is empty or has a zero byte" })
  }
  let id = rootNode
  for (const name of segments(path)) {
    const node = state.nodes.get(id)!
    if (node.kind !== "directory") return notDirectory(operation, path)
    const child = node.entries.get(name)
    if (child === undefined) return new DiskNotFound({ operation, path })
    id = child
  }
  return id
}

/** The inode at the path, which has to be a directory. */
export const resolveDirectory = (state: SimulatedState, operation: DiskOperation, path: string): number | DiskError => {
  const id = resolve(state, operation, path)
  return typeof id === "number" && state.nodes.get(id)!.kind !== "directory" ? notDirectory(operation, path) : id
}

/** The place of the path, whose parent has to be a directory. The root has none. */
export const locate = (state: SimulatedState, operation: DiskOperation, path: string): Place | DiskError => {
  const names = segments(path)
  const name = names.at(-1)
  const directory = resolve(
    state,
    operation,
    path.includes("\0") || path === "" ? path : `/${names.slice(0, -1).join("/")}`
  )
  if (typeof directory !== "number") return withPath(directory, path)
  const parent = state.nodes.get(directory)!
  if (parent.kind !== "directory") return notDirectory(operation, path)
  if (name === undefined) return isDirectory(operation, path)
  return { directory, name, node: parent.entries.get(name) }
}

/** The fault of the parent, told of the path that the caller gave. */
const withPath = (error: DiskError, path: string): DiskError =>
  error._tag === "DiskNotFound"
    ? new DiskNotFound({ operation: error.operation, path })
    : error._tag === "DiskFailed"
      ? new DiskFailed({ operation: error.operation, path, code: error.code, detail: error.detail })
      : error

export const isDirectory = (operation: DiskOperation, path: string): DiskFailed =>
  new DiskFailed({ operation, path, code: "EISDIR", detail: "it is a directory" })

export const notDirectory = (operation: DiskOperation, path: string): DiskFailed =>
  new DiskFailed({ operation, path, code: "ENOTDIR", detail: "not a directory" })

export const notEmpty = (operation: DiskOperation, path: string): DiskFailed =>
  new DiskFailed({ operation, path, code: "ENOTEMPTY", detail: "directory not empty" })
