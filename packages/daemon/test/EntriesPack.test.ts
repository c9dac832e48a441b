import { assert, describe, it } from "@effect/vitest"
import { ZstdLive } from "@icecore/codec"
import { Disk, PackWriter } from "@icecore/packfile"
import { CrashRecorder, SimulatedDisk } from "@icecore/packfile/testing"
import { Effect, Layer, Option, Result, Stream } from "effect"
import { Hex } from "effect/encoding"
import * as EntriesPack from "../src/EntriesPack.ts"

const path = "/1.pack"
const firstSeq = 258
const texts = ["alpha", "", "gamma gamma gamma gamma", "delta", "epsilon"]
const entries = texts.map((text, index) => ({ seq: firstSeq + index, bytes: new TextEncoder().encode(text) }))
const place = { path, chunk: 1, firstSeq, entryCount: texts.length }
const run = { keyCount: 3, checksum: 0xe306_9283 }

const layer = Layer.merge(
  ZstdLive.layer,
  Layer.sync(Disk, () => SimulatedDisk.make(CrashRecorder.make()).disk)
)

const write = (known?: typeof run) =>
  EntriesPack.write({
    ...place,
    itemsPerRecord: 2,
    entries: Stream.make(entries.slice(0, 3), entries.slice(3)),
    ...(known === undefined ? {} : { run: Effect.succeed(known) })
  })

const readFile = Effect.scoped(
  Effect.gen(function* () {
    const file = yield* (yield* Disk).open(path, "read")
    const bytes = new Uint8Array(yield* file.size)
    yield* file.readAt(bytes, 0)
    return bytes
  })
)

const writeFile = (bytes: Uint8Array) =>
  Effect.scoped(
    Effect.gen(function* () {
      const disk = yield* Disk
      yield* Effect.ignore(disk.unlink(path))
      yield* (yield* disk.open(path, "create")).writeAt(bytes, 0)
    })
  )

const verify = Effect.scoped(Effect.flatMap(EntriesPack.openToVerify(place), ({ reader }) => reader.verify()))

const readAll = Effect.scoped(
  Effect.flatMap(EntriesPack.open(place), (pack) => {
    const all = { from: firstSeq, to: firstSeq + texts.length - 1, order: "ascending" } as const
    return Effect.map(Stream.runCollect(EntriesPack.range(pack, all)), (batches) => ({
      run: pack.run,
      format: pack.reader.trailer.format,
      texts: batches.flat().map(({ bytes }) => new TextDecoder().decode(bytes))
    }))
  })
)

/** Whole files of both formats, with the five entries. Part of the on-disk format: must be readable for ever. */
const golden = {
  1: [
    "28b52ffd2405290000616c7068614858da1d0503000000001090dc4228b52ffd241c8d00005867616d6d612064656c746101",
    "00994b118e9b47de120005050000000c83508928b52ffd2407390000657073696c6f6eaaee40c1000107000000ecab3b76d0",
    "02041c0000001e6477f702010000000000000c645376fea78c75f3ae5b512e0418ac534c4348010100000100000003000000",
    "0500000002000000800000000b0000001800000053591706d6b0e92973985743a499c935eb51603b2b9d01cbdad5cf82308e",
    "cf7c000000007efa4cc0"
  ].join(""),
  2: [
    "28b52ffd2405290000616c7068614858da1d0503000000001090dc4228b52ffd241c8d00005867616d6d612064656c746101",
    "00994b118e9b47de120005050000000c83508928b52ffd2407390000657073696c6f6eaaee40c1000107000000ecab3b76d0",
    "02041c0000001e6477f7020100000000000003000000839206e3919f8902fea78c75f3ae5b512e0418ac534c434801010000",
    "02000000030000000500000002000000800000000b0000002000000053591706d6b0e92973985743a499c935eb51603b2b9d",
    "01cbdad5cf82308ecf7c00000000e0fa9b88"
  ].join("")
}

