import { assert, describe, it } from "@effect/vitest"
import { type Engine, EngineFailed } from "@icecore/engine"
import * as MemoryEngine from "@icecore/engine/memory"
import { Effect, Layer, Option, Stream } from "effect"
import { Domain, type DuplicatePolicy } from "../src/Domain.ts"
import * as NdjsonDomain from "../src/domain/NdjsonDomain.ts"
import type { Source } from "../src/Source.ts"
import type * as Store from "../src/Store.ts"
import { collect, type Machine, makeMachine, services, withStore } from "./support/StoreHarness.ts"

const entryOf = (...ids: ReadonlyArray<string>): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(ids.length === 1 ? { id: ids[0] } : { id: ids }))

const keyed = (duplicates: DuplicatePolicy): Domain =>
  NdjsonDomain.make({ keys: ["/id"], keyFormat: "text", duplicates })

const machineOf = (duplicates: DuplicatePolicy) => makeMachine({ domain: Layer.succeed(Domain, keyed(duplicates)) })

/** The seq that each text finds; −1 for none. */
const findAll = ({ history }: Store.Store, domain: Domain, texts: ReadonlyArray<string>) =>
  Effect.forEach(texts, (text) =>
    Effect.map(
      history.find(Option.getOrThrow(Option.getOrThrow(domain.keys).parse(text))),
      Option.match({ onNone: () => -1, onSome: ({ seq }) => seq })
    )
  )

/** A source that can be read once and gives all its entries in one batch. */
const sourceOf = (entries: ReadonlyArray<Uint8Array>): Source => ({
  name: "list",
  isBounded: true,
  isRepeatable: false,
  tip: Effect.succeedNone,
  entries: ({ from }) =>
    from >= entries.length
      ? Stream.empty
      : Stream.succeed({
          firstSeq: from,
          entries: entries.slice(from),
          positionAfter: (count) => Uint8Array.of(from + count)
        }),
  progress: Effect.succeed({ unit: "entries", done: 0, total: Option.none() })
})

/** An engine whose next commit that holds `marker` is done, and then reported as failed. */
const makeLying = (inner: Engine, marker: string) => {
  const lie = { isOn: true }
  const engine: Engine = {
    ...inner,
    open: (options) =>
      Effect.map(inner.open(options), (database) => ({
        ...database,
        write: (build, writeOptions) => {
          let isMarked = false
          const write = database.write((batch) => {
            build({
              ...batch,
              put: (keyspace, key, value) => {
                if (keyspace === "entries" && new TextDecoder().decode(value).includes(marker)) isMarked = true
                batch.put(keyspace, key, value)
              }
            })
          }, writeOptions)
          return Effect.flatMap(write, () => {
            if (!isMarked || !lie.isOn) return Effect.void
            lie.isOn = false
            return Effect.fail(new EngineFailed({ path: options.path, operation: "sync", detail: "as told" }))
          })
        }
      }))
  }
  return engine
}

/** A machine that lies about the first entry that holds "marked". */
const lyingMachine = (domain: Domain): Machine => {
  const machine = makeMachine()
  const engine = makeLying(MemoryEngine.make(machine.medium), "marked")
  return { ...machine, services: services(machine.disk.disk, engine, Layer.succeed(Domain, domain)) }
}

