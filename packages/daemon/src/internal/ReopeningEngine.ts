/**
 * An engine whose databases open themselves again after a failed write, so that a full disk or a passing I/O error needs no
 * restart of the program.
 *
 * A database takes no more writes after one has failed. This one is closed before its next write, when nobody reads it, and opened
 * again. Whether the failed write is there then is as open as after a crash: it is for callers that recover by reading, as
 * the catalog does. While it cannot be opened, everything fails with the error of the last attempt.
 */
import {
  type Database,
  type Engine,
  EngineFailed,
  type EngineOpenError,
  type OpenOptions,
  type Replacement
} from "@icecore/engine"
import { Context, Effect, Exit, Option, Predicate, Scope, Semaphore, Stream } from "effect"
import * as ReaderGate from "./ReaderGate.ts"

const suspicious: ReadonlySet<unknown> = new Set(["EnginePoisoned", "EngineFull", "EngineFailed"])

/** Whether the fiber is inside `exclusive`, where it is a reader already and must not wait to be one. */
const IsInside: Context.Reference<boolean> = Context.Reference("@icecore/daemon/ReopeningEngine/IsInside", {
  defaultValue: () => false
})

/** How long the readers of a database may hold up that it is opened again. */
const patience = "5 seconds"

export interface ReopeningOptions {
  readonly engine: Engine
  /** Bytes that may still be written where the databases lie. */
  readonly freeSpaceBytes: Effect.Effect<number, { readonly message: string }>
  /** Free bytes below which a database stays as it is: closed on a full disk it may not open again. */
  readonly neededBytes: number
  /** Run before a database is opened again: gives back snapshots that are only kept to be at hand. Default: there are none. */
  readonly onReopen?: Effect.Effect<void>
}

export const make = (options: ReopeningOptions): Engine => ({
  ...options.engine,
  open: (opening) => open(options, opening)
})

const open = Effect.fnUntraced(function* (
  { engine, freeSpaceBytes, neededBytes, onReopen }: ReopeningOptions,
  opening: OpenOptions
): Effect.fn.Return<Database, EngineOpenError, Scope.Scope> {
  const parent = yield* Effect.scope
  const { path } = opening
  const failed = (detail: string): EngineFailed => new EngineFailed({ path, operation: "reopen", detail })

  const openIn = Effect.fnUntraced(function* (mode: OpenOptions["mode"]) {
    const scope = yield* Scope.fork(parent)
    const again = mode === undefined ? opening : { ...opening, mode }
    const exit = yield* Effect.exit(Scope.provide(engine.open(again), scope))
    if (Exit.isFailure(exit)) yield* Scope.close(scope, exit)
    return { database: yield* exit, scope }
  }, Effect.uninterruptible)

  const gate = ReaderGate.make(onReopen)
  const turn = Semaphore.makeUnsafe(1)
  let current = yield* openIn(undefined)
  let isSuspect = false
  let problem = Option.none<EngineFailed>()

  const swap = Effect.andThen(
    Effect.suspend(() => Scope.close(current.scope, Exit.void)),
    openIn("existing")
  ).pipe(
    Effect.flatMap((opened) =>
      Effect.sync(() => {
        current = opened
        problem = Option.none()
        isSuspect = false
      })
    ),
    Effect.mapError((error) => failed(error.message)),
    Effect.tapError((error) =>
      Effect.sync(() => {
        problem = Option.some(error)
      })
    )
  )

  const repair: Effect.Effect<void, EngineFailed> = turn.withPermit(
    Effect.suspend(() => {
      if (!isSuspect) return Effect.void
      const space = Effect.mapError(freeSpaceBytes, (error) => failed(error.message))
      return Effect.flatMap(space, (freeBytes) =>
        freeBytes < neededBytes
          ? Effect.fail(failed(`${freeBytes} bytes are free, ${neededBytes} are needed`))
          : Effect.timeoutOrElse(gate.alone(swap), {
              duration: patience,
              orElse: () => Effect.fail(failed("it is being read"))
            })
      )
    })
  )

  const database: Effect.Effect<Database, EngineFailed> = Effect.suspend(() =>
    Option.isSome(problem) ? Effect.fail(problem.value) : Effect.succeed(current.database)
  )

  const read = <A, E, R>(use: (database: Database) => Effect.Effect<A, E, R>): Effect.Effect<A, E | EngineFailed, R> =>
    Effect.flatMap(IsInside, (isInside) => {
      const reading = Effect.flatMap(database, use)
      return isInside ? reading : gate.read(reading)
    })

  const change = <A, E, R>(
    use: (database: Database) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | EngineFailed, R> =>
    Effect.flatMap(IsInside, (isInside) => (isInside ? Effect.void : repair)).pipe(
      Effect.andThen(read(use)),
      Effect.tapError((error) =>
        Effect.sync(() => {
          if (Predicate.hasProperty(error, "_tag") && suspicious.has(error._tag)) isSuspect = true
        })
      )
    )

  const held: Effect.Effect<Database, EngineFailed, Scope.Scope> = Effect.flatMap(IsInside, (isInside) =>
    isInside ? database : Effect.andThen(gate.hold, database)
  )

  // A database that cannot be opened again makes the writes inside fail.
  const exclusive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.andThen(
      Effect.ignore(repair),
      gate.read(Effect.suspend(() => current.database.exclusive(Effect.provideService(effect, IsInside, true))))
    )

  return {
    path,
    keyspaces: current.database.keyspaces,
    get: (keyspace, key) => read((database) => database.get(keyspace, key)),
    getMany: (keyspace, keys) => read((database) => database.getMany(keyspace, keys)),
    floor: (keyspace, key) => read((database) => database.floor(keyspace, key)),
    floorMany: (keyspace, keys) => read((database) => database.floorMany(keyspace, keys)),
    page: (keyspace, scan) => read((database) => database.page(keyspace, scan)),
    scan: (keyspace, scan) => Stream.unwrap(Effect.map(held, (database) => database.scan(keyspace, scan))),
    write: (build, write) => change((database) => database.write(build, write)),
    flush: change((database) => database.flush),
    exclusive,
    snapshot: Effect.flatMap(held, (database) => database.snapshot),
    replace: <E, R>(replacements: ReadonlyArray<Replacement<E, R>>) =>
      change((database) => database.replace(replacements)),
    checkpoint: (target) => change((database) => database.checkpoint(target)),
    stats: read((database) => database.stats)
  }
})
