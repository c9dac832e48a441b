/** What the operations of an open catalog share. */

import type { Database, Engine, EngineWriteError, WriteBatch } from "@icecore/engine"
import type { Disk } from "@icecore/packfile"
import { Effect } from "effect"
import type { Layout } from "../Layout.ts"
import type { Table } from "./CatalogTable.ts"
import type { Claims } from "./Claims.ts"
import type { DurableDirectories } from "./DurableDirectories.ts"

export interface Store {
  readonly disk: Disk
  readonly hotEngine: Engine
  readonly layout: Layout
  readonly database: Database
  readonly table: Table
  readonly claims: Claims
  readonly directories: DurableDirectories
  /** When this process demoted an artifact that is not removed yet, by its key's text, in milliseconds of the clock. */
  readonly demotedAt: Map<string, number>
}

/** One synced batch, the barrier of every step. It is not interrupted, so that who is told "interrupted" knows it ended. */
export const commit = (store: Store, build: (batch: WriteBatch) => void): Effect.Effect<void, EngineWriteError> =>
  Effect.uninterruptible(store.database.write(build, { durability: "synced" }))