describe("Store with keys", () => {
  it.effect("append refuses a key of an earlier entry, hot or frozen, and appends nothing of the call", () =>
    withStore(machineOf("error"), (store) =>
      Effect.gen(function* () {
        const { history, settled } = store
        yield* history.append(["a", "b", "c", "d", "e"].map((id) => entryOf(id)))
        yield* settled
        for (const [id, firstSeq] of [
          ["b", 1],
          ["e", 4]
        ] as const) {
          const error = yield* Effect.flip(history.append([entryOf("x"), entryOf("y", id)]))
          assert.deepInclude(error, { _tag: "DuplicateKey", firstSeq, secondSeq: 6 })
        }
        assert.strictEqual((yield* history.status).nextSeq, 5)
        assert.deepStrictEqual(yield* findAll(store, keyed("error"), ["x", "y"]), [-1, -1])
        yield* history.append([entryOf("x"), entryOf("y")])
        assert.deepStrictEqual(
          yield* findAll(store, keyed("error"), ["a", "d", "e", "x", "y", "z"]),
          [0, 3, 4, 5, 6, -1]
        )
      })
    )
  )

  for (const entriesPerCommit of [1, 3, 100])
    it.effect(
      `ingest keeps what a source gives before a refused entry, and stands at it (${entriesPerCommit} a commit)`,
      () => {
        const machine = machineOf("error")
        const ids = ["a", "b", "c", "d", "e", "f", "b", "g"]
        const broken = ids.map((id) => entryOf(id))
        const mended = broken.with(6, entryOf("h"))
        return Effect.gen(function* () {
          for (let attempt = 0; attempt < 2; attempt++)
            yield* withStore(
              machine,
              (store) =>
                Effect.gen(function* () {
                  const error = yield* Effect.flip(store.ingest(sourceOf(broken)))
                  assert.deepInclude(error, { _tag: "DuplicateKey", firstSeq: 1, secondSeq: 6 })
                  const { nextSeq, ingestion } = yield* store.history.status
                  assert.strictEqual(nextSeq, 6)
                  assert.strictEqual(ingestion.state, "failed")
                }),
              { entriesPerCommit }
            )
          yield* withStore(machine, (store) =>
            Effect.gen(function* () {
              yield* store.ingest(sourceOf(mended))
              assert.deepStrictEqual(
                (yield* collect(store.history)).map(({ bytes }) => bytes),
                mended
              )
              assert.deepStrictEqual(yield* findAll(store, keyed("error"), ["b", "f", "h", "g"]), [1, 5, 6, 7])
            })
          )
        })
      }
    )

  for (const [duplicates, ...found] of [
    ["first", 0, 1, 5],
    ["last", 7, 6, 5]
  ] as const)
    it.effect(`find gives the ${duplicates} of several entries with a key, hot and frozen`, () =>
      withStore(machineOf(duplicates), (store) =>
        Effect.gen(function* () {
          yield* store.history.append(["a", "b", "a"].map((id) => entryOf(id)))
          assert.deepStrictEqual(
            yield* findAll(store, keyed(duplicates), ["a", "b"]),
            duplicates === "first" ? [0, 1] : [2, 1]
          )
          for (const id of ["b", "a", "c", "b", "a"]) yield* store.history.append([entryOf(id)])
          assert.deepStrictEqual(yield* findAll(store, keyed(duplicates), ["a", "b", "c"]), found)
          yield* store.settled
          assert.deepStrictEqual(yield* findAll(store, keyed(duplicates), ["a", "b", "c"]), found)
        })
      )
    )

  for (const duplicates of ["error", "first", "last"] as const)
    it.effect(`append takes back the keys of a commit that failed after it was done (${duplicates})`, () => {
      const domain = keyed(duplicates)
      return withStore(lyingMachine(domain), (store) =>
        Effect.gen(function* () {
          const { history } = store
          yield* history.append([entryOf("a")])
          const marked = duplicates === "error" ? entryOf("marked") : entryOf("marked", "a")
          assert.strictEqual((yield* Effect.flip(history.append([marked])))._tag, "EngineFailed")
          // The next append begins with taking back, and finds the keys of the failed one free.
          yield* history.append([entryOf("b")])
          assert.deepStrictEqual(yield* findAll(store, domain, ["a", "b", "marked"]), [0, 1, -1])
          yield* history.append([marked])
          assert.deepStrictEqual(yield* findAll(store, domain, ["a", "marked"]), [duplicates === "last" ? 2 : 0, 2])
        })
      )
    })

  it.effect("append sees an older key whose place a failed commit took", () => {
    const keyOf = (rest: string): string => "ab".repeat(16) + rest.repeat(32)
    const line = (rest: string, note: string) => new TextEncoder().encode(JSON.stringify({ id: keyOf(rest), note }))
    return withStore(lyingMachine(NdjsonDomain.make({ keys: ["/id"], duplicates: "last" })), ({ history }) =>
      Effect.gen(function* () {
        yield* history.append([line("1", "")])
        assert.strictEqual((yield* Effect.flip(history.append([line("1", "marked")])))._tag, "EngineFailed")
        const error = yield* Effect.flip(history.append([line("2", "")]))
        assert.deepInclude(error, { _tag: "KeyCollision", otherKey: keyOf("1"), firstSeq: 0, secondSeq: 1 })
      })
    )
  })

  it.effect("append refuses what the domain takes for no key, and names the entry", () => {
    const machine = makeMachine({ domain: NdjsonDomain.layerWith({ keys: ["/id"] }) })
    return withStore(machine, ({ history }) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(history.append([entryOf(), entryOf("short")]))
        assert.strictEqual(
          error.message,
          'Cannot append entry 1: its value at "/id" is "short", expected 64 hex digits'
        )
        assert.strictEqual((yield* history.status).nextSeq, 0)
      })
    )
  })

  it.effect("make refuses a store that was made with other keys", () => {
    const machine = machineOf("error")
    return Effect.gen(function* () {
      yield* withStore(machine, ({ history }) => history.append([entryOf("a")]))
      const other = Layer.succeed(Domain, keyed("last"))
      const error = yield* Effect.flip(
        withStore(
          { ...machine, services: services(machine.disk.disk, MemoryEngine.make(machine.medium), other) },
          () => Effect.void
        )
      )
      assert.strictEqual(error._tag, "CatalogPinMismatch")
    })
  })
})
