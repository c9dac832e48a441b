/**
 * All rows, in the order of the table.
 */
import type { Row } from "../Row.ts"
import { backfillRows } from "./BackfillRows.ts"
import { coldStartRows } from "./ColdStartRows.ts"
import { compactorRows } from "./CompactorRows.ts"
import { crc32cRows } from "./Crc32cRows.ts"
import { engineRows } from "./EngineRows.ts"
import { freezingRows } from "./FreezingRows.ts"
import { hotCommitRows } from "./HotCommitRows.ts"
import { keyIndexRows } from "./KeyIndexRows.ts"
import { lookupRows } from "./LookupRows.ts"
import { packMemoryRows } from "./PackMemoryRows.ts"
import { packReadRows } from "./PackReadRows.ts"
import { packWriteRows } from "./PackWriteRows.ts"
import { recordMemoryRows } from "./RecordMemoryRows.ts"
import { recordRows } from "./RecordRows.ts"
import { storeRows } from "./StoreRows.ts"
import { zstdRows } from "./ZstdRows.ts"

export const rows: ReadonlyArray<Row> = [
  ...crc32cRows,
  ...zstdRows,
  ...engineRows,
  ...hotCommitRows,
  ...recordRows,
  ...recordMemoryRows,
  ...compactorRows,
  ...packWriteRows,
  ...packReadRows,
  ...packMemoryRows,
  ...keyIndexRows,
  ...storeRows,
  ...freezingRows,
  ...backfillRows,
  ...lookupRows,
  ...coldStartRows
]
