import { assert, describe, it } from "@effect/vitest"
import { type Zstd, ZstdLive, type ZstdStream, ZstdStreamLive } from "@icecore/codec"
import { Disk, type DiskError } from "@icecore/packfile"
import {
  CrashEnumerator,
  type CrashWorld,
  FaultEnumerator,
  type FaultyDisk,
  SimulatedDisk,
  WithoutBarrier
} from "@icecore/packfile/testing"
import { Cause, Effect, Exit, Layer, Option, Random, Stream } from "effect"
import * as Archive from "../src/Archive.ts"
import { ArchiveEngines } from "../src/ArchiveEngines.ts"
import type { Row } from "../src/Engine.ts"
import { storeKeyspaces } from "../src/format/RecordLayout.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import { fill, open, textOf } from "./ArchiveFixtures.ts"
import * as FiledEngine from "./FiledEngine.ts"

const directory = "/archives"

/** What is saved where. */
interface Plan {
  readonly path: string
  readonly content: number
  readonly encoding: Archive.ArchiveEncoding
  readonly overwrite: boolean
}

const plansOf = (encoding: Archive.ArchiveEncoding): ReadonlyArray<Plan> => [
  { path: `${directory}/1.icearch`, content: 0, encoding, overwrite: false },
  { path: `${directory}/2.icearch`, content: 1, encoding, overwrite: true },
  { path: `${directory}/1.icearch`, content: 2, encoding, overwrite: true }
]

/** What a store holds, as rows and as text. */
interface Content {
  readonly rows: ReadonlyArray<readonly [keyspace: string, row: Row]>
  readonly text: string
}

const contentOf = (count: number): Effect.Effect<Content, unknown> =>
  Effect.gen(function* () {
    const store = yield* open("/store")
    yield* fill(store, count)
    yield* store.flush
    const rows: Array<readonly [string, Row]> = []
    for (const keyspace of storeKeyspaces) {
      for (const row of yield* Stream.runCollect(store.database.scan(keyspace))) rows.push([keyspace, row])
    }
    return { rows, text: yield* textOf(store) }
  }).pipe(Effect.provide(MemoryEngine.layer), Effect.scoped)

/** The contents that are saved, different in size. */
const contents: ReadonlyArray<Content> = await Effect.runPromise(Effect.forEach([3, 40, 90], contentOf))

const zstd = Layer.merge(ZstdLive.layer, ZstdStreamLive.layer)
type Needs = Disk | Zstd | ZstdStream

const save = ({ content, encoding, overwrite, path }: Plan): Effect.Effect<void, unknown, Needs> =>
  Effect.gen(function* () {
    const engine = yield* FiledEngine.make
    const database = yield* engine.open({ path: "/store", keyspaces: storeKeyspaces })
    yield* database.write((batch) => {
      for (const [keyspace, { key, value }] of contents[content]!.rows) batch.put(keyspace, key, value)
    })
    const { checkpoint, snapshot } = database
    const source = { path: "/store", engineName: engine.name, snapshot, database: { engine, checkpoint } }
    yield* Archive.save({ source, path, encoding, overwrite })
  }).pipe(Effect.scoped)

/** Which content an archive holds. It opens: damage is a failure. */
const contentAt = (path: string): Effect.Effect<number, unknown, Needs> =>
  Effect.gen(function* () {
    const engine = yield* FiledEngine.make
    const { reader } = yield* Archive.open(path, { temporaryDirectory: "/" }).pipe(
      Effect.provideService(ArchiveEngines, new Map([[engine.name, engine]]))
    )
    const text = yield* textOf(reader)
    return contents.findIndex((content) => content.text === text)
  }).pipe(Effect.scoped)

const prepare: Effect.Effect<void, DiskError, Disk> = Effect.gen(function* () {
  const disk = yield* Disk
  yield* disk.makeDirectory(directory)
  yield* disk.syncDirectory("/")
})

const namesIn = (path: string) =>
  Effect.flatMap(Disk, (disk) => Effect.map(disk.list(path), (entries) => entries.map(({ name }) => name)))

