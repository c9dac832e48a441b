import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Hex } from "effect/encoding"
import { Domain } from "../src/Domain.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import * as Explanation from "../src/Explanation.ts"
import type { History } from "../src/History.ts"
import * as Store from "../src/Store.ts"
import { directory, engineNames, services } from "./support/LiveStore.ts"

const log = Path.resolve(import.meta.dirname, "../../../../shared/data/ethereum/transactions.ndjson")

/** How many hashes that no entry has are looked up. */
const strangerCount = Number(process.env.ICECORE_STRANGERS ?? 2_000)

const geometry = { firstSeq: 0, entriesPerChunk: 64, chunksPerWindow: 4 }

const domain = NdjsonDomain.make({ keys: ["/hash"] })

const withStore = <A, E>(dataDir: string, use: (store: Store.Store) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(Store.make({ dataDir, geometry, entriesPerCommit: 64 }), use))

const parse = (text: string): Uint8Array => Option.getOrThrow(Option.getOrThrow(domain.keys).parse(text))

/** Each hash finds its line. */
const checkAll = (history: History, lines: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const tiers = new Set<string>()
    for (const [seq, line] of lines.entries()) {
      const key = parse(JSON.parse(line).hash)
      const found = Option.getOrThrow(yield* history.find(key))
      assert.strictEqual(found.seq, seq)
      assert.isTrue(Buffer.from(found.bytes).equals(Buffer.from(line)), `entry ${seq}`)
      const { steps } = yield* history.explain({ key })
      for (const { tier, outcome } of steps) if (outcome === "candidate") tiers.add(tier)
    }
    return [...tiers].sort()
  })

describe.each(engineNames)("Store with keys on %s", (engineName) => {
  it.live.skipIf(!Fs.existsSync(log))(
    "finds each Ethereum transaction by its hash, hot and frozen, and no other hash (needs the shared data folder)",
    () =>
      Effect.gen(function* () {
        const dataDir = Path.join(yield* directory, "store")
        const lines = Fs.readFileSync(log, "utf8").trimEnd().split("\n")
        assert.strictEqual(lines.length, 1_133)
        yield* withStore(dataDir, ({ history, settled }) =>
          Effect.gen(function* () {
            const entries = lines.map((line) => new TextEncoder().encode(line))
            for (let seq = 0; seq < 60; seq += 20) yield* history.append(entries.slice(seq, seq + 20))
            assert.deepStrictEqual(yield* checkAll(history, lines.slice(0, 60)), ["hot"])
            yield* history.append(entries.slice(60))
            yield* checkAll(history, lines)
            yield* settled
            assert.deepStrictEqual(yield* checkAll(history, lines), ["hot", "index"])
            const again = yield* Effect.flip(history.append([entries[7]!]))
            assert.strictEqual(again._tag, "DuplicateKey")
          })
        )
        yield* withStore(dataDir, ({ history, settled }) =>
          Effect.gen(function* () {
            yield* settled
            assert.deepStrictEqual(yield* checkAll(history, lines), ["hot", "index"])
            let readCount = 0
            let falsePositiveCount = 0
            for (let stranger = 0; stranger < strangerCount; stranger++) {
              const key = Uint8Array.from({ length: 32 }, () => Math.floor(Math.random() * 256))
              const explained = yield* history.explain({ key })
              assert.isTrue(Option.isNone(explained.answer), Hex.encode(key))
              falsePositiveCount += Explanation.falsePositiveCountOf(explained)
              readCount += explained.steps.filter(({ tier }) => tier === "pack").length
            }
            // Five indexes, each of which lets one of 256 pass.
            const expected = (strangerCount * 5) / 256
            assert.strictEqual(readCount, falsePositiveCount)
            assert.isBelow(Math.abs(falsePositiveCount - expected), 6 * Math.sqrt(expected))
          })
        )
      }).pipe(Effect.scoped, Effect.provide(services(engineName, Layer.succeed(Domain, domain)))),
    120_000
  )
})
