import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { directory } from "../support/LiveStore.ts"
import { expect, failureLine, startDaemon } from "./support/Command.ts"
import { assertSameBytes, lines, textOf } from "./support/Logs.ts"

const entriesPerChunk = 300
const itemsPerRecord = 128
const trailerSizeBytes = 76

const flip = (path: string, at: number): void => {
  const bytes = Fs.readFileSync(path)
  bytes[at]! ^= 0x10
  Fs.writeFileSync(path, bytes)
}

/** A place in a pack of several records, and what `verify` must call it. */
interface Place {
  readonly name: string
  readonly at: number
  readonly part: string
  /** The region that holds the place: its first offset and the one behind its last. */
  readonly region: readonly [number, number]
}

/** One place in every region of a pack of three records, by the layout of the format. */
const placesOf = (pack: Buffer): ReadonlyArray<Place> => {
  const size = pack.length
  const trailer = size - trailerSizeBytes
  const appData = trailer - pack.readUInt32LE(trailer + 32)
  const index = appData - pack.readUInt32LE(trailer + 28)
  const records = [0, index] as const
  const offsets = [index, appData] as const
  const end = [trailer, size] as const
  return [
    { name: "first byte of the first frame", at: 0, part: "record", region: records },
    { name: "middle of a frame", at: index >> 1, part: "record", region: records },
    { name: "size index of the last record", at: index - 6, part: "checksum", region: records },
    { name: "checksum of that size index", at: index - 1, part: "checksum", region: records },
    { name: "offset index", at: index, part: "checksum", region: offsets },
    { name: "checksum of the offset index", at: appData - 1, part: "checksum", region: offsets },
    { name: "first seq", at: appData, part: "checksum", region: [appData, appData + 12] },
    { name: "checksum of the first seq", at: appData + 11, part: "checksum", region: [appData, appData + 12] },
    // The rest of the app data is a checksum of each record: which of the two is wrong cannot be told.
    { name: "checksum of the last record", at: trailer - 1, part: "record", region: records },
    { name: "magic", at: trailer, part: "magic", region: end },
    { name: "version", at: trailer + 4, part: "version", region: end },
    { name: "flags", at: trailer + 5, part: "checksum", region: end },
    { name: "item count", at: trailer + 16, part: "checksum", region: end },
    { name: "content hash", at: trailer + 36, part: "checksum", region: end },
    { name: "checksum of the trailer", at: size - 1, part: "checksum", region: end }
  ]
}

interface Finding {
  readonly path: string
  readonly part: string
  readonly offsetBytes: number | null
  readonly entries: { readonly from: number; readonly to: number } | null
  readonly message: string
}

const findingsOf = (stdout: Buffer): ReadonlyArray<Finding> => JSON.parse(stdout.toString()).findings

