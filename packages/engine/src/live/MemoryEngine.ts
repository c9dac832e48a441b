/**
 * The engine in memory: the reference for the contracts of the port, and the one for tests of what is built on it.
 *
 * Databases are kept on a {@link MemoryMedium}, so closing and opening again finds the data, and last as long as it does: there are
 * no files. On a medium that takes part in a crash world every durable step is a crash point, and a crash loses buffered
 * writes from the last one backwards. A snapshot is a reference to an immutable tree; rows are copied in and out.
 */
import * as Path from "node:path"
import type { CrashWorld } from "@icecore/packfile/testing"
import { Effect, Layer, type Scope } from "effect"
import {
  type Database,
  Engine,
  EngineFailed,
  EngineFull,
  EngineLocked,
  EngineMisuse,
  EngineNotFound,
  type EngineOpenError,
  type OpenOptions
} from "../Engine.ts"
import { keyspacesProblem } from "../internal/KeyspaceNames.ts"
import { makeStoredDatabase } from "../internal/StoredDatabase.ts"
import type { SortedTree } from "../kernel/SortedTree.ts"
import { type MemoryContents, MemoryFailure, type MemoryMedium, makeMedium } from "./MemoryMedium.ts"
import { makeMemoryStore } from "./MemoryStore.ts"

export { type MemoryFault, type MemoryFaultPoint, type MemoryMedium, makeMedium } from "./MemoryMedium.ts"

/** An engine over a medium. Engines over the same medium see the same databases and locks. */
export const make = (medium: MemoryMedium): Engine => ({
  name: "memory",
  open: (options) => open(medium, options),
  destroy: (path) => destroy(medium, path)
})

/** An engine over a medium that the caller keeps: to open again what another layer wrote, or to inject faults. */
export const layerMedium = (medium: MemoryMedium): Layer.Layer<Engine> => Layer.succeed(Engine, make(medium))

/** An engine over a new medium, made when the layer is built. */
export const layer: Layer.Layer<Engine> = Layer.sync(Engine, () => make(makeMedium()))

/** An engine over a new medium that takes part in the crashes of a world. */
export const layerCrashing = (world: CrashWorld): Layer.Layer<Engine> =>
  Layer.sync(Engine, () => make(makeMedium(world)))

const open = Effect.fn("Engine.open")(function* (
  medium: MemoryMedium,
  { keyspaces: asked, mode = "create", path }: OpenOptions
): Effect.fn.Return<Database, EngineOpenError, Scope.Scope> {
  const keyspaces = [...asked]
  const problem = keyspacesProblem(keyspaces)
  if (problem !== undefined) return yield* new EngineMisuse({ path, detail: problem })
  const name = nameOf(path)
  const readOnly = mode === "readOnly"
  if (!readOnly) {
    const boot = medium.boot()
    yield* Effect.acquireRelease(
      Effect.suspend(() => (medium.lock(name) ? Effect.void : Effect.fail(new EngineLocked({ path })))),
      () => Effect.sync(() => medium.boot() === boot && medium.unlock(name))
    )
  }
  if (!isWhole(medium, name)) {
    if (mode !== "create") return yield* new EngineNotFound({ path })
    yield* attempt(path, "make", () => create(medium, "create", name, new Map()))
  }
  if (!readOnly) yield* attempt(path, "open", () => createMissing(medium, name, keyspaces))
  const store = makeMemoryStore({
    medium,
    path: name,
    keyspaces,
    copyTo: async (target) => create(medium, "checkpoint", target, contentsOf(medium, name))
  })
  const { close, database } = makeStoredDatabase({
    path,
    keyspaces,
    readOnly,
    store,
    fault: (operation, cause) => fault(path, operation, cause),
    checkpoint: (target) => checkpoint(medium, store.copyTo, target),
    fileBytes: Effect.sync(() => contentBytes(contentsOf(medium, name)))
  })
  yield* Effect.addFinalizer(() => close)
  return database
}, Effect.uninterruptible)

/** One name for the spellings of a path. */
const nameOf = (path: string): string => Path.resolve(path)

const isWhole = (medium: MemoryMedium, name: string): boolean => typeof medium.face(name) === "object"

const contentsOf = (medium: MemoryMedium, name: string): MemoryContents => {
  const face = medium.face(name)
  return typeof face === "object" ? face : new Map()
}

const create = (medium: MemoryMedium, point: "create" | "checkpoint", name: string, contents: MemoryContents): void => {
  medium.pass(point, name)
  if (medium.face(name) === undefined) medium.changeBuffered(`begin to ${point}`, name, "half")
  medium.changeSynced(point, name, contents)
}

const createMissing = (medium: MemoryMedium, name: string, keyspaces: ReadonlyArray<string>): void => {
  const contents = contentsOf(medium, name)
  const missing = keyspaces.filter((keyspace) => !contents.has(keyspace))
  if (missing.length === 0) return
  medium.pass("create", name)
  const empty = missing.map((keyspace): [string, SortedTree] => [keyspace, undefined])
  medium.changeSynced("add keyspaces to", name, new Map([...contents, ...empty]))
}

const checkpoint = Effect.fn("Database.checkpoint")(function* (
  medium: MemoryMedium,
  copyTo: (target: string) => Promise<void>,
  path: string
): Effect.fn.Return<void, EngineOpenError> {
  const name = nameOf(path)
  if (medium.face(name) !== undefined) {
    return yield* new EngineMisuse({ path, detail: "a checkpoint needs a new directory" })
  }
  yield* Effect.tryPromise({ try: () => copyTo(name), catch: (cause) => fault(path, "make", cause) })
}, Effect.uninterruptible)

const destroy = Effect.fn("Engine.destroy")(function* (
  medium: MemoryMedium,
  path: string
): Effect.fn.Return<void, EngineOpenError> {
  const name = nameOf(path)
  if (medium.face(name) === undefined) return
  if (medium.isLocked(name)) return yield* new EngineLocked({ path })
  yield* attempt(path, "remove", () => {
    medium.pass("destroy", name)
    medium.changeBuffered("begin to destroy", name, "half")
    medium.changeSynced("destroy", name, undefined)
  })
}, Effect.uninterruptible)

const contentBytes = (contents: MemoryContents): number => {
  let bytes = 0
  for (const tree of contents.values()) bytes += tree?.contentBytes ?? 0
  return bytes
}

const attempt = (path: string, operation: string, run: () => void): Effect.Effect<void, EngineFull | EngineFailed> =>
  Effect.try({ try: run, catch: (cause) => fault(path, operation, cause) })

const fault = (path: string, operation: string, cause: unknown): EngineFull | EngineFailed => {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return cause instanceof MemoryFailure && cause.code === "ENOSPC"
    ? new EngineFull({ path, detail })
    : new EngineFailed({ path, operation, detail })
}
