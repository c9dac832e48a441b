/** Every way to look a key up in an index, for tests. */
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type Disk, type DiskError, KeyIndex, type KeyIndexCorrupt } from "../src/index.ts"

/** An index that is read from memory, and from disk. */
export interface BothIndexes {
  readonly resident: KeyIndex.KeyIndex
  readonly positioned: KeyIndex.KeyIndex
}

export const both: (path: string) => Effect.Effect<BothIndexes, DiskError | KeyIndexCorrupt, Disk | Scope.Scope> =
  Effect.fnUntraced(function* (path) {
    const resident = yield* KeyIndex.open(path)
    const positioned = yield* KeyIndex.open(path, { residentLimitBytes: 0 })
    assert.isDefined(resident.lookupResident)
    assert.isUndefined(positioned.lookupResident)
    return { resident, positioned }
  })

/** Every way to look a key up must say the same. */
export const lookUp: (indexes: BothIndexes, key: Uint8Array) => Effect.Effect<number, DiskError | KeyIndexCorrupt> =
  Effect.fnUntraced(function* ({ resident, positioned }, key) {
    const seq = resident.lookupResident!(key)
    assert.strictEqual(yield* resident.lookup(key), seq)
    assert.strictEqual(yield* positioned.lookup(key), seq)
    return seq
  })
