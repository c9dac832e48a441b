import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Disk } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Exit, Fiber, Layer, Option, Queue, type Scope, Stdio, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { EntriesOptions, Source, SourceBatch, SourceError } from "../../src/Source.ts"
import * as NdjsonSource from "../../src/source/NdjsonSource.ts"

/** Real files, and standard input that has the given chunks. */
export const layerWith = (stdin: ReadonlyArray<Uint8Array>): Layer.Layer<Disk | Stdio.Stdio> =>
  Layer.merge(LiveDisk.layer, Stdio.layerTest({ stdin: Stream.fromIterable(stdin) }))

export const layer: Layer.Layer<Disk | Stdio.Stdio> = layerWith([])

export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "icecore-source-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Entries of a bounded source, as text; checks that seqs are dense. */
export const readAll = (source: Source, options: EntriesOptions): Effect.Effect<ReadonlyArray<string>, SourceError> =>
  Effect.map(Stream.runCollect(source.entries(options)), (batches) => {
    let next = options.from
    return batches.flatMap((batch) => {
      if (batch.firstSeq !== next) throw new Error(`batch starts at ${batch.firstSeq}, expected ${next}`)
      next += batch.entries.length
      return batch.entries.map(text)
    })
  })

export interface Tail {
  /** The next entries as they come, until there are `count`. The clock goes on meanwhile. */
  readonly next: (count: number) => Effect.Effect<ReadonlyArray<string>, SourceError>
  /** Lets the source look a few times more, and fails the test when an entry comes. */
  readonly expectNothing: Effect.Effect<void>
  /** The error that the stream ends with. */
  readonly failure: Effect.Effect<SourceError>
  /** Position behind the last entry that {@link Tail.next} gave. */
  readonly position: () => Uint8Array
  readonly stop: Effect.Effect<void>
}

/** A followed source that runs on the test clock, which is moved on whenever a test waits. */
export const follow: (
  options: NdjsonSource.NdjsonSourceOptions,
  wanted: EntriesOptions
) => Effect.Effect<Tail, never, Disk | Stdio.Stdio | Scope.Scope> = Effect.fnUntraced(function* (options, wanted) {
  const source = yield* NdjsonSource.make({ ...options, follow: true })
  const queue = yield* Queue.unbounded<{
    readonly entry: string
    readonly batch: SourceBatch
    readonly count: number
  }>()
  const fiber = yield* Effect.forkScoped(
    Stream.runForEach(source.entries(wanted), (batch) =>
      Queue.offerAll(
        queue,
        batch.entries.map((entry, index) => ({ entry: text(entry), batch, count: index + 1 }))
      )
    )
  )
  let latest: Uint8Array = new Uint8Array(0)
  // File operations complete on the event loop, so each turn of the clock gives it one too.
  const turn = Effect.andThen(
    TestClock.adjust("200 millis"),
    Effect.callback<void>((resume) => {
      setImmediate(() => resume(Effect.void))
    })
  )
  const ended = Effect.sync(() => fiber.pollUnsafe())
  const failureOf = (exit: Exit.Exit<void, SourceError>): Effect.Effect<never, SourceError> =>
    Exit.isFailure(exit) ? Effect.failCause(exit.cause) : Effect.die(new Error("the stream ended"))

  return {
    next: Effect.fnUntraced(function* (count) {
      const entries: Array<string> = []
      while (entries.length < count) {
        const item = yield* Queue.poll(queue)
        if (Option.isSome(item)) {
          entries.push(item.value.entry)
          latest = item.value.batch.positionAfter(item.value.count)
          continue
        }
        const exit = yield* ended
        if (exit !== undefined) return yield* failureOf(exit)
        yield* turn
      }
      return entries
    }),
    expectNothing: Effect.gen(function* () {
      for (let index = 0; index < 20; index++) yield* turn
      const item = yield* Queue.poll(queue)
      if (Option.isSome(item)) return yield* Effect.die(new Error(`unexpected entry ${item.value.entry}`))
      const exit = yield* ended
      if (exit !== undefined) return yield* Effect.orDie(failureOf(exit))
    }),
    failure: Effect.gen(function* () {
      for (;;) {
        const exit = yield* ended
        if (exit !== undefined) return yield* Effect.orDie(Effect.flip(failureOf(exit)))
        yield* turn
      }
    }),
    position: () => latest,
    stop: Fiber.interrupt(fiber)
  }
})
