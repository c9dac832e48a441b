/**
 * All rows, in the order of the table.
 */
import type { Row } from "../Row.ts"
import { zstdRows } from "./ZstdRows.ts"

export const rows: ReadonlyArray<Row> = [...zstdRows]
