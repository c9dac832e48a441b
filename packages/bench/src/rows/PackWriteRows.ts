/**
 * Writing packfiles, beside the programs that do parts of the same work over the same bytes in a file.
 *
 * Both sides end with their output synced. The programs find their input in the page cache, the writer its items in memory.
 */
import { writeFileSync } from "node:fs"
import { Zstd, ZstdLive } from "@icecore/codec"
import { Disk, PackWriter, RecordEncoding } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Effect, Layer } from "effect"
import { make as makeItems } from "../fixtures/JsonItems.ts"
import * as Program from "../peers/Program.ts"
import { type Row, requireWork, type SetupOptions } from "../Row.ts"

/** Bytes of an item in all rows about packfiles. */
export const itemSizeBytes = 400

/** Items in all rows about packfiles that compare with a program. */
export const itemCountOf = (isQuick: boolean): number => (isQuick ? 100_000 : 800_000)

const services = Layer.merge(LiveDisk.layer, ZstdLive.layer)

interface WriteRow {
  readonly name: string
  readonly work: string
  readonly reference: string
  readonly atLeast: number
  readonly programs: ReadonlyArray<string>
  readonly options: (zstd: Zstd) => PackWriter.PackWriterOptions
  /** Makes `output` of `input`, and may take it from there; the row syncs it. */
  readonly run: (input: string, output: string) => Effect.Effect<unknown, Program.ProgramFailed>
}

const writeRow = ({ name, work, reference, atLeast, programs, options, run }: WriteRow): Row => ({
  name,
  work,
  reference,
  unit: "bytes",
  targets: [{ kind: "throughput", atLeast }],
  setup: Effect.fnUntraced(function* ({ isQuick, directory }: SetupOptions) {
    yield* Program.required(name, programs)
    const context = yield* Layer.build(services)
    const { bytes, items } = makeItems(itemCountOf(isQuick), itemSizeBytes)
    const input = `${directory}/input`
    yield* Effect.sync(() => writeFileSync(input, bytes))
    const pack = `${directory}/subject.pack`
    const output = `${directory}/reference`
    const writeAll = Effect.scoped(
      Effect.gen(function* () {
        const writer = yield* PackWriter.make(pack, options(yield* Zstd))
        yield* writer.appendAll(items)
        return yield* writer.finish()
      })
    )
    return {
      unitsPerRound: bytes.length,
      subject: {
        prepare: Effect.provideContext(removed(pack), context),
        run: Effect.flatMap(Effect.provideContext(writeAll, context), ({ itemCount }) =>
          requireWork(name, "items written", { expected: items.length, actual: itemCount })
        )
      },
      reference: {
        prepare: Effect.provideContext(removed(output), context),
        run: Effect.andThen(run(input, output), Effect.provideContext(synced(directory, output), context))
      }
    }
  })
})

export const packWriteRows: ReadonlyArray<Row> = [
  writeRow({
    name: "packfile/write/zstd",
    work: `write items of ${itemSizeBytes} bytes, zstd, with content hash`,
    reference: "zstd -3 -T0 and sha256sum at once, then fsync",
    atLeast: 0.9,
    programs: ["zstd", "sha256sum"],
    options: (zstd) => ({ encoding: RecordEncoding.zstd(zstd), contentHash: true }),
    run: (input, output) =>
      Effect.all(
        [Program.output("zstd", ["-3", "-T0", "-q", "-f", "-o", output, input]), Program.output("sha256sum", [input])],
        { concurrency: "unbounded", discard: true }
      )
  }),
  writeRow({
    name: "packfile/write/verbatim",
    work: `write items of ${itemSizeBytes} bytes as they are`,
    reference: "cp, then fsync",
    atLeast: 0.7,
    programs: ["cp"],
    options: () => ({}),
    run: (input, output) => Program.output("cp", [input, output])
  })
]

const removed = Effect.fnUntraced(function* (path: string) {
  const disk = yield* Disk
  yield* Effect.catchTag(disk.unlink(path), "DiskNotFound", () => Effect.void)
})

/** As durable as a finished pack: the bytes and the name. */
const synced = Effect.fnUntraced(function* (directory: string, path: string) {
  const disk = yield* Disk
  yield* Effect.scoped(Effect.flatMap(disk.open(path, "readWrite"), (file) => file.sync))
  yield* disk.syncDirectory(directory)
})