/** Removes what was on its way: nothing of it is an archive. */
const sweep: Effect.Effect<void, DiskError, Disk> = Effect.gen(function* () {
  const disk = yield* Disk
  const remove = (path: string): Effect.Effect<void, DiskError> =>
    Effect.gen(function* () {
      for (const { kind, name } of yield* disk.list(path)) {
        yield* kind === "directory" ? remove(`${path}/${name}`) : disk.unlink(`${path}/${name}`)
      }
      yield* disk.removeDirectory(path)
    })
  for (const { kind, name } of yield* disk.list(directory)) {
    if (kind === "directory") yield* remove(`${directory}/${name}`)
    else if (name.endsWith(".partial")) yield* disk.unlink(`${directory}/${name}`)
  }
  yield* disk.syncDirectory(directory)
})

/** Each path has what was acknowledged last, or something newer that is whole; without acknowledgement maybe nothing. */
const check = (plans: ReadonlyArray<Plan>, acknowledged: ReadonlyArray<Plan>): Effect.Effect<void, unknown, Needs> =>
  Effect.gen(function* () {
    const disk = yield* Disk
    for (const path of new Set(plans.map((plan) => plan.path))) {
      const versions = plans.filter((plan) => plan.path === path)
      const promised = acknowledged.filter((plan) => plan.path === path).at(-1)
      if (Option.isNone(yield* disk.stat(path))) {
        assert.isUndefined(promised, `${path} is gone`)
        continue
      }
      const content = yield* contentAt(path)
      const found = versions.findIndex((plan) => plan.content === content)
      assert.isAtLeast(found, promised === undefined ? 0 : versions.indexOf(promised), `${path} is another version`)
    }
    const left = (yield* namesIn(directory)).filter((name) => !name.endsWith(".icearch"))
    assert.deepStrictEqual(left, [])
  })

const scenario = (
  name: string,
  plans: ReadonlyArray<Plan>,
  layer: (world: CrashWorld) => Layer.Layer<Disk>,
  states: number
): CrashEnumerator.CrashScenario<Needs, Plan> => ({
  name,
  layer: (world) => Layer.merge(layer(world), zstd),
  states,
  prepare,
  scenario: (acknowledge) =>
    // The names of partial files are drawn: the same ones in every run.
    Effect.forEach(plans, (plan, at) => Effect.andThen(Random.withSeed(save(plan), at), acknowledge(plan)), {
      discard: true
    }),
  recover: sweep,
  check: (acknowledged) => check(plans, acknowledged)
})

describe("Archive.save under crashes", () => {
  for (const [encoding, states] of [
    ["pack", 4_000],
    ["tar", 1_500],
    ["tar+zstd", 1_500]
  ] as const) {
    it.effect(
      `Archive.save as ${encoding} leaves the old archive until the new one is whole, and the new one once it returned`,
      () =>
        Effect.gen(function* () {
          const name = `saving ${encoding} archives`
          const report = yield* CrashEnumerator.enumerate(
            scenario(name, plansOf(encoding), SimulatedDisk.layer, states)
          )
          console.log(report.summary)
          assert.isAtLeast(report.stateCount, report.wantedCount)
        }),
      240_000
    )
  }

  const withoutBarrier = (barrier: WithoutBarrier.Barrier) => {
    let isRemoved = (): boolean => false
    const layer = (world: CrashWorld): Layer.Layer<Disk> =>
      Layer.sync(Disk, () => {
        const wrapped = WithoutBarrier.make(SimulatedDisk.make(world).disk, barrier)
        isRemoved = wrapped.isRemoved
        return wrapped.disk
      })
    const name = `saving archives without ${barrier.kind} ${barrier.nth}`
    return CrashEnumerator.enumerate(scenario(name, plansOf("pack"), layer, 3_000)).pipe(
      Effect.match({ onSuccess: () => undefined, onFailure: (error) => error }),
      Effect.map((violation) => ({ isRemoved: isRemoved(), violation }))
    )
  }

  // Each save syncs its file and then the directory; the first sync of a directory is the test's own. A pack is written part by
  // part, then come the footer and the head: the last two writes of each archive are those that may not come late.
  const barriers: ReadonlyArray<WithoutBarrier.Barrier> = [
    ...[0, 1, 2].map((nth) => ({ kind: "sync", nth }) as const),
    ...[1, 2, 3].map((nth) => ({ kind: "sync directory", nth }) as const),
    ...[0, 1, 2].map((nth) => ({ kind: "late sync", nth }) as const),
    ...[0, 4, 5, 6, 10, 11].map((nth) => ({ kind: "late write", nth }) as const)
  ]
  for (const barrier of barriers) {
    it.effect(
      `Archive.save breaks its promise without ${barrier.kind} number ${barrier.nth}`,
      () =>
        Effect.gen(function* () {
          const { isRemoved, violation } = yield* withoutBarrier(barrier)
          assert.isTrue(isRemoved)
          assert.strictEqual(violation?._tag, "CrashViolation", "the enumerator finds nothing")
        }),
      120_000
    )
  }
})

