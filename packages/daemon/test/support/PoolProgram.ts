/**
 * Uses a pool in a process of its own, in the directory that its argument names, and prints one line of JSON. The process is to end by itself:
 * nothing here ends it.
 */
import { ZstdLive } from "@icecore/codec"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer, Option, Stream } from "effect"
import { ArtifactWork, layerInline } from "../../src/ArtifactWork.ts"
import { Domain } from "../../src/Domain.ts"
import * as NdjsonDomain from "../../src/domain/NdjsonDomain.ts"
import * as WorkerPool from "../../src/live/WorkerPool.ts"
import * as FaultyDomain from "./FaultyDomain.ts"
import { chunkJob, contentOf, keyedEntries, keyOptions, namesIn } from "./WorkHarness.ts"

const directory = process.argv[2]!
const ports = Layer.mergeAll(LiveDisk.layer, ZstdLive.layer)

const inPool = (domain: Domain) =>
  WorkerPool.layer({ workers: 2 }).pipe(Layer.provide(Layer.merge(ports, Layer.succeed(Domain, domain))))

const keyed = NdjsonDomain.make(keyOptions)
const job = chunkJob(directory, { entryCount: 3000, hasKeys: true })

const write = (name: string) =>
  Effect.flatMap(ArtifactWork, (work) =>
    work.writeChunk(
      {
        ...job,
        entries: Option.some({ path: `${directory}/${name}.pack` }),
        keys: Option.some({ path: `${directory}/${name}.bin` })
      },
      keyedEntries(job.firstSeq, 3000)
    )
  )

const isSame = (left: string, right: string) =>
  Effect.map(
    Effect.all([contentOf(left), contentOf(right)]),
    ([one, other]) => one.every((byte, index) => byte === other[index]) && one.length === other.length
  )

const program = Effect.gen(function* () {
  yield* Effect.provide(Effect.all([write("a"), write("b")], { concurrency: 2 }), inPool(keyed))
  const domain = Layer.merge(ports, Layer.succeed(Domain, keyed))
  yield* Effect.provide(write("inline"), Layer.provide(layerInline, domain))
  const same = yield* Effect.all([
    isSame(`${directory}/a.pack`, `${directory}/inline.pack`),
    isSame(`${directory}/b.bin`, `${directory}/inline.bin`)
  ])

  const faulty = FaultyDomain.make({ shared: new SharedArrayBuffer(8) })
  const lost = yield* Effect.gen(function* () {
    const work = yield* ArtifactWork
    const none = { ...chunkJob(directory, { entryCount: 1 }), entries: Option.none() }
    const exit = new TextEncoder().encode("exit")
    const error = yield* Effect.flip(work.writeChunk(none, Stream.make([{ seq: none.firstSeq, bytes: exit }])))
    yield* work.writeChunk(none, keyedEntries(none.firstSeq, 1))
    const endless = Stream.concat(keyedEntries(job.firstSeq, 2000), Stream.never)
    const file = Option.some({ path: `${directory}/never.pack` })
    yield* Effect.timeoutOption(work.writeChunk({ ...job, keys: Option.none(), entries: file }, endless), "200 millis")
    return error.message
  }).pipe(Effect.provide(inPool(faulty)))

  console.log(JSON.stringify({ same, lost, names: yield* namesIn(directory) }))
})

Effect.runPromise(Effect.provide(program, ports))
