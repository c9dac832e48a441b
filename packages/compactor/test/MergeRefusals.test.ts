import { assert, describe, it } from "@effect/vitest"
import { type Engine, RecordType, SyncChange } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Effect, Option, Schema, type Scope, Stream } from "effect"
import { Merge, Source } from "../src/index.ts"
import { idOf } from "./CompactorFixtures.ts"
import { Account, account, fillSource, fullOf, openMemory, partialOf, storesOf } from "./MergeFixtures.ts"

const test = (name: string, run: Effect.Effect<void, unknown, Engine | Scope.Scope>): void =>
  it.effect(name, () => run.pipe(Effect.scoped, Effect.provide(MemoryEngine.layer)))

/** What a merge fails with, having left the target without another sync. */
const failureOf = Effect.fnUntraced(function* (options: Merge.MergeOptions) {
  const before = yield* options.into.listSyncs
  const error = yield* Effect.flip(Merge.merge(options))
  assert.deepStrictEqual(yield* options.into.listSyncs, before)
  return `${error._tag}${"cause" in error ? ` ${(error.cause as { readonly _tag: string })._tag}` : ""}: ${error.message}`
})

describe("Merge refuses", () => {
  test(
    "merge refuses no source, and a target that is being filled, whose sync stays current",
    Effect.gen(function* () {
      const into = yield* openMemory("/into")
      const sources = yield* storesOf([fullOf(account("a", 1))])
      assert.strictEqual(
        yield* failureOf({ sources: [], into }),
        "CompactRefused: Cannot merge into /into: no source is given"
      )
      yield* into.startSync({ type: "full", syncId: idOf(9) })
      assert.strictEqual(
        yield* failureOf({ sources, into }),
        `CompactRefused: Cannot merge into /into: its sync ${idOf(9)} is current, expected none: end it or remove it first`
      )
      yield* into.put(Account, [account("b", 1)])
      assert.deepStrictEqual((yield* into.endSync()).counts, { Account: 1 })
    })
  )

  test(
    "merge refuses a sync that is not there, and takes one without an end only when it is named",
    Effect.gen(function* () {
      const into = yield* openMemory("/into")
      const store = yield* openMemory("/source")
      const source = yield* Source.ofStore(store)
      assert.strictEqual(
        yield* failureOf({ sources: [{ source }], into }),
        "CompactSourceFailed NoFinishedSync: Cannot merge from /source: Cannot read record store /source: no sync has ended, name the one to read"
      )
      yield* fillSource(store, fullOf(account("a", 1)), { number: 1, isUnfinished: true })
      assert.match(yield* failureOf({ sources: [{ source }], into }), /^CompactSourceFailed NoFinishedSync/)
      assert.match(
        yield* failureOf({ sources: [{ source, syncId: idOf(2) }], into }),
        /^CompactSourceFailed SyncNotFound: Cannot merge from \/source: .*: there is none$/
      )
      const { run } = yield* Merge.merge({ sources: [{ source, syncId: idOf(1) }], into })
      assert.deepStrictEqual(run.counts, { Account: 1 })
    })
  )

  test(
    "merge refuses a type that the target was not opened with, or has with another declaration",
    Effect.gen(function* () {
      const sources = yield* storesOf([fullOf(account("a", 1))])
      assert.strictEqual(
        yield* failureOf({ sources, into: yield* openMemory("/other", [SyncChange.SyncChange]) }),
        "CompactBaseFailed RecordTypeUnknown: Cannot merge into /other: Cannot use record type Account in record store /other: it was not opened with it"
      )
      const Other = RecordType.make({
        name: "Account",
        fields: Schema.Struct({ owner: Schema.String, id: Schema.String }),
        primaryKey: ["id"]
      })
      const changed = yield* failureOf({ sources, into: yield* openMemory("/changed", [Other]) })
      assert.match(changed, /^CompactBaseFailed RecordTypeChanged: .* field 0 is owner, stored as id in \/source0$/)
    })
  )

  test(
    "merge refuses changes where the target has no changes, and, of partial syncs, changes of a type that it does not have",
    Effect.gen(function* () {
      const removal = SyncChange.removalOf(Account, { id: "a" }, 1)
      const changes = yield* storesOf([partialOf([], [removal])])
      assert.match(
        yield* failureOf({ sources: changes, into: yield* openMemory("/without", [Account]) }),
        /^CompactBaseFailed RecordTypeUnknown: .* Cannot use record type SyncChange in record store \/without/
      )
      const foreign = yield* storesOf([partialOf([], [removal, { ...removal, record_type: "Gone" }])], "/foreign")
      const into = yield* openMemory("/into")
      assert.match(
        yield* failureOf({ sources: foreign, into }),
        /^CompactBaseFailed RecordTypeUnknown: .* Cannot use record type Gone in record store \/into/
      )
      // Beside a full sync there is nothing of that type to remove.
      const full = yield* storesOf([fullOf(account("a", 0), account("b", 0))], "/full")
      const { run } = yield* Merge.merge({ sources: [...full, ...foreign], into })
      const kept = yield* Stream.runCollect(into.stream(Account, { sync: run.sync_id }))
      assert.deepStrictEqual(
        kept.map(({ id }) => id),
        ["b"]
      )
    })
  )

  test(
    "merge keeps others from making a sync of their own current, and refuses to go on when its own is removed",
    Effect.gen(function* () {
      const records = Array.from({ length: 3_000 }, (_, at) => account(`${at}`, 1))
      const sources = yield* storesOf([fullOf(...records)])
      const into = yield* openMemory("/into")
      const onProgress = Effect.fnUntraced(function* () {
        const own = Option.getOrThrow(yield* into.currentSync).sync_id
        const start = into.startSync({ type: "mine", syncId: idOf(9) })
        assert.strictEqual((yield* Effect.flip(start))._tag, "SyncInUse")
        yield* into.removeSync(own)
        yield* start
      }, Effect.orDie)
      const error = yield* Effect.flip(Merge.merge({ sources, into, onProgress }))
      assert.match(`${error._tag} ${error.message}`, /^CompactRefused .*somebody removed it/)
      assert.deepStrictEqual(
        (yield* into.listSyncs).map(({ sync_id }) => sync_id),
        [idOf(9)]
      )
      assert.deepStrictEqual((yield* into.endSync()).counts, {})
    })
  )
})
