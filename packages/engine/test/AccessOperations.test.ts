import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import {
  type Annotation,
  Grant,
  grantStats,
  listWithAnnotations,
  pendingExpansion,
  Resource,
  storeExpandedGrants,
  types
} from "../src/access/index.ts"
import * as MemoryEngine from "../src/live/MemoryEngine.ts"
import * as RecordStore from "../src/RecordStore.ts"
import { assertSound } from "./RecordStoreHarness.ts"

const run = <A, E>(effect: (store: RecordStore.RecordStore) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(RecordStore.open({ path: "/access", types }), effect)).pipe(
    Effect.provide(MemoryEngine.layer)
  )

const grant = (index: number, extra: Partial<Grant> = {}): Grant => ({
  external_id: `grant ${String(index).padStart(4, "0")}`,
  entitlement_id: `entitlement ${index % 7}`,
  entitlement_resource_type_id: index % 3 === 0 ? "group" : "role",
  entitlement_resource_id: `resource ${index % 7}`,
  principal_resource_type_id: "user",
  principal_resource_id: `user ${index % 11}`,
  sources: {},
  needs_expansion: false,
  annotations: [],
  discovered_at: index,
  ...extra
})

const expansion = { entitlement_ids: ["entitlement 1"], shallow: true, resource_type_ids: ["user"] }

it.effect("pendingExpansion lists the grants that are to be expanded, page by page, until they are", () =>
  run((store) =>
    Effect.gen(function* () {
      const { sync_id: sync } = yield* store.startSync({ type: "full" })
      const grants = Array.from({ length: 40 }, (_, index) =>
        grant(index, index % 4 === 0 ? { expansion, needs_expansion: true } : {})
      )
      yield* store.put(Grant, grants)
      const first = yield* pendingExpansion(store, { sync, pageSize: 6 })
      assert.strictEqual(first.items.length, 6)
      const rest = yield* pendingExpansion(store, {
        sync,
        pageSize: 6,
        pageToken: Option.getOrThrow(first.nextPageToken)
      })
      assert.deepStrictEqual(
        [...first.items, ...rest.items],
        grants.filter(({ needs_expansion }) => needs_expansion)
      )
      yield* store.put(
        Grant,
        first.items.map((each) => ({ ...each, needs_expansion: false }))
      )
      assert.deepStrictEqual((yield* pendingExpansion(store, { sync })).items, rest.items)
      yield* assertSound(store)
    })
  )
)

it.effect("storeExpandedGrants keeps the expansion of a grant that is there, and takes that of a new one", () =>
  run((store) =>
    Effect.gen(function* () {
      const { sync_id: sync } = yield* store.startSync({ type: "full" })
      yield* store.put(Grant, [grant(1, { expansion, needs_expansion: true }), grant(2)])
      const sources = { "entitlement 9": { is_direct: false } }
      const given = [
        grant(1, { sources }),
        grant(2, { sources, expansion, needs_expansion: true }),
        grant(3, { sources, expansion })
      ]
      yield* storeExpandedGrants(store, given)
      const found = (yield* store.list(Grant, { sync })).items
      assert.deepStrictEqual(found, [
        grant(1, { sources, expansion, needs_expansion: true }),
        grant(2, { sources }),
        grant(3, { sources, expansion })
      ])
      yield* assertSound(store)
    })
  )
)

it.effect("grantStats counts grants by the resource type of their entitlements, of a sync of the asked type", () =>
  run((store) =>
    Effect.gen(function* () {
      const { sync_id: sync } = yield* store.startSync({ type: "full" })
      yield* store.put(
        Grant,
        Array.from({ length: 30 }, (_, index) => grant(index))
      )
      const counted = { sync, total: 30, byResourceType: { group: 10, role: 20 } }
      assert.deepStrictEqual(yield* grantStats(store, { type: "full", sync }), counted)
      assert.strictEqual((yield* Effect.flip(grantStats(store, { type: "full" })))._tag, "NoFinishedSync")
      yield* store.endSync()
      assert.deepStrictEqual(yield* grantStats(store, { type: "full" }), counted)
      const mismatch = yield* Effect.flip(grantStats(store, { type: "partial", sync }))
      assert.deepInclude(mismatch, { _tag: "SyncTypeMismatch", expected: "partial", actual: "full" })
    })
  )
)

it.effect("listWithAnnotations finds every record that carries an annotation, at every page size", () =>
  run((store) =>
    Effect.gen(function* () {
      yield* store.startSync({ type: "full" })
      const annotation = (type: string): Annotation => ({ type, value: Uint8Array.of(0, 1, 0xff) })
      const resources = Array.from(
        { length: 50 },
        (_, index): Resource => ({
          resource_type_id: "user",
          resource_id: String(index).padStart(3, "0"),
          display_name: `User ${index}`,
          profile: { email: null, numbers: [1, 2.5, { deep: true }] },
          annotations: index % 10 === 0 ? [annotation("seen"), annotation(`number ${index}`)] : [],
          discovered_at: index
        })
      )
      yield* store.put(Resource, resources)
      yield* store.endSync()
      const annotated = resources.filter(({ annotations }) => annotations.length > 0)
      for (const pageSize of [1, 2, 3, 100]) {
        const found: Array<Resource> = []
        for (
          let pageToken = Option.none<string>(), isFirst = true;
          isFirst || Option.isSome(pageToken);
          isFirst = false
        ) {
          const page = yield* listWithAnnotations(store, Resource, {
            pageSize,
            ...(Option.isSome(pageToken) ? { pageToken: pageToken.value } : {})
          })
          found.push(...page.items)
          pageToken = page.nextPageToken
        }
        assert.deepStrictEqual(found, annotated)
      }
      const one = yield* listWithAnnotations(store, Resource, { annotationType: "number 20" })
      assert.deepStrictEqual(one.items, [resources[20]!])
    })
  )
)
