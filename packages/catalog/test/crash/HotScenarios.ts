/** What can be interrupted: making and discarding a hot database, and making it again. */
import type { CrashEnumerator } from "@icecore/packfile/testing"
import { Effect, Option } from "effect"
import type { OpenHot } from "../../src/Catalog.ts"
import { ChunkId } from "../../src/Geometry.ts"
import * as Layout from "../../src/Layout.ts"
import { bytes, type Store } from "../Harness.ts"
import {
  hasDatabase,
  layout,
  open,
  recover,
  require,
  requireSettled,
  rowOf,
  storeLayer,
  type Weakness
} from "./CrashHarness.ts"

type Scenario<Acknowledgement> = CrashEnumerator.CrashScenario<Store, Acknowledgement>

export const first: ChunkId = ChunkId(5)
const second = ChunkId(6)

const seeded = (by: string): OpenHot => ({
  keyspaces: ["entries"],
  seed: (batch) => batch.put("entries", bytes("seed"), bytes(by))
})

type Moment = "opened" | "entered" | "discarding" | "discarded" | "next opened" | "next entered"

/** One chunk lives and goes, the next one begins. */
export const openingAndDiscarding = (weakness?: Weakness): Scenario<Moment> => ({
  name: "opening and discarding a hot database",
  layer: storeLayer(weakness),
  scenario: Effect.fnUntraced(function* (acknowledge) {
    const catalog = yield* open
    yield* Effect.scoped(
      Effect.gen(function* () {
        const database = yield* catalog.openHot(first, seeded("first"))
        yield* acknowledge("opened")
        yield* database.write((batch) => batch.put("entries", bytes("entry"), bytes("1")))
        yield* acknowledge("entered")
      })
    )
    yield* acknowledge("discarding")
    yield* catalog.discardHot(first)
    yield* acknowledge("discarded")
    const database = yield* catalog.openHot(second, seeded("second"))
    yield* acknowledge("next opened")
    yield* database.write((batch) => batch.put("entries", bytes("entry"), bytes("2")))
    yield* acknowledge("next entered")
  }),
  recover,
  check: Effect.fnUntraced(function* (acknowledged) {
    const catalog = yield* open
    yield* requireSettled(catalog)
    const snapshot = yield* catalog.snapshot
    for (const [chunk, seed, opened, entered, leaving] of [
      [first, "first", "opened", "entered", "discarding"],
      [second, "second", "next opened", "next entered", undefined]
    ] as const) {
      const state = yield* snapshot.hotState(chunk)
      const isLeaving = leaving !== undefined && acknowledged.includes(leaving)
      if (Option.isNone(state)) {
        yield* require(isLeaving || !acknowledged.includes(opened), `the hot database of ${chunk} is gone`)
        yield* require(!(yield* hasDatabase(Layout.hotPath(layout, chunk))), `a database of ${chunk} has no key`)
        continue
      }
      yield* require(!acknowledged.includes("discarded") || chunk !== first, "the discarded database is back")
      const database = yield* catalog.openHot(chunk, { keyspaces: ["entries"] })
      yield* require((yield* rowOf(database, "seed")) === seed, `the hot database of ${chunk} has no seed`)
      const entry = yield* rowOf(database, "entry")
      yield* require(entry !== null || !acknowledged.includes(entered), `the entry of ${chunk} is lost`)
    }
  })
})

/** A start that opens the chunk again before anything was swept. */
export const reopening = (weakness?: Weakness): Scenario<Moment> => ({
  ...openingAndDiscarding(weakness),
  name: "opening a hot database again after a crash",
  recover: Effect.gen(function* () {
    const catalog = yield* open
    yield* catalog.openHot(first, seeded("recovery"))
  }),
  check: Effect.fnUntraced(function* () {
    const catalog = yield* open
    const database = yield* catalog.openHot(first, { keyspaces: ["entries"] })
    const seed = yield* rowOf(database, "seed")
    const entry = yield* rowOf(database, "entry")
    yield* require(seed === "recovery" || seed === "first", `the seed is ${seed}`)
    yield* require(seed === "first" || entry === null, "a new hot database holds an old entry")
  })
})