describe("EntriesPack", () => {
  it.effect("open reads the golden file of format 1, which knows of no key run", () =>
    Effect.gen(function* () {
      yield* writeFile(Result.getOrThrow(Hex.decode(golden[1])))
      assert.deepStrictEqual(yield* readAll, { run: Option.none(), format: 1, texts })
      yield* verify
    }).pipe(Effect.provide(layer))
  )

  it.effect("open reads the golden file of format 2, and says what the key run is", () =>
    Effect.gen(function* () {
      yield* writeFile(Result.getOrThrow(Hex.decode(golden[2])))
      assert.deepStrictEqual(yield* readAll, { run: Option.some(run), format: 2, texts })
      yield* verify
    }).pipe(Effect.provide(layer))
  )

  it.effect("write gives format 1 without a key run and format 2 with one, with the documented app data", () =>
    Effect.gen(function* () {
      const head = Effect.scoped(
        Effect.map(EntriesPack.open(place), ({ reader: { appData, trailer, recordCount } }) => {
          const sizeBytes = appData.length - 4 * recordCount
          return { format: trailer.format, head: Hex.encode(appData.subarray(0, sizeBytes)) }
        })
      )
      yield* write()
      assert.deepStrictEqual(yield* head, { format: 1, head: "02010000000000000c645376" })
      assert.deepStrictEqual((yield* readAll).run, Option.none())
      yield* (yield* Disk).unlink(path)
      yield* write(run)
      assert.deepStrictEqual(yield* head, { format: 2, head: "020100000000000003000000839206e3919f8902" })
      assert.deepStrictEqual((yield* readAll).run, Option.some(run))
    }).pipe(Effect.provide(layer))
  )

  it.effect("write asks for the key run behind the last entry", () =>
    Effect.gen(function* () {
      let taken = 0
      yield* EntriesPack.write({
        ...place,
        itemsPerRecord: 2,
        entries: Stream.tap(Stream.make(entries), (batch) =>
          Effect.sync(() => {
            taken += batch.length
          })
        ),
        run: Effect.sync(() => ({ keyCount: taken, checksum: 0 }))
      })
      assert.deepStrictEqual((yield* readAll).run, Option.some({ keyCount: texts.length, checksum: 0 }))
    }).pipe(Effect.provide(layer))
  )

  for (const [format, known] of [
    [1, undefined],
    [2, run]
  ] as const)
    it.effect(`openToVerify finds any flipped bit of a pack of format ${format}`, () =>
      Effect.gen(function* () {
        yield* write(known)
        const bytes = yield* readFile
        yield* verify
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const damaged = bytes.slice()
          damaged[bit >> 3]! ^= 1 << (bit & 7)
          yield* writeFile(damaged)
          const result = yield* Effect.result(verify)
          assert.isTrue(Result.isFailure(result), `bit ${bit & 7} of byte ${bit >> 3}`)
        }
      }).pipe(Effect.provide(layer))
    )

  it.effect("open finds any flipped bit of what it says of the key run, without reading a record", () =>
    Effect.gen(function* () {
      yield* write(run)
      const bytes = yield* readFile
      const head = yield* Effect.scoped(
        Effect.map(EntriesPack.open(place), ({ reader }) => reader.appData.slice(0, 20))
      )
      const at = Buffer.from(bytes).indexOf(head)
      for (let bit = at * 8; bit < (at + head.length) * 8; bit++) {
        const damaged = bytes.slice()
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        yield* writeFile(damaged)
        assert.strictEqual((yield* Effect.flip(Effect.scoped(EntriesPack.open(place))))._tag, "PackCorrupt")
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("open refuses another format, and app data of another length", () =>
    Effect.gen(function* () {
      const pack = (format: number, appDataSizeBytes: number) =>
        Effect.scoped(
          Effect.gen(function* () {
            yield* Effect.ignore((yield* Disk).unlink(path))
            const writer = yield* PackWriter.make(path, { itemsPerRecord: 8, format, contentHash: true })
            yield* writer.appendAll(entries.map(({ bytes }) => bytes))
            yield* writer.finish(() => new Uint8Array(appDataSizeBytes))
          })
        )
      const refusal = Effect.map(Effect.flip(Effect.scoped(EntriesPack.open(place))), ({ message }) => message)
      yield* pack(3, 16)
      assert.strictEqual(yield* refusal, "Cannot use /1.pack for chunk 1: its format is 3, expected 1 or 2")
      yield* pack(2, 16)
      assert.strictEqual(yield* refusal, "Cannot use /1.pack for chunk 1: it has 16 bytes of app data, expected 24")
      yield* pack(1, 24)
      assert.strictEqual(yield* refusal, "Cannot use /1.pack for chunk 1: it has 24 bytes of app data, expected 16")
    }).pipe(Effect.provide(layer))
  )
})
