/**
 * `icecore verify`: reads everything again and compares it with its checksums, its hashes and the catalog.
 */
import { type Zstd, ZstdLive } from "@icecore/codec"
import { Disk, KeyIndex, KeyRun } from "@icecore/packfile"
import { LiveDisk } from "@icecore/packfile/live"
import { Data, Effect, Layer, Option, type Stdio, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import type { Config } from "../../config/Config.ts"
import { Store } from "../../Store.ts"
import type { Checked, Finding } from "../../StoreVerify.ts"
import type { CliCommand } from "../CliServices.ts"
import { jsonFlag } from "../CommonFlags.ts"
import { loggerLayer, storeLayer } from "../Composition.ts"
import { configFlags, loadConfig } from "../ConfigFlags.ts"
import * as Output from "../Output.ts"
import * as PackFile from "../PackFile.ts"

/** What was verified is not what was written. Each fault has been printed. */
class VerificationFailed extends Data.Error<{ readonly findingCount: number }> {
  readonly _tag = "VerificationFailed"
  override readonly name = "VerificationFailed"
  override get message(): string {
    return `Verification found ${describeCount(this.findingCount)}`
  }
}

export const verifyCommand: CliCommand<"verify"> = Command.make(
  "verify",
  {
    ...configFlags,
    paths: Argument.String("path").pipe(
      Argument.withDescription(
        "A packfile, key run or key index, or the directory of a store; without any: the store of the configuration"
      ),
      Argument.variadic()
    ),
    json: jsonFlag
  },
  Effect.fnUntraced(function* (input) {
    const { config } = yield* loadConfig(input)
    const checked = (input.paths.length === 0 ? [config.storage.dataDir] : input.paths).map((path) =>
      verifyPath(config, path)
    )
    let counts = { things: 0, entries: 0 }
    const findings: Array<Finding> = []
    yield* Stream.runForEach(
      Stream.flatMap(Stream.fromIterable(checked), (stream) => stream),
      (each) => {
        counts = { things: counts.things + 1, entries: counts.entries + each.entryCount }
        findings.push(...each.findings)
        return input.json
          ? Effect.void
          : Effect.forEach(each.findings, (finding) => Output.writeLine(describe(finding)), { discard: true })
      }
    ).pipe(Effect.provide(loggerLayer(config)))
    yield* input.json
      ? Output.writeJson({ ...counts, findings: findings.map(encodeFinding) })
      : Output.writeLine(
          `Verified ${Output.formatCount(counts.entries)} entries; ` +
            (findings.length === 0 ? "all is as it was written" : describeCount(findings.length))
        )
    if (findings.length > 0) return yield* new VerificationFailed({ findingCount: findings.length })
  })
).pipe(
  Command.withDescription(
    "Read everything again and compare it with checksums, hashes and catalog; exits 1 on a fault"
  ),
  Command.withExamples([
    { command: "icecore verify", description: "Verify the store; the daemon must not be running" },
    { command: "icecore verify data/entries/*/*.pack", description: "Verify packfiles, also of a running daemon" },
    { command: "icecore verify data/keys/index/*/*.idx", description: "Verify key indexes" }
  ])
)

const describeCount = (count: number): string => (count === 1 ? "1 fault" : `${count} faults`)

const describe = ({ path, part, offsetBytes, entries, message }: Finding): string => {
  const where = [
    path,
    part,
    ...Option.toArray(Option.map(offsetBytes, (offset) => `offset ${offset}`)),
    ...Option.toArray(
      Option.map(entries, ({ from, to }) => (from === to ? `entry ${from}` : `entries ${from} to ${to}`))
    )
  ]
  return `${where.join(", ")}: ${message}`
}

const encodeFinding = (finding: Finding): unknown => ({
  ...finding,
  offsetBytes: Option.getOrNull(finding.offsetBytes),
  entries: Option.getOrNull(finding.entries)
})

const verifyPath = (config: Config, path: string) =>
  Stream.unwrap(
    Effect.gen(function* (): Effect.fn.Return<
      Stream.Stream<Checked, { readonly message: string }, Disk | Zstd | Stdio.Stdio>,
      { readonly message: string },
      Disk
    > {
      const disk = yield* Disk
      const isFile = Option.exists(yield* disk.stat(path), ({ kind }) => kind === "file")
      return isFile ? Stream.fromEffect(verifyFile(path)) : verifyStore(config, path)
    })
  ).pipe(Stream.provide(Layer.merge(ZstdLive.layer, LiveDisk.layer)))

const verifyStore = (config: Config, dataDir: string) => {
  const named = { ...config, storage: { ...config.storage, dataDir } }
  return Stream.unwrap(Effect.map(Store, (store) => store.verify)).pipe(Stream.provide(storeLayer(named, "readOnly")))
}

const verifyFile = (path: string) => {
  const found = (part: string, message: string, offsetBytes: Option.Option<number> = Option.none()): Checked => ({
    kind: "frozen",
    path,
    entryCount: 0,
    findings: [{ path, part, offsetBytes, entries: Option.none(), message }]
  })
  return verifyContents(path).pipe(
    Effect.scoped,
    Effect.catchTags({
      PackCorrupt: (error) => Effect.succeed(found(error.part, error.message, Option.some(error.offsetBytes))),
      PackContentHashMismatch: (error) => Effect.succeed(found("content hash", error.message)),
      KeyRunCorrupt: (error) => Effect.succeed(found(error.part, error.message, Option.some(error.offsetBytes))),
      KeyIndexCorrupt: (error) => Effect.succeed(found(error.part, error.message, Option.some(error.offsetBytes)))
    })
  )
}

/** A run by itself has no checksum: its count, its size and its order are checked. In its store it is held against its pack. */
const verifyContents = Effect.fnUntraced(function* (path: string) {
  switch (PackFile.kindOf(path)) {
    case "key run": {
      yield* (yield* KeyRun.open(path)).verify()
      return { kind: "run", path, entryCount: 0, findings: [] } satisfies Checked
    }
    case "key index": {
      yield* (yield* KeyIndex.open(path, { residentLimitBytes: 0 })).verify
      return { kind: "index", path, entryCount: 0, findings: [] } satisfies Checked
    }
    case "packfile": {
      const { reader } = yield* PackFile.open(path)
      yield* reader.verify()
      return { kind: "frozen", path, entryCount: reader.itemCount, findings: [] } satisfies Checked
    }
  }
})
