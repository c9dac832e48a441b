import { assert, describe, it } from "@effect/vitest"
import { type RecordType, SyncChange, type SyncRun, type SyncTransfer } from "@icecore/engine"
import { Result } from "effect"
import { Merge } from "../src/index.ts"
import { idOf } from "./CompactorFixtures.ts"
import { Account, allTypes, Note } from "./MergeFixtures.ts"

interface Outlined {
  readonly number: number
  readonly runType?: string
  readonly counts?: ReadonlyArray<readonly [RecordType.Any, number]>
}

const outlineOf = ({ counts = [[Account, 10]], number, runType = "full" }: Outlined): SyncTransfer.SyncOutline => ({
  path: `/source${number}`,
  sync: idOf(number),
  run: { sync_id: idOf(number), type: runType, started_at: 1, ended_at: 2, token: "", counts: {} } as SyncRun.SyncRun,
  isBehind: false,
  types: counts.map(([type, recordCount]) => ({
    type,
    recordCount,
    indexes: Object.keys(type.indexes),
    recordBytes: 100,
    entryBytes: {}
  }))
})

const into: Merge.MergeTarget = { path: "/into", types: allTypes }

const planOf = (sources: ReadonlyArray<Outlined>, options: Partial<Merge.MergePlanOptions> = {}) =>
  Merge.plan({ into, ...options, sources: sources.map(outlineOf) })

const messageOf = (planned: ReturnType<typeof planOf>): string =>
  Result.isFailure(planned) ? `${planned.failure._tag}: ${planned.failure.message}` : "planned"

const numbers = (count: number): ReadonlyArray<Outlined> =>
  Array.from({ length: count }, (_, at) => ({ number: at + 1 }))

describe("Merge.plan", () => {
  it("plan names the newest sync as the parent, every sync once, and counts what comes by type", () => {
    const planned = Result.getOrThrow(
      planOf([
        {
          number: 3,
          counts: [
            [Note, 5],
            [Account, 1]
          ]
        },
        { number: 1 },
        {
          number: 3,
          runType: "partial",
          counts: [
            [Note, 2],
            [SyncChange.SyncChange, 7]
          ]
        }
      ])
    )
    assert.strictEqual(planned.type, "full")
    assert.isFalse(planned.isPartial)
    assert.strictEqual(planned.parent, idOf(3))
    assert.deepStrictEqual(planned.sourceIds, [idOf(3), idOf(1)])
    assert.deepStrictEqual(
      planned.inputs.map(({ changeCount, path, recordCount }) => [path, recordCount, changeCount]),
      [
        ["/source3", 6, 0],
        ["/source1", 10, 0],
        ["/source3", 2, 7]
      ]
    )
    assert.deepStrictEqual(
      planned.types.map(({ recordBytes, recordCount, type }) => [type.name, recordCount, recordBytes]),
      // A removal may take away a record of any type.
      [
        ["Account", 11, 100],
        ["Event", 0, 0],
        ["Note", 7, 100]
      ]
    )
    assert.strictEqual(planned.recordCount, 18)
    assert.strictEqual(planned.changeCount, 7)
    assert.strictEqual(planned.bytes, 1_800)
  })

  it("plan leaves out types without records where no source has changes", () => {
    const planned = Result.getOrThrow(planOf([{ number: 1 }, { number: 2, counts: [[Note, 0]] }]))
    assert.deepStrictEqual(
      planned.types.map(({ type }) => type.name),
      ["Account"]
    )
  })

  it("plan reads at most as many sources at once as it may, the newest first, with a place for the result so far", () => {
    const groups = (count: number, fanIn?: number) =>
      Result.getOrThrow(planOf(numbers(count), fanIn === undefined ? {} : { fanIn })).groups
    assert.deepStrictEqual(groups(1, 2), [[0]])
    assert.deepStrictEqual(groups(5, 2), [[3, 4], [2], [1], [0]])
    assert.deepStrictEqual(groups(6, 3), [[3, 4, 5], [1, 2], [0]])
    assert.strictEqual(groups(64).length, 1)
    assert.deepStrictEqual(
      groups(200).map(({ length }) => length),
      [64, 63, 63, 10]
    )
    assert.deepStrictEqual(groups(1_024, 1_024).length, 1)
  })

  it("plan gives the result the type of a partial run exactly where every source is partial", () => {
    const partial = { number: 1, runType: "partial_diff" }
    const isPartial = { type: "partial_merge", isPartial: true }
    assert.deepInclude(Result.getOrThrow(planOf([partial, { ...partial, number: 2 }])), isPartial)
    assert.deepInclude(Result.getOrThrow(planOf([partial], { type: "partial_mine" })), { type: "partial_mine" })
    assert.deepInclude(Result.getOrThrow(planOf([partial, { number: 2 }])), { type: "full", isPartial: false })
    assert.deepInclude(Result.getOrThrow(planOf([{ number: 2 }], { type: "mine" })), { type: "mine" })
    assert.strictEqual(
      messageOf(planOf([partial], { type: "full" })),
      "CompactRefused: Cannot merge into /into: its type is full, expected one that begins with partial, as those of all sources do"
    )
    assert.strictEqual(
      messageOf(planOf([partial, { number: 2 }], { type: "partial_mine" })),
      "CompactRefused: Cannot merge into /into: its type is partial_mine, expected one that does not begin with partial: a source is not partial"
    )
  })

  it("plan refuses no source, and a bound that is none", () => {
    assert.strictEqual(messageOf(planOf([])), "CompactRefused: Cannot merge into /into: no source is given")
    for (const fanIn of [1, 0, 2.5, Number.NaN, 1_025]) {
      assert.strictEqual(
        messageOf(planOf([{ number: 1 }], { fanIn })),
        `CompactRefused: Cannot merge into /into: fanIn is ${fanIn}, expected a whole number from 2 to 1024`
      )
    }
  })

  it("plan refuses a sync that is not there, and types that the target cannot take", () => {
    const missing = Merge.plan({ into, sources: [{ ...outlineOf({ number: 1 }), run: undefined }] })
    assert.match(messageOf(missing), /^CompactSourceFailed: .*\/source1: there is none$/)
    const unknown = planOf([{ number: 1 }], { into: { path: "/into", types: [Note] } })
    assert.match(messageOf(unknown), /^CompactBaseFailed: .* Cannot use record type Account in record store \/into/)
    const withoutChanges = { path: "/into", types: allTypes.filter(({ name }) => name !== "SyncChange") }
    const changes = planOf([{ number: 1, counts: [[SyncChange.SyncChange, 1]] }], { into: withoutChanges })
    assert.match(messageOf(changes), /^CompactBaseFailed: .* Cannot use record type SyncChange/)
    const other = { ...Note, name: "Account" } as RecordType.Any
    const changed = planOf([{ number: 1, counts: [[other, 1]] }])
    assert.match(
      messageOf(changed),
      /^CompactBaseFailed: .* record type Account: its primary key is id, stored under room/
    )
  })
})