describe("icecore verify", () => {
  it.live("names file, part and position of one flipped byte in any region of any frozen file", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const log = Path.join(root, "log.ndjson")
      const chunkCount = 13
      Fs.writeFileSync(log, textOf(lines(0, chunkCount * entriesPerChunk)))
      const dataDir = Path.join(root, "data")
      const flags = [`--storage.data_dir=${dataDir}`]
      yield* expect(0, ["ingest", log, "--ingest.batch=300", "--geometry.entries_per_chunk=300", ...flags])
      const packs = Path.join(dataDir, "entries", "00000")
      const names = Fs.readdirSync(packs).sort()
      assert.lengthOf(names, chunkCount)

      const places = placesOf(Fs.readFileSync(Path.join(packs, names[0]!)))
      const damaged = names.map((name, chunk) => {
        const path = Path.join(packs, name)
        const place = placesOf(Fs.readFileSync(path))[chunk]!
        flip(path, place.at)
        return { ...place, path, chunk }
      })
      const ended = yield* expect(1, ["verify", "--json", ...flags])
      assert.include(failureLine(ended), "Verification found 13 faults")
      const findings = findingsOf(ended.stdout)
      assert.deepStrictEqual(
        findings.map(({ path, part }) => ({ path, part })),
        damaged.map(({ path, part }) => ({ path, part })),
        "the store"
      )
      for (const [chunk, { offsetBytes, entries, message }] of findings.entries()) {
        const { path, at, region } = damaged[chunk]!
        assert.isTrue(offsetBytes !== null && offsetBytes >= region[0] && offsetBytes < region[1], `${at}: ${message}`)
        assert.include(message, path)
        const from = chunk * entriesPerChunk
        assert.isAtLeast(entries!.from, from)
        assert.isAtMost(entries!.to, from + entriesPerChunk - 1)
        if (region[0] === 0) assert.isAtMost(entries!.to - entries!.from + 1, itemsPerRecord, message)
      }

      const plain = yield* expect(1, ["verify", ...flags])
      const first = plain.stdout.toString().split("\n")[0]!
      assert.include(first, `${damaged[0]!.path}, record, offset 0, entries 0 to 127: `)

      const copies = places.map((_, index) => Path.join(root, `${index}.pack`))
      for (const { path, at } of damaged) flip(path, at)
      for (const [index, { at }] of places.entries()) {
        Fs.copyFileSync(Path.join(packs, names[0]!), copies[index]!)
        flip(copies[index]!, at)
      }
      const loose = yield* expect(1, ["verify", "--json", ...copies])
      assert.deepStrictEqual(
        findingsOf(loose.stdout).map(({ path, part }) => ({ path, part })),
        places.map(({ part }, index) => ({ path: copies[index]!, part })),
        "the files"
      )
      yield* expect(0, ["verify", ...flags])
    }).pipe(Effect.scoped)
  )

  it.live("finds a file that is gone, and one that nobody knows", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const log = Path.join(root, "log.ndjson")
      Fs.writeFileSync(log, textOf(lines(0, 1_000)))
      const dataDir = Path.join(root, "data")
      const flags = [`--storage.data_dir=${dataDir}`]
      yield* expect(0, ["ingest", log, "--ingest.batch=300", "--geometry.entries_per_chunk=300", ...flags])
      const packs = Path.join(dataDir, "entries", "00000")
      const [gone, stray] = [Path.join(packs, "00000001.pack"), Path.join(packs, "00000077.pack")]
      Fs.renameSync(gone, stray)
      const ended = yield* expect(1, ["verify", "--json", ...flags])
      const paths = new Set(findingsOf(ended.stdout).map(({ path }) => path))
      assert.deepStrictEqual(paths, new Set([gone, stray]))
    }).pipe(Effect.scoped)
  )
})

describe("icecore get", () => {
  it.live("fails on the entries of a damaged record, and on no others, from the store and from the daemon", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const log = Path.join(root, "log.ndjson")
      const all = lines(0, 1_000)
      Fs.writeFileSync(log, textOf(all))
      const dataDir = Path.join(root, "data")
      const flags = [`--storage.data_dir=${dataDir}`]
      yield* expect(0, ["ingest", log, "--ingest.batch=300", "--geometry.entries_per_chunk=300", ...flags])
      const pack = Path.join(dataDir, "entries", "00000", "00000001.pack")
      // The second of the three records of chunk 1: entries 428 to 555.
      const { stdout } = yield* expect(0, ["inspect", "--json", pack])
      assert.strictEqual(JSON.parse(stdout.toString()).recordCount, 3)
      flip(pack, Math.floor(Fs.statSync(pack).size / 2))

      const refused = yield* expect(1, ["get", "500", ...flags])
      assert.match(failureLine(refused), /^icecore: Cannot read .*00000001\.pack: record 1 at offset \d+ is damaged: /)
      assert.strictEqual(refused.stdout.length, 0)
      const crossing = yield* expect(1, ["get", "420", "--to", "500", ...flags])
      assertSameBytes(
        crossing.stdout,
        Buffer.from(textOf(all).slice(textOf(all.slice(0, 420)).length)).subarray(0, crossing.stdout.length),
        "what came before the damage"
      )
      const around = yield* expect(0, ["get", "556", "--to", "999", ...flags])
      assertSameBytes(around.stdout, Buffer.from(textOf(all.slice(556))), "get 556 --to 999")

      const daemon = yield* startDaemon([...flags, `--source.path=${log}`])
      yield* Effect.promise(async () => {
        for (let seq = 0; seq < all.length; seq += 9) {
          const response = await fetch(`${daemon.url}/v1/entries/${seq}`)
          const body = await response.text()
          if (seq >= 428 && seq <= 555) assert.deepStrictEqual([response.status, body.includes(dataDir)], [500, false])
          else assert.deepStrictEqual([response.status, body], [200, all[seq]])
        }
      })
      const through = yield* expect(1, ["get", "500", daemon.address, ...flags])
      failureLine(through)
    }).pipe(Effect.scoped)
  )
})
