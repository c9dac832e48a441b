import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Result, Stream } from "effect"
import * as Archive from "../src/Archive.ts"
import * as ArchiveFormat from "../src/format/ArchiveFormat.ts"
import {
  encodings,
  live,
  onEmptyDisk,
  options,
  outcome,
  path,
  readAll,
  saved,
  tagOfVerify,
  typed,
  withEngine,
  writeFile
} from "./ArchiveBytes.ts"
import { assemble, forge, join, take, tarEnd } from "./ArchiveForging.ts"

describe("Archive on damaged bytes", () => {
  for (const encoding of encodings) {
    it.effect(
      `Archive.open of a ${encoding} gives the right records or a typed error for every flipped bit, and verify finds each`,
      () =>
        Effect.gen(function* () {
          const { bytes, text } = yield* saved(encoding, 1)
          // A tar is unpacked and hashed whole each time, and no bit of it fares otherwise than its neighbours.
          const step = encoding === "pack" ? 1 : 5
          const seen = new Map<string, number>()
          for (let bit = 0; bit < bytes.length * 8; bit += step) {
            const bad = bytes.slice()
            bad[bit >>> 3]! ^= 1 << (bit & 7)
            const { read, verified } = yield* outcome(bad, text, `bit ${bit}`)
            seen.set(read, (seen.get(read) ?? 0) + 1)
            assert.notStrictEqual(verified, "none", `bit ${bit} is not found`)
          }
          console.log(encoding, bytes.length, "bytes", Object.fromEntries(seen))
        }).pipe(Effect.provide(live)),
      300_000
    )

    it.effect(
      `Archive.open of a ${encoding} refuses every truncation and what is appended`,
      () =>
        Effect.gen(function* () {
          const { bytes, text } = yield* saved(encoding, 1)
          for (let size = 0; size < bytes.length; size++) {
            const { read } = yield* outcome(bytes.subarray(0, size), text, `the first ${size} bytes`)
            assert.include(["ArchiveCorrupt", "ArchiveUnrecognized"], read)
          }
          for (const tail of [1, 64, 5000]) {
            const appended = join([bytes, new Uint8Array(tail)])
            assert.strictEqual((yield* outcome(appended, text, `${tail} more bytes`)).read, "ArchiveCorrupt")
          }
          assert.strictEqual((yield* outcome(join([bytes, bytes]), text, "twice")).read, "ArchiveCorrupt")
        }).pipe(Effect.provide(live)),
      300_000
    )

    it.effect(
      `Archive.open of a ${encoding} gives typed errors for a payload that was changed and hashed again`,
      () =>
        Effect.gen(function* () {
          const { bytes, text } = yield* saved(encoding, 3)
          const { head, payload } = take(bytes)
          let state = 7
          const next = (bound: number) => {
            state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
            return (state >>> 8) % bound
          }
          const seen = new Map<string, number>()
          for (let round = 0; round < 3000; round++) {
            const bad = payload.slice()
            for (let count = next(3) + 1; count > 0; count--) {
              if (next(2) === 0) bad[next(bad.length)]! ^= 1 << next(8)
              else bad.fill(next(2) * 255, next(bad.length), next(bad.length))
            }
            const reading = Effect.andThen(writeFile(assemble(head, bad)), readAll())
            const exit = yield* Effect.exit(onEmptyDisk(reading))
            if (Exit.isFailure(exit)) {
              const error = Exit.findError(exit)
              assert(Result.isSuccess(error), `round ${round}: ${exit.cause}`)
              const { _tag } = error.success as { readonly _tag: string }
              assert(typed.has(_tag), `round ${round}: ${_tag}`)
              seen.set(_tag, (seen.get(_tag) ?? 0) + 1)
            } else if (encoding === "pack") assert.strictEqual(exit.value, text)
          }
          console.log(encoding, Object.fromEntries(seen))
        }).pipe(Effect.provide(live)),
      300_000
    )
  }

  it.effect("Archive.open gives typed errors for a manifest that was changed and hashed again", () =>
    Effect.gen(function* () {
      const { bytes } = yield* saved("pack", 1)
      const { head, payload } = take(bytes)
      for (let bit = 12 * 8; bit < head.length * 8; bit += 3) {
        const bad = head.slice()
        bad[bit >>> 3]! ^= 1 << (bit & 7)
        const exit = yield* Effect.exit(onEmptyDisk(Effect.andThen(writeFile(assemble(bad, payload)), readAll())))
        if (Exit.isSuccess(exit)) continue
        const error = Exit.findError(exit)
        assert(Result.isSuccess(error), `bit ${bit}: ${exit.cause}`)
        assert(typed.has((error.success as { readonly _tag: string })._tag), `bit ${bit}`)
      }
    }).pipe(Effect.provide(live))
  )

  it.effect("Archive.open refuses manifests whose parts, versions or encoding cannot be", () =>
    Effect.gen(function* () {
      const { bytes } = yield* saved("pack", 1)
      const { head, payload } = take(bytes)
      const sound = ArchiveFormat.decodeManifest(head, payload.length) as ArchiveFormat.Manifest
      const [first, second, ...rest] = sound.parts
      const wrong: ReadonlyArray<readonly [tag: string, change: Partial<ArchiveFormat.Manifest>]> = [
        ["ArchiveVersionUnsupported", { format_version: 2 }],
        ["ArchiveVersionUnsupported", { key_layout_version: 2 }],
        ["ArchiveCorrupt", { format_version: 0 }],
        ["ArchiveCorrupt", { format_version: -1 }],
        ["ArchiveCorrupt", { key_layout_version: 0 }],
        ["ArchiveCorrupt", { encoding: "tar" }],
        ["ArchiveCorrupt", { encoding: "tar+zstd" }],
        ["ArchiveCorrupt", { parts: [] }],
        ["ArchiveCorrupt", { parts: [first!, second!] }],
        ["ArchiveCorrupt", { parts: [second!, first!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, name: "other" }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, name: second!.name }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, size_bytes: first!.size_bytes + 1 }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, size_bytes: -1 }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, size_bytes: Number.MAX_SAFE_INTEGER }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, decoded_size_bytes: -1 }, second!, ...rest] }],
        ["ArchiveCorrupt", { parts: [{ ...first!, row_count: -1 }, second!, ...rest] }],
        ["ArchiveCorrupt", { types: [null as never] }],
        ["ArchiveCorrupt", { types: [5 as never] }],
        ["ArchiveCorrupt", { types: [{ ...sound.types[0]!, primaryKey: undefined as never }] }],
        ["ArchiveCorrupt", { types: [{ ...sound.types[0]!, indexes: { by_owner: null as never } }] }],
        ["ArchiveCorrupt", { syncs: [{ ...sound.syncs[0]!, sync_id: "\u001b[2Jevil" as never }] }],
        ["ArchiveCorrupt", { syncs: [{ ...sound.syncs[0]!, parent_sync_id: "none" as never }] }],
        ["ArchiveCorrupt", { syncs: [{ ...sound.syncs[0]!, counts: { Account: -1 } }] }]
      ]
      for (const [tag, change] of wrong) {
        yield* writeFile(assemble(ArchiveFormat.encodeHead({ ...sound, ...change }), payload))
        const failure = yield* Effect.flip(readAll())
        assert.strictEqual((failure as { readonly _tag: string })._tag, tag, JSON.stringify(change))
      }
      const swapped = [{ ...first!, name: second!.name }, { ...second!, name: first!.name }, ...rest]
      yield* writeFile(assemble(ArchiveFormat.encodeHead({ ...sound, parts: swapped }), payload))
      assert.strictEqual(yield* tagOfVerify(), "findings")
      for (const change of [
        { syncs: [] },
        { types: [] },
        { parts: [{ ...first!, row_count: first!.row_count + 1 }, second!, ...rest] },
        { parts: [{ ...first!, decoded_size_bytes: 1 }, second!, ...rest] }
      ]) {
        yield* writeFile(assemble(ArchiveFormat.encodeHead({ ...sound, ...change }), payload))
        assert.strictEqual(yield* tagOfVerify(), "ArchiveCorrupt", JSON.stringify(change))
      }
    }).pipe(Effect.provide(live))
  )

  it.effect("Archive.open refuses a file that is no archive, and says which layer reads the older ones", () =>
    Effect.gen(function* () {
      yield* writeFile(new TextEncoder().encode("SQLite format 3\0 and so on"))
      assert.strictEqual(
        ((yield* Effect.flip(readAll())) as Error).message,
        "Cannot open archive /archive: it begins with 0x53514c69746520 66, expected the magic of an archive".replace(
          " 66",
          "66"
        )
      )
      yield* writeFile(new Uint8Array(0))
      assert.propertyVal(yield* Effect.flip(readAll()), "_tag", "ArchiveUnrecognized")
      yield* writeFile(new TextEncoder().encode("C1ZF\0 and a zstd stream"))
      assert.strictEqual(
        ((yield* Effect.flip(readAll())) as Error).message,
        "Cannot open archive /archive: its format is c1z, provide C1z.layer of @icecore/engine/c1z"
      )
    }).pipe(Effect.provide(live))
  )

  it.effect(
    "Archive.open of a tar names the archive when its database is damaged, gone or closed, not the directory it was unpacked into",
    () =>
      Effect.gen(function* () {
        const { bytes } = yield* saved("tar", 3)
        const archive = yield* Effect.scoped(withEngine(Archive.open(path, options())))
        const named = (failure: unknown) => {
          const { _tag, path } = failure as { readonly _tag: string; readonly path: string }
          return [_tag, path]
        }
        const misuse = ["EngineMisuse", path]
        assert.deepStrictEqual(named(yield* Effect.flip(archive.reader.listSyncs)), misuse)
        assert.deepStrictEqual(named(yield* Effect.flip(Effect.scoped(archive.source.snapshot))), misuse)
        for (const read of [
          archive.rows.get("records", Uint8Array.of(1)),
          archive.rows.getMany("records", []),
          archive.rows.floor("records", Uint8Array.of(1)),
          archive.rows.floorMany("records", []),
          archive.rows.page("records"),
          Stream.runDrain(archive.rows.scan("records"))
        ]) {
          assert.deepStrictEqual(named(yield* Effect.flip(read)), misuse)
        }
        const { payload } = take(bytes)
        for (const [tar, tag] of [
          [tarEnd, "EngineNotFound"],
          [
            join([payload.subarray(0, 512), new Uint8Array(payload.length - 512 - tarEnd.length), tarEnd]),
            "EngineFailed"
          ]
        ] as const) {
          yield* writeFile(forge(tar))
          assert.deepStrictEqual(named(yield* Effect.flip(readAll())), [tag, path])
          const extracting = withEngine(Archive.extract(path, { directory: "/made" }))
          assert.deepStrictEqual(named(yield* Effect.flip(extracting)), [tag, path])
        }
      }).pipe(Effect.provide(live))
  )
})
