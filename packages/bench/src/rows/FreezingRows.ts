/**
 * What a freeze costs those who read meanwhile: the time that 99 of 100 reads stay below, beside the same readers while nothing
 * happens.
 */
import { type History, Store } from "@icecore/daemon"
import { Effect, Layer, Option } from "effect"
import * as KeyedLines from "../fixtures/KeyedLines.ts"
import { scrambled } from "../fixtures/KeyedRows.ts"
import { quantile } from "../Measure.ts"
import { type EnginePeer, enginePeers } from "../peers/EnginePeers.ts"
import { type Row, requireWork } from "../Row.ts"
import { storeServices } from "./StoreServices.ts"

const readerCount = 8

/** How long readers are watched while nothing happens. */
const idleMillis = 1_000

/** Entries of one append while a chunk is filled. */
const appendCount = 1_000

/** Every other read by seq, the others by key, in no order, until it is over. Adds what each took, in seconds. */
const readAll = Effect.fnUntraced(function* (
  history: History,
  { count, isOver }: { readonly count: number; readonly isOver: () => boolean },
  times: Array<number>
) {
  let read = 0
  let wrongCount = 0
  const reader = Effect.whileLoop({
    while: () => !isOver(),
    body: () =>
      Effect.suspend(() => {
        const seq = scrambled(++read) % count
        const key = KeyedLines.keyAt(seq)
        const start = performance.now()
        const done = (isRight: boolean): void => {
          times.push((performance.now() - start) / 1_000)
          if (!isRight) wrongCount++
        }
        return read % 2 === 0
          ? Effect.map(history.get(seq), (bytes) => done(bytes.length === KeyedLines.lineSizeBytes))
          : Effect.map(history.find(key), (found) => done(Option.isSome(found) && found.value.seq === seq))
      }),
    step: () => undefined
  })
  yield* Effect.all(
    Array.from({ length: readerCount }, () => reader),
    { concurrency: "unbounded", discard: true }
  )
  return wrongCount
})

const freezingRow = ({ name, engine }: EnginePeer): Row => {
  const row = `daemon/${name}/reads-while-freezing`
  return {
    name: row,
    work: `99 % of the reads of ${readerCount} readers, by seq and by key, while a chunk freezes`,
    reference: "the same readers while nothing happens",
    unit: "reads",
    targets: [{ kind: "time", atMost: 1.5 }],
    setup: Effect.fnUntraced(function* ({ isQuick, directory }) {
      const entriesPerChunk = isQuick ? 2_000 : 20_000
      const store = yield* Effect.provideContext(
        Store.make({
          dataDir: `${directory}/store`,
          geometry: { entriesPerChunk },
          entriesPerCommit: appendCount
        }),
        yield* Layer.build(storeServices(engine, { keys: [KeyedLines.keyPointer] }))
      )
      const { history } = store
      let nextSeq = 0
      const appendTo = (end: number) =>
        Effect.whileLoop({
          while: () => nextSeq < end,
          body: () => history.append(KeyedLines.make(Math.min(end - nextSeq, appendCount), nextSeq).lines),
          step: ({ lastSeq }) => {
            nextSeq = lastSeq + 1
          }
        })
      yield* Effect.andThen(appendTo(entriesPerChunk), store.settled)
      let times: Array<number> = []
      const watch = (isOver: () => boolean) =>
        Effect.suspend(() => {
          times = []
          return Effect.flatMap(readAll(history, { count: nextSeq, isOver }, times), (wrongCount) =>
            requireWork(row, "wrong answers", { expected: 0, actual: wrongCount })
          )
        })
      const seconds = Effect.sync(() => quantile(times, 0.99))
      const chunkEnd = () => (Math.floor(nextSeq / entriesPerChunk) + 1) * entriesPerChunk
      return {
        // One read after the other, each as long as the figure.
        unitsPerRound: 1,
        subject: {
          prepare: Effect.suspend(() => Effect.andThen(store.settled, appendTo(chunkEnd() - 1))),
          run: Effect.gen(function* () {
            yield* appendTo(chunkEnd())
            let isFrozen = false
            const settled = Effect.tap(store.settled, () =>
              Effect.sync(() => {
                isFrozen = true
              })
            )
            yield* Effect.all([settled, watch(() => isFrozen)], { concurrency: "unbounded", discard: true })
          }),
          seconds
        },
        reference: {
          prepare: store.settled,
          run: Effect.suspend(() => {
            const end = performance.now() + idleMillis
            return watch(() => performance.now() > end)
          }),
          seconds
        }
      }
    })
  }
}

export const freezingRows: ReadonlyArray<Row> = enginePeers.map(freezingRow)
