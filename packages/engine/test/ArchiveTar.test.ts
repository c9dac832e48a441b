import { assert, describe, it } from "@effect/vitest"
import { Zstd } from "@icecore/codec"
import { Effect } from "effect"
import * as Archive from "../src/Archive.ts"
import { ArchiveEngines } from "../src/ArchiveEngines.ts"
import * as TarFormat from "../src/format/TarFormat.ts"
import { limitOf, live, namesAtRoot, options, path, readAll, withEngine, writeFile } from "./ArchiveBytes.ts"
import { blocksOf, forge, headerOf, join, partOf, tarEnd } from "./ArchiveForging.ts"
import * as FiledEngine from "./FiledEngine.ts"

describe("Archive on hostile tars", () => {
  const content = blocksOf("hello")
  const file = join([headerOf({}), content])
  const hostile: Readonly<Record<string, ReadonlyArray<Uint8Array>>> = {
    "an absolute name": [headerOf({ name: "/etc/passwd" }), content],
    "a name with ..": [headerOf({ name: "../outside" }), content],
    "a name that is ..": [headerOf({ name: ".." }), content],
    "a name that is .": [headerOf({ name: "." }), content],
    "a name that begins with a dot": [headerOf({ name: ".profile" }), content],
    "a name in a directory": [headerOf({ name: "inner/rows.bin" }), content],
    "a name with a backslash": [headerOf({ name: "..\\outside" }), content],
    "a name with a drive": [headerOf({ name: "C:outside" }), content],
    "a name with a line feed": [headerOf({ name: "rows\n.bin" }), content],
    "a name beyond ASCII": [headerOf({ name: "r\u00f6ws.bin" }), content],
    "no name": [headerOf({ name: "" }), content],
    "a name of 100 bytes": [headerOf({ name: "x".repeat(100) }), content],
    "bytes behind a name": [headerOf({ name: "rows.bin\0/../x" }), content],
    "a prefix": [headerOf({ prefix: "/etc" }), content],
    "a link name": [headerOf({ linkName: "/etc/passwd" }), content],
    "a hard link": [headerOf({ type: "1", linkName: "/etc/passwd", size: "00000000000\0" })],
    "a symbolic link": [headerOf({ type: "2", linkName: "../..", size: "00000000000\0" })],
    "a symbolic link and a file through it": [
      headerOf({ name: "link", type: "2", linkName: "/", size: "00000000000\0" }),
      headerOf({ name: "link/file" }),
      content
    ],
    "a character device": [headerOf({ type: "3" })],
    "a block device": [headerOf({ type: "4" })],
    "a directory": [headerOf({ name: "rows.bin", type: "5", size: "00000000000\0" })],
    "a pipe": [headerOf({ type: "6" })],
    "a contiguous file": [headerOf({ type: "7" }), content],
    "an old header's type": [headerOf({ type: "\0" }), content],
    "a long name": [headerOf({ name: "././@LongLink", type: "L" }), blocksOf("/etc/passwd"), file],
    "a long link name": [headerOf({ name: "././@LongLink", type: "K" }), blocksOf("/etc/passwd"), file],
    "a sparse file": [headerOf({ type: "S" }), content],
    "a volume header": [headerOf({ type: "V", size: "00000000000\0" })],
    "a global pax header": [headerOf({ type: "g", size: "00000000024\0" }), blocksOf("20 path=/etc/passwd\n"), file],
    "a pax path": [headerOf({ type: "x", size: "00000000024\0" }), blocksOf("20 path=/etc/passwd\n"), file],
    "a pax link path": [headerOf({ type: "x", size: "00000000022\0" }), blocksOf("18 linkpath=/etc/p\n"), file],
    "a pax size beside a path": [
      headerOf({ type: "x", size: "00000000050\0" }),
      blocksOf("20 size=10000000000\n20 path=/etc/passwd\n"),
      file
    ],
    "a needless pax size": [headerOf({ type: "x", size: "00000000012\0" }), blocksOf("10 size=5\n"), file],
    "a pax size that is no number": [
      headerOf({ type: "x", size: "00000000024\0" }),
      blocksOf("20 size=1e0000000009\n"),
      file
    ],
    "a pax size of the wrong length": [
      headerOf({ type: "x", size: "00000000024\0" }),
      blocksOf("21 size=10000000000\n"),
      file
    ],
    "a pax header of many blocks": [headerOf({ type: "x", size: "00000002000\0" }), new Uint8Array(1024), file],
    "a pax header of a pax header": [
      headerOf({ type: "x", size: "00000000024\0" }),
      blocksOf("20 size=10000000000\n"),
      headerOf({ type: "x", size: "00000000024\0" }),
      blocksOf("20 size=10000000000\n")
    ],
    "a pax header of nothing": [headerOf({ type: "x", size: "00000000024\0" }), blocksOf("20 size=10000000000\n")],
    "a pax size and another": [headerOf({ type: "x", size: "00000000024\0" }), blocksOf("20 size=10000000000\n"), file],
    "a size of base 256": [headerOf({ size: "\x80\0\0\0\0\0\0\0\0\0\0\x05" }), content],
    "a negative size": [headerOf({ size: "-0000000005\0" }), content],
    "a size of spaces": [headerOf({ size: "           \0" }), content],
    "a size that the tar does not have": [headerOf({ size: "00000077777\0" }), content],
    "a size of a terabyte": [headerOf({ size: "77777777777\0" }), content],
    "the same name twice": [file, file],
    "another magic": [headerOf({ magic: "ustar  \0" }), content],
    "a wrong checksum": [headerOf({ checksum: "000000\0 " }), content],
    "padding that is not zero": [headerOf({}), new Uint8Array(512).fill(0x61)],
    "one block of zeros before another file": [file, new Uint8Array(512), headerOf({ name: "other" }), content],
    "more than 64 files": Array.from({ length: 65 }, (_, at) => headerOf({ name: `file${at}`, size: "00000000000\0" }))
  }

  for (const [name, blocks] of Object.entries(hostile)) {
    it.effect(`Archive.open and extract refuse ${name} in a tar, and write nothing outside`, () =>
      Effect.gen(function* () {
        const zstd = yield* Zstd
        const tar = join([...blocks, tarEnd])
        const compressed = yield* zstd.compress(tar)
        for (const archive of [
          forge(tar),
          forge(compressed, { encoding: "tar+zstd", parts: [partOf(compressed.length, tar.length)] })
        ]) {
          yield* writeFile(archive)
          const failures = [
            yield* Effect.flip(readAll()),
            yield* Effect.flip(withEngine(Archive.extract(path, { directory: "/made" })))
          ]
          for (const failure of failures) {
            const [tag] = limitOf(failure)
            assert.include(["ArchiveEntryRefused", "ArchiveCorrupt", "ArchiveLimitExceeded"], tag)
          }
          assert.deepStrictEqual(yield* namesAtRoot, ["archive"])
        }
      }).pipe(Effect.provide(live))
    )
  }

  it.effect(
    "Archive.open refuses a tar that is cut short, that goes on behind its end, or that the manifest measures wrong",
    () =>
      Effect.gen(function* () {
        const sound = join([file, tarEnd])
        for (const tar of [
          sound.subarray(0, 100),
          sound.subarray(0, 600),
          sound.subarray(0, 1024),
          sound.subarray(0, 1536),
          sound.subarray(0, sound.length - 1),
          join([sound, new Uint8Array(1)]),
          join([sound, tarEnd]),
          new Uint8Array(0)
        ]) {
          yield* writeFile(forge(tar))
          assert.propertyVal(yield* Effect.flip(readAll()), "_tag", "ArchiveCorrupt", `${tar.length} bytes`)
        }
        yield* writeFile(forge(sound, { parts: [partOf(sound.length, sound.length + 1)] }))
        assert.propertyVal(yield* Effect.flip(readAll()), "_tag", "ArchiveCorrupt")
      }).pipe(Effect.provide(live))
  )

  it.effect("Archive.open refuses files that a known engine does not have", () =>
    Effect.gen(function* () {
      const engine = yield* FiledEngine.make
      yield* writeFile(forge(join([headerOf({ name: "data.sqlite-wal" }), content, tarEnd]), { engine: "sqlite" }))
      const failure = yield* Effect.flip(
        Effect.provideService(
          Effect.scoped(Archive.open(path, options())),
          ArchiveEngines,
          new Map([["sqlite", engine]])
        )
      )
      assert.strictEqual(failure._tag, "ArchiveEntryRefused")
    }).pipe(Effect.provide(live))
  )

  it("TarFormat.encodeEntry gives a file of 8 GiB and more a pax header that TarFormat.parsePax reads", () => {
    for (const size of [8 ** 11, 10_000_000_000, 2 ** 53 - 1]) {
      const entry = TarFormat.encodeEntry("data.mdb", size)
      assert.strictEqual(entry.length, 3 * 512)
      const pax = TarFormat.parseHeader(entry.subarray(0, 512))
      assert(pax.kind === "pax")
      assert.strictEqual(TarFormat.parsePax(entry.subarray(512, 1024), pax.sizeBytes), size)
      assert.deepStrictEqual(TarFormat.parseHeader(entry.subarray(1024)), {
        kind: "file",
        name: "data.mdb",
        sizeBytes: 0
      })
    }
    assert.strictEqual(TarFormat.encodeEntry("data.mdb", 8 ** 11 - 1).length, 512)
  })
})