describe("Archive.save under faults", () => {
  for (const encoding of ["pack", "tar", "tar+zstd"] as const) {
    it.effect(
      `Archive.save as ${encoding} keeps the old archive whole until the new one is, whatever fails, and leaves nothing else`,
      () =>
        Effect.gen(function* () {
          const path = `${directory}/1.icearch`
          const saving = (content: number) =>
            Random.withSeed(save({ path, content, encoding, overwrite: true }), content).pipe(Effect.provide(zstd))
          const report = yield* FaultEnumerator.enumerateFaults({
            name: `overwriting a ${encoding} archive`,
            prepare: Effect.andThen(prepare, saving(0)),
            scenario: saving(1),
            check: (outcome: Exit.Exit<void, unknown>, fault: FaultyDisk.InjectedFault | undefined) =>
              Effect.gen(function* () {
                const content = yield* contentAt(path)
                if (Exit.isSuccess(outcome)) assert.strictEqual(content, 1)
                else {
                  assert.isTrue(content === 0 || content === 1)
                  const error = Option.getOrThrow(Cause.findErrorOption(outcome.cause))
                  assert.match((error as { readonly _tag: string })._tag, /^(Disk|Engine)/)
                }
                // Where the removal itself is made to fail, what it was to remove stays.
                if (fault === undefined || fault.count === 1) {
                  const left = (yield* namesIn(directory)).filter((name) => name !== "1.icearch")
                  if (!/unlink|remove|list/.test(fault?.operation ?? "")) assert.deepStrictEqual(left, [])
                }
              }).pipe(Effect.provide(zstd))
          })
          console.log(report.summary)
          assert.isAtLeast(report.runCount, 30)
        }),
      120_000
    )
  }

  it.effect("Archive.extract under faults makes the whole database or nothing", () =>
    Effect.gen(function* () {
      const path = `${directory}/1.icearch`
      const target = `${directory}/made`
      const extracting = Effect.gen(function* () {
        const engine = yield* FiledEngine.make
        yield* Random.withSeed(Archive.extract(path, { directory: target }), 7).pipe(
          Effect.provideService(ArchiveEngines, new Map([[engine.name, engine]]))
        )
      }).pipe(Effect.provide(zstd))
      const report = yield* FaultEnumerator.enumerateFaults({
        name: "extracting an archive",
        prepare: Effect.andThen(
          prepare,
          Effect.provide(save({ path, content: 1, encoding: "tar+zstd", overwrite: false }), zstd)
        ),
        scenario: extracting,
        check: (outcome: Exit.Exit<void, unknown>) =>
          Effect.gen(function* () {
            const disk = yield* Disk
            const isThere = Option.isSome(yield* disk.stat(target))
            if (Exit.isSuccess(outcome)) assert.isTrue(isThere)
            if (!isThere) return
            const engine = yield* FiledEngine.make
            const database = yield* engine.open({ path: target, keyspaces: storeKeyspaces, mode: "readOnly" })
            const rows = yield* Stream.runCollect(database.scan("records"))
            assert.strictEqual(rows.length, contents[1]!.rows.filter(([keyspace]) => keyspace === "records").length)
          })
      })
      console.log(report.summary)
      assert.isAtLeast(report.runCount, 30)
    })
  )
})
