/** What the child of the kill test compacts from: archives by name, with the same sync. */
import type { RecordType } from "@icecore/engine"
import { Grant, Resource } from "@icecore/engine/access"
import { grantsOf, withoutIndexes } from "./CompactorFixtures.ts"

export interface KillSource {
  readonly types: ReadonlyArray<RecordType.Any>
  readonly grants: ReadonlyArray<Grant>
}

/** The second has no entries of some indexes: they are made from its records. */
export const killSources: Readonly<Record<string, KillSource>> = {
  one: { types: [Resource, Grant], grants: grantsOf(0, 3_000, 1) },
  two: {
    types: [Resource, withoutIndexes(Grant, "by_principal", "by_entitlement")],
    grants: [...grantsOf(0, 1_000, 1), ...grantsOf(1_000, 3_000, 2)]
  }
}
