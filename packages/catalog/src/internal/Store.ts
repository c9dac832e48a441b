/** What the operations of an open catalog share. */

import type { Database, Engine, EngineWriteError, WriteBatch } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import { Effect } from "effect"
import type { WindowId } from "../Geometry.ts"
import type { Layout } from "../Layout.ts"
import type { Table } from "./CatalogTable.ts"
import type { Claims } from "./Claims.ts"
import type { DurableDirectories } from "./DurableDirectories.ts"
import type { Pending } from "./Pending.ts"

export interface Store {
  readonly disk: Disk
  readonly hotEngine: Engine
  readonly layout: Layout
  readonly database: Database
  readonly table: Table
  readonly claims: Claims
  readonly directories: DurableDirectories
  /** What this process left unsettled. */
  readonly pending: Pending
  /** See `CatalogOptions.destroyableBefore`. */
  readonly destroyableBefore: Effect.Effect<number>
  readonly runs: RunWindows
}

/** Where key runs may lie that a finished index has made useless. */
export interface RunWindows {
  /** Windows of which this process froze runs, or found them so. */
  readonly windows: Set<WindowId>
  /** Whether the windows of before this process were looked at. */
  isComplete: boolean
}

/** One synced batch, the barrier of every step. It is not interrupted, so that who is told "interrupted" knows it ended. */
export const commit = (store: Store, build: (batch: WriteBatch) => void): Effect.Effect<void, EngineWriteError> =>
  Effect.uninterruptible(store.database.write(build, { durability: "synced" }))
